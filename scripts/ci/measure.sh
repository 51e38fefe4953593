#!/usr/bin/env bash
# Step "measure" of action.yml: one command of postfix-matrix, chosen by the inputs.
#
#   INPUT_SNAPSHOT                check the candidate, or what was recorded, against a snapshot
#   INPUT_POLICIES                verify the candidate, one policy per line
#   INPUT_TOOL                    run a tool on each build first; with a snapshot or policies
#   none of these                 run the scenarios
#   INPUT_CANDIDATE               files, a folder, a tar or a scenario; one per line
#   INPUT_SCENARIOS, INPUT_SCENARIOS_DIR, INPUT_BUILDS, INPUT_SERVICES, INPUT_CLIENTS, INPUT_OFFERS
#   INPUT_SHARD                   i/n or auto: measure this part of the scenarios' cells
#   INPUT_REUSE                   a run folder: its cells are taken over where nothing has changed
#   INPUT_JOBS, INPUT_REGISTRY    as --jobs and --registry
#   INPUT_JUDGE                   false: refuted advice does not fail the step (a later job judges)
#   INPUT_ARTIFACT                the artifact's name
#   RUNS                          the folder of the run
#
# Outputs: run (the run folder, empty if nothing was measured), artifact, exit-code. The exit code is
# the command's own: 1 for a finding, 3 where something could not be measured, 4 for bad input.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

runs=${RUNS:-${RUNNER_TEMP:-/tmp}/postfix-matrix-runs}
split_lines candidate "${INPUT_CANDIDATE:-}"
split_lines tool "${INPUT_TOOL:-}"
split_lines snapshot "${INPUT_SNAPSHOT:-}"
shard=${INPUT_SHARD:-}

if [ ${#snapshot[@]} -gt 1 ] || [ ${#tool[@]} -gt 1 ]; then
    fail 4 "snapshot and tool each name one file"
fi
if [ ${#tool[@]} -eq 1 ]; then
    if [ ${#candidate[@]} -gt 0 ]; then fail 4 "tool and candidate exclude each other"; fi
    command=(tool "${tool[0]}")
    add_option command --check "${INPUT_SNAPSHOT:-}"
    add_option command --policy "${INPUT_POLICIES:-}"
elif [ ${#snapshot[@]} -eq 1 ]; then
    if [ -n "${INPUT_POLICIES:-}" ]; then
        fail 4 "snapshot and policies are two measurements: use the action twice"
    fi
    command=(check "${snapshot[0]}" ${candidate[@]+"${candidate[@]}"})
elif [ -n "${INPUT_POLICIES:-}" ]; then
    if [ ${#candidate[@]} -eq 0 ]; then fail 4 "policies need a candidate"; fi
    command=(verify "${candidate[@]}")
    add_option command --policy "$INPUT_POLICIES"
else
    if [ ${#candidate[@]} -gt 0 ]; then
        fail 4 "a candidate needs a snapshot or policies to be compared with"
    fi
    command=(run)
    add_option command --scenarios "${INPUT_SCENARIOS:-}"
    add_option command --shard "$shard"
    # Without the earlier run there is nothing to take over, and every cell is measured.
    if [ -f "${INPUT_REUSE:-}/run.json" ]; then command+=(--reuse "$(realpath "$INPUT_REUSE")"); fi
    if is_true "${INPUT_JUDGE:-true}"; then command+=(--exit-code); fi
fi
if [ "${command[0]}" != run ] && [ -n "$shard" ]; then
    fail 4 "only scenarios are measured in shards"
fi
add_option command --scenarios-dir "${INPUT_SCENARIOS_DIR:-}"
add_option command --builds "${INPUT_BUILDS:-}"
add_option command --services "${INPUT_SERVICES:-}"
add_option command --clients "${INPUT_CLIENTS:-}"
add_option command --offers "${INPUT_OFFERS:-}"
add_option command --jobs "${INPUT_JOBS:-}"
add_option command --registry "${INPUT_REGISTRY:-}"
command+=(--runs "$runs" --format "${FORMAT:-github}")

# An earlier use of the action in the same job may have left a run in the same folder.
# Its name begins with the time (20261130T125026Z-19b2); runs/latest is moved by `run` alone.
newest_run() {
    local folder newest=
    for folder in "$runs"/[0-9]*/; do
        if [ -f "$folder/run.json" ]; then newest=$folder; fi
    done
    if [ -n "$newest" ]; then (cd -P "$newest" && pwd); fi
}
earlier=$(newest_run)
code=0
postfix_matrix "${command[@]}" || code=$?

# A command that was refused, or interrupted before its first cell, leaves no run.
run=$(newest_run)
if [ "$run" = "$earlier" ]; then run=; fi
if [ -n "$run" ]; then
    postfix_matrix report "$run" --junit >/dev/null || true
fi
name=${INPUT_ARTIFACT:-postfix-matrix}
case $shard in
    */*) name+="-${shard%%/*}-of-${shard##*/}" ;;
    ?*) name+="-${run##*/}" ;;
esac
give run "$run"
give artifact "$name"
give exit-code "$code"
exit "$code"
