"""Remove from Docker what killed runs left, and the images that the harness built (make prune).

Containers and networks: those of dead sessions on this machine only; a run that is going on, or
one that was kept on purpose (``--keep``), keeps its own. Images: all tagged ``postfix-matrix/...``
that no container uses. Pulled images, other people's things and the build cache are left alone.
"""

from __future__ import annotations

import sys

from docker import DockerClient
from docker.errors import APIError

from harness.errors import HarnessError
from harness.images.engine import Session, connect

#: What the names of our images begin with.
PREFIX = "postfix-matrix/"


def main() -> int:
    """Remove, say what was removed, and return the exit code."""
    try:
        client = connect()
    except HarnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    with Session(client):
        pass  # entering removes what dead sessions left
    removed, kept = remove_images(client)
    print(f"removed {removed} images; {kept} in use were kept")
    return 0


def remove_images(client: DockerClient) -> tuple[int, int]:
    """Untag our images, which removes those that nothing uses; (removed, kept) counts tags."""
    removed = kept = 0
    for image in client.images.list(filters={"reference": f"{PREFIX}*"}):
        for tag in our_tags(image.tags):
            try:
                client.images.remove(tag)
                removed += 1
            except APIError as error:
                kept += 1
                print(f"kept {tag}: {error.explanation}", file=sys.stderr)
    return removed, kept


def our_tags(tags: list[str]) -> list[str]:
    """The tags that the harness gave: an imported base image may have somebody else's besides."""
    return [tag for tag in tags if tag.startswith(PREFIX)]


if __name__ == "__main__":
    sys.exit(main())
