"""Upstream's archives from Debian: the source package's ``.orig`` file, fetched by apt-get(8).

apt-get runs in a throw-away container, so the machine's own package lists are not changed, and the
mirrors of the container's image are used. All suites of a distribution are on the same mirrors, so
one image fetches for all of them (for Debian the base image), which saves a bootstrap per suite.
"""

from __future__ import annotations

import re
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from threading import Lock

import docker

from harness.catalog.builds import base_suite
from harness.catalog.releases import Source
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.containers import (
    FinishedCommand,
    run_container,
)
from harness.errors import SourceError
from harness.sources.downloads import Attempt

TIME_LIMIT = 300.0

#: The suite whose image fetches all sources from Ubuntu.
_UBUNTU = "jammy"

_POLL = 0.1

# $1: suite, $2: the suite of this system, $3: source package, $4: the file to fetch. Prints a line
# "VERSION yes|no" for each version that the suite lists, newest first: does it have the file?
#
# The suite's package sources are read in both formats (sources.list(5)), and only their indexes of
# source packages are fetched, which are a fraction of all. An old suite's index may have expired,
# or be signed with a key that a newer suite does not have: the pinned checksum verifies the file.
# A part of a suite that is not reached (its updates, say) does not matter as long as another has
# the file.
_SCRIPT = r"""
set -eu
mkdir -p /src /apt && cd /src
suite=$1 system=$2 package=$3 file=$4
if [ "$suite" = "$system" ]; then
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$list" ] && sed -n 's/^deb /deb-src /p' "$list" >>/apt/src.list
    done
    for list in /etc/apt/sources.list.d/*.sources; do
        [ -f "$list" ] && sed 's/^Types:.*/Types: deb-src/' "$list" >"/apt/${list##*/}"
    done
else
    form="deb-src [trusted=yes] \$(REPO_URI) $suite main"
    apt-get indextargets --no-release-info --format "$form" \
        'Created-By: Packages' "Release: $system" | sort -u >/apt/src.list
fi
set -- -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=/apt \
    -o Acquire::Check-Valid-Until=false -o Acquire::Retries=3 -o APT::Sandbox::User=root
apt-get "$@" update >&2 || true
apt-cache "$@" --only-source showsrc "$package" | awk -v RS= -v file="$file" '{
    version = ""; has = "no"
    for (i = 1; i <= NF; i++) {
        if ($i == "Version:" && version == "") version = $(i + 1)
        if ($i == file) has = "yes"
    }
    print version, has
}' | sort -u -V -r >/apt/listed
cat /apt/listed
# Of several packages of one upstream version some may have left the mirror.
for version in $(awk '$2 == "yes" { print $1 }' /apt/listed); do
    apt-get "$@" source --download-only --tar-only "$package=$version" >&2 && [ -f "$file" ] && exit
done
exit 1
"""

_ERRORS = ("E:", "W: Failed to fetch")
# What apt-get prints in addition to the error itself.
_EMPTY = ("E: Some index files", "E: You must put some 'deb-src'", "E: Failed to fetch some")
_NOT_FOUND = re.compile(r"\b404\b")


class DebianFetcher:
    """Fetches sources of kind DEBIAN; ``base_image`` returns the reference of a suite's image.

    Safe for several threads. A file that a suite does not have is not requested again.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        base_image: Callable[[str], str],
        labels: Mapping[str, str],
    ) -> None:
        self._client = client
        self._base_image = base_image
        self._labels = labels
        self._lock = Lock()
        self._suite_locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._final_reasons: dict[Source, str] = {}

    def __call__(self, source: Source, path: Path, attempt: Attempt) -> None:
        """Fetch into ``path``.

        Raises:
            SourceError: the suite does not have the file, or is not reached.
            InfrastructureError: the base image is unavailable, or the engine failed.
            Cancelled: the user cancelled the work.
        """
        system = fetching_suite(source.family)
        image = self._base_image(system)
        command = ["/bin/sh", "-c", _SCRIPT, "fetch"]
        command += [source.suite, system, source.package, source.file]
        # One at a time: several would each fetch the suite's index over the same line.
        with self._take_turn(source.suite, attempt.cancel):
            attempt.places.check(source.place)
            if source in self._final_reasons:
                raise SourceError(self._final_reasons[source])
            with run_container(
                self._client,
                image,
                command,
                labels=self._labels,
                cancel=attempt.cancel,
                network="bridge",
                time_limit=TIME_LIMIT,
            ) as done:
                if done.code != 0:
                    raise self._fetch_error(source, done, attempt)
                chunks, _ = done.container.get_archive(f"/src/{source.file}")
                _unpack_single_file(chunks, path)

    @contextmanager
    def _take_turn(self, suite: str, cancel: Cancel) -> Iterator[None]:
        with self._lock:
            lock = self._suite_locks[suite]
        while not lock.acquire(timeout=_POLL):
            cancel.check()
        try:
            yield
        finally:
            lock.release()

    def _fetch_error(self, source: Source, done: FinishedCommand, attempt: Attempt) -> SourceError:
        if not done.out.strip() and (complaint := _find_errors(done.err)):
            reason = f"the package index of {source.place} was not read: {complaint}"
            return attempt.places.mark_unreached(source.place, reason)
        reason, final = explain_refusal(source, done.out, done.err)
        if final:
            self._final_reasons[source] = reason
        return SourceError(reason)


def fetching_suite(family: str) -> str:
    """The suite whose image fetches from the archive of a distribution's family."""
    return base_suite() if family == "debian" else _UBUNTU


def explain_refusal(source: Source, listed: str, output: str) -> tuple[str, bool]:
    """Why a suite whose index was read did not give the file, and whether that is final.

    ``listed`` has a line "VERSION yes|no" for each version of the package, newest first; ``output``
    is apt-get's error output.
    """
    listed_versions = [line.split() for line in listed.splitlines() if line.strip()]
    suite, package = source.place, source.package
    versions_with_file = [version for version, has in listed_versions if has == "yes"]
    complaint = _find_errors(output)
    if versions_with_file:
        what = f"{suite} lists {package} {versions_with_file[0]}"
        if _NOT_FOUND.search(complaint):
            return f"{what}, but its mirror answers 404: {source.file} has left it", True
        return (
            f"{what}, but did not give {source.file}: {complaint or 'apt-get gave no reason'}",
            False,
        )
    if not listed_versions:
        return f"{suite} has no source package {package}", True
    versions = ", ".join(version for version, _ in listed_versions)
    reason = (
        f"{suite} has {package} {versions} now, not {_upstream_version(source)}: "
        "its source package is gone"
    )
    return (
        (f"{reason} (a part was not reached: {complaint})", False) if complaint else (reason, True)
    )


def _upstream_version(source: Source) -> str:
    """``3.0.20`` of ``openssl_3.0.20.orig.tar.gz``."""
    name = source.file.removeprefix(f"{source.package}_")
    return name.partition(".orig")[0]


def _find_errors(output: str) -> str:
    """apt-get's errors, and its warnings about failed fetches; "" if there are none."""
    lines = [line.strip() for line in output.splitlines()]
    errors = [line for line in lines if line.startswith(_ERRORS) and not line.startswith(_EMPTY)]
    return " ".join(errors[:3])


def _unpack_single_file(chunks: Iterable[bytes], path: Path) -> None:
    """Unpack the engine's archive of a single file into ``path``."""
    with tarfile.open(fileobj=ChunkReader(chunks), mode="r|") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is not None:
                with path.open("wb") as file:
                    while block := content.read(1 << 18):
                        file.write(block)


class ChunkReader(RawIOBase):
    """A readable file over chunks of bytes."""

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
