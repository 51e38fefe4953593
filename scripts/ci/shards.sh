#!/usr/bin/env bash
# Step "shards" of .github/workflows/measure.yml: the shards as a matrix, ["1/3", "2/3", "3/3"].
#
#   COUNT   how many
#
# Output: shards, a JSON list.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if ! [[ ${COUNT:?} =~ ^[1-9][0-9]{0,2}$ ]] || [ "$COUNT" -gt 256 ]; then
    fail 4 "shards is $COUNT: write a number from 1 to 256, which is what a matrix holds"
fi
list=
for number in $(seq 1 "$COUNT"); do list+="${list:+, }\"$number/$COUNT\""; done
give shards "[$list]"
