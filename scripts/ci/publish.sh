#!/usr/bin/env bash
# Step "publish" of .github/workflows/publish.yml: a run added to the site in a branch (docs/publishing.md).
#
#   RUN        the run folder
#   BRANCH     the branch that a host serves; made where there is none
#   REMOTE     the remote that has it
#   BASE_URL   where the site will be; may be empty
#   KEEP       how many runs are kept
#
# The branch has one commit: each night replaces it, so that the repository does not grow.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

run=$(realpath "${RUN:?}")
branch=${BRANCH:-gh-pages}
remote=${REMOTE:-origin}
work=$(mktemp -d)
trap 'git worktree remove --force "$work/site" 2>/dev/null || true; rm -rf "$work"' EXIT

git worktree add --quiet --detach "$work/site"
if git fetch --quiet --depth 1 "$remote" "refs/heads/$branch" 2>/dev/null; then
    lease=$(git rev-parse FETCH_HEAD)
    git -C "$work/site" checkout --quiet --detach "$lease"
else
    lease=
    git -C "$work/site" rm --quiet -r --force --ignore-unmatch .
fi
postfix_matrix publish "$run" --into "$work/site" --keep "${KEEP:-90}" ${BASE_URL:+--base-url "$BASE_URL"}
# GitHub Pages else has Jekyll read every page, which takes minutes, and leaves out names with "_".
: >"$work/site/.nojekyll"

git -C "$work/site" add --all
tree=$(git -C "$work/site" write-tree)
commit=$(git -c user.name=postfix-matrix -c user.email=postfix-matrix@users.noreply.github.com \
    commit-tree "$tree" -m "Publish run $(basename "$run")")
git push --quiet --force-with-lease="refs/heads/$branch:$lease" "$remote" "$commit:refs/heads/$branch"
