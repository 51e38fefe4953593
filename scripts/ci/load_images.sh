#!/usr/bin/env bash
# Step "load images" of action.yml: what the cache had, into the Docker engine.
#
#   ARCHIVE   a file of docker save; without one there is nothing to do
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

archive=${ARCHIVE:?}
if [ ! -s "$archive" ]; then
    echo "no images in the cache: they are built, which takes minutes"
    exit 0
fi
# A broken archive costs time, not the result: the images are then built.
docker load --quiet --input "$archive" || echo "::warning title=postfix-matrix::the cached images could not be loaded, so they are built"
rm -f "$archive"
