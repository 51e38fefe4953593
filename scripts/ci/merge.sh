#!/usr/bin/env bash
# Step "merge" of .github/workflows/measure.yml: the shards' run folders as one, and its verdicts.
#
#   SHARDS          the folder that has one folder per shard
#   EXPECT_SHARDS   how many there must be
#   RUNS            the folder of the merged run
#
# Outputs: run, exit-code. The exit code is 1 where some advice is refuted or harmful, 3 where a cell
# is flaky or unmeasured, 4 where a shard is missing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

run=${RUNS:-${RUNNER_TEMP:-/tmp}/postfix-matrix-runs}/merged
mkdir -p "$(dirname "$run")"
code=0
postfix_matrix merge "${SHARDS:?}"/*/ --output "$run" --expect-shards "${EXPECT_SHARDS:?}" || code=$?
if [ ! -f "$run/run.json" ]; then
    give run ""
    give exit-code "$code"
    exit "$code"
fi
postfix_matrix report "$run" >/dev/null
postfix_matrix report "$run" --junit >/dev/null
judged=0
postfix_matrix verdicts "$run" --exit-code --format "${FORMAT:-github}" || judged=$?
# Advice that is known to be wrong takes precedence over a flaky cell, as in `run`.
if [ "$judged" -eq 1 ] || [ "$code" -eq 0 ]; then code=$judged; fi
give run "$run"
give exit-code "$code"
exit "$code"
