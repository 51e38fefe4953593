#!/usr/bin/env bash
# Step "save images" of action.yml: the images of this job that exist, for the cache.
#
#   ARCHIVE      the file to write
#   REFERENCES   a file with one image per line
#
# Output: saved, true where the archive was written.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

archive=${ARCHIVE:?} references=${REFERENCES:?}
existing=()
while IFS= read -r reference; do
    # Some pairs do not build, and some sources are not reached: what there is, is kept.
    if docker image inspect "$reference" >/dev/null 2>&1; then existing+=("$reference"); fi
done <"$references"
if [ ${#existing[@]} -eq 0 ]; then
    echo "none of the images exists, so none is saved"
    give saved false
    exit 0
fi
docker save --output "$archive" "${existing[@]}"
echo "saved ${#existing[@]} images, $(($(stat -c %s "$archive") / 1000000)) MB"
give saved true
