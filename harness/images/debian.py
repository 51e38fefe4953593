"""Upstream's archives from Debian: the source package's ``.orig`` file, fetched by apt-get(8).

It runs in a throw-away container of the suite, so the machine's own package lists are not touched,
and any mirror that the base image knows is used.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Mapping
from io import RawIOBase
from pathlib import Path

import docker

from harness.catalog.releases import Source
from harness.errors import SourceError
from harness.images.cancel import Cancel
from harness.images.containers import finished

TIME_LIMIT = 300.0

# $1: source package, $2: the file wanted. The suite's own package sources are read in both of their
# formats (sources.list(5)), and asked for source packages only: that index is a fraction of all.
# An old suite's index may have run out; the checksum that is pinned stands for what is fetched.
_SCRIPT = r"""
set -eu
mkdir -p /src /apt && cd /src
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$list" ] && sed -n 's/^deb /deb-src /p' "$list" >>/apt/src.list
done
for list in /etc/apt/sources.list.d/*.sources; do
    [ -f "$list" ] && sed 's/^Types:.*/Types: deb-src/' "$list" >"/apt/${list##*/}"
done
set -- "$1" "$2" -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=/apt \
    -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root
package=$1 file=$2
shift 2
apt-get "$@" update >&2
apt-get "$@" source --download-only --tar-only "$package" >&2
[ -f "$file" ] || { echo "the suite has $(echo *) now, not $file" >&2; exit 1; }
"""


class DebianFetcher:
    """Fetches sources of kind DEBIAN; ``base_image`` gives the reference of a suite's image."""

    def __init__(
        self,
        client: docker.DockerClient,
        base_image: Callable[[str], str],
        labels: Mapping[str, str],
    ) -> None:
        self._client = client
        self._base_image = base_image
        self._labels = labels

    def __call__(self, source: Source, path: Path, cancel: Cancel) -> None:
        """Fetch into ``path``.

        Raises:
            SourceError: the suite does not have the file, or is not reached.
            InfrastructureError: the base image, or the engine.
        """
        command = ["/bin/sh", "-c", _SCRIPT, "fetch", source.package, source.file]
        with finished(
            self._client,
            self._base_image(source.suite),
            command,
            labels=self._labels,
            cancel=cancel,
            network="bridge",
            time_limit=TIME_LIMIT,
        ) as done:
            if done.code != 0:
                raise SourceError(f"apt-get failed: {_complaint(done.err)}")
            chunks, _ = done.container.get_archive(f"/src/{source.file}")
            _only_file(chunks, path)


def _complaint(words: str) -> str:
    """apt-get's errors, else its last line."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")]
    return " ".join(errors[:3] or lines[-1:] or ["it said nothing"])


def _only_file(chunks: Iterable[bytes], path: Path) -> None:
    """Unpack the engine's archive of one file into ``path``."""
    with tarfile.open(fileobj=_Stream(chunks), mode="r|") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is not None:
                with path.open("wb") as file:
                    while block := content.read(1 << 18):
                        file.write(block)


class _Stream(RawIOBase):
    """Pieces of bytes as a file to read from."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._chunks, b"")
            if not piece:
                break
            self._rest += piece
        end = len(self._rest) if size < 0 else size
        taken, self._rest = self._rest[:end], self._rest[end:]
        return taken
