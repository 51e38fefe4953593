#!/usr/bin/env bash
# Step "images key" of action.yml: the key of the cache of images, which changes as soon as what one
# of them is made from does.
#
#   INPUT_BUILDS, INPUT_CLIENTS, INPUT_SNAPSHOT   as for measure.sh
#   RUNNER_TEMP                                   where the archive of the images is to lie
#
# Outputs: key, archive (a path), references (a path: one image per line).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

folder=${RUNNER_TEMP:-/tmp}/postfix-matrix-images
mkdir -p "$folder"
options=(--references "$folder/references")
add_option options --builds "${INPUT_BUILDS:-}"
add_option options --clients "${INPUT_CLIENTS:-}"
add_option options --snapshot "${INPUT_SNAPSHOT:-}"

key=$(postfix_matrix images key "${options[@]}") ||
    fail $? "builds, clients or snapshot are wrong: see the lines above"
give key "postfix-matrix-images-$key"
give archive "$folder/images.tar"
give references "$folder/references"
