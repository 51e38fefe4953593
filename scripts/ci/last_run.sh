#!/usr/bin/env bash
# Step of .github/workflows/publish.yml: the workflow run whose merged run folder is the newest one,
# so that its cells are taken over (docs/reuse.md). Where none is found, every cell is measured.
#
#   ARTIFACT            the artifact's name
#   BRANCH              the branch whose runs count; a pull request's artifact never does
#   GITHUB_REPOSITORY, GH_TOKEN    as GitHub sets them
#
# Output: run-id, empty where there is none.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

id=
if list=$(gh api "repos/${GITHUB_REPOSITORY:?}/actions/artifacts?name=${ARTIFACT:?}&per_page=100"); then
    id=$("$python" -P "$(dirname "${BASH_SOURCE[0]}")/newest_artifact.py" "${BRANCH:-main}" <<<"$list")
fi
if [ -z "$id" ]; then echo "::notice title=postfix-matrix::no earlier run to take cells over from"; fi
give run-id "$id"
