"""Package files of a distribution's archive, each verified by its pinned hash, in the cache.

apt's own downloader fetches them, in a throw-away container, from the mirrors that the container's
image uses; all suites of a distribution are on the same ones (``debian_archive``).
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker

from harness.catalog.package_files import PackageFile
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.containers import FinishedCommand, run_container
from harness.docker_engine.locks import exclusive_lock
from harness.errors import SourceError
from harness.files import file_digest
from harness.sources.debian_archive import ChunkReader, fetching_suite

TIME_LIMIT = 900.0

#: Errors that a message lists; with all files missing, more would hide the cause.
_SHOWN = 6

# $1: the suite of this system; then PATH SHA256 for each file, as one argument. Prints a line
# "PATH SHA256" for each file of another hash, and leaves the right ones in /files.
_SCRIPT = r"""
set -eu
mkdir /files
uris=$(apt-get indextargets --no-release-info --format '$(REPO_URI)' \
    'Created-By: Packages' "Release: $1" | sort -u)
shift
for uri in $uris; do
    requests=
    for pin in "$@"; do
        path=${pin% *}
        [ -f "/files/${path##*/}" ] || requests="$requests $uri$path /files/${path##*/}"
    done
    [ -n "$requests" ] || break
    /usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=3 \
        download-file $requests >&2 || true
    for pin in "$@"; do
        path=${pin% *}
        file=/files/${path##*/}
        [ -f "$file" ] || continue
        found=$(sha256sum "$file" | cut -d' ' -f1)
        [ "$found" = "${pin#* }" ] || { echo "$path $found"; rm "$file"; }
    done
done
"""


class ChangedPackageError(SourceError):
    """An archive gave a package file whose bytes are not the pinned ones."""


@dataclass(frozen=True, slots=True)
class PackageFetcher:
    """Fetches package files; ``base_image`` returns the reference of a suite's image."""

    client: docker.DockerClient
    base_image: Callable[[str], str]
    labels: Mapping[str, str]
    cache_dir: Path

    def __call__(
        self,
        family: str,
        files: Sequence[PackageFile],
        cancel: Cancel,
        say: Callable[[str], None],
    ) -> dict[PackageFile, Path]:
        """The files' paths in the cache; what is not there is fetched.

        Raises:
            ChangedPackageError: the archive gave other bytes; the message has both hashes.
            SourceError: the archive did not give all; the message names files and hashes.
            InfrastructureError: the container's image is unavailable, or the engine failed.
            Cancelled: the user cancelled the work.
        """
        paths = {file: cached_path(self.cache_dir, file) for file in files}
        missing = [file for file, path in paths.items() if not _is_right(file, path)]
        if missing:
            waiting = "waiting: package files are being fetched elsewhere"
            lock = self.cache_dir / "locks" / "package-files.lock"
            with exclusive_lock(lock, cancel, lambda: say(waiting)):
                self._fetch_missing(family, missing, cancel, say)
        return paths

    def _fetch_missing(
        self,
        family: str,
        files: Sequence[PackageFile],
        cancel: Cancel,
        say: Callable[[str], None],
    ) -> None:
        # Another process may have fetched them while this one waited.
        missing = [file for file in files if not _is_right(file, cached_path(self.cache_dir, file))]
        if not missing:
            return
        say(f"fetching {_count_files(missing)}")
        system = fetching_suite(family)
        command = ["/bin/sh", "-c", _SCRIPT, "fetch", system]
        command += [f"{file.path} {file.sha256}" for file in missing]
        with run_container(
            self.client,
            self.base_image(system),
            command,
            labels=self.labels,
            cancel=cancel,
            network="bridge",
            time_limit=TIME_LIMIT,
        ) as done:
            chunks, _ = done.container.get_archive("/files")
            self._store_files(chunks, missing)
        check_fetched(missing, self.cache_dir, done)

    def _store_files(self, chunks: Iterable[bytes], missing: Sequence[PackageFile]) -> None:
        """Put the files of the engine's archive into the cache, those of the pinned hash only."""
        by_name = {file.name: file for file in missing}
        with tarfile.open(fileobj=ChunkReader(chunks), mode="r|") as tar:
            for member in tar:
                file = by_name.get(member.name.rpartition("/")[2])
                content = tar.extractfile(member)
                if file is None or content is None:
                    continue
                path = cached_path(self.cache_dir, file)
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_name(".part")
                part.write_bytes(content.read())
                if _is_right(file, part):
                    part.replace(path)


def cached_path(cache_dir: Path, file: PackageFile) -> Path:
    """The path of a package file in the cache, where it can also be put by hand."""
    return cache_dir / "sources" / file.sha256 / file.name


def check_fetched(files: Sequence[PackageFile], cache_dir: Path, done: FinishedCommand) -> None:
    """Check that all files are in the cache now.

    Raises:
        ChangedPackageError, SourceError: some are not; the message says why.
    """
    missing = [file for file in files if not _is_right(file, cached_path(cache_dir, file))]
    if missing:
        raise explain_missing(missing, done.out, done.err, cache_dir)


def explain_missing(
    missing: Sequence[PackageFile], changed: str, output: str, cache_dir: Path
) -> SourceError:
    """The error for package files that the archive did not give.

    ``changed`` has a line "PATH SHA256" for each file that had another hash, ``output`` is apt's.
    """
    received = dict(line.split(" ", 1) for line in changed.splitlines() if " " in line)
    by_hand = "put the right file into the cache by hand, at the path above"
    if wrong := [file for file in missing if file.path in received]:
        return ChangedPackageError(
            f"the archive gave other bytes than the pinned ones for {_count_files(wrong)}\n"
            + _list_lines(
                f"{file.path}: SHA-256 {received[file.path]} instead of {file.sha256}\n"
                f"      belongs at {cached_path(cache_dir, file)}"
                for file in wrong
            ),
            cause="the mirror changed the file, or a proxy did",
            next_step=f"use another mirror, or {by_hand}",
        )
    return SourceError(
        f"the archive did not give {_count_files(missing)}\n"
        + _list_lines(
            f"{file.path}: {_find_reason(file, output)}; expected SHA-256 {file.sha256}\n"
            f"      belongs at {cached_path(cache_dir, file)}"
            for file in missing
        ),
        cause="the distribution's archive is not reached, or the files have left it",
        next_step=f"let this machine reach a mirror that has them, or {by_hand}",
    )


def _find_reason(file: PackageFile, output: str) -> str:
    """Why apt did not fetch the file, from its output (apt-helper(1) documents no form of it)."""
    match = re.search(rf"Failed to fetch \S*{re.escape(file.path)} +(.*)", output)
    return re.sub(r" +", " ", match[1]).strip() if match else "apt gave no reason"


def _list_lines(lines: Iterable[str]) -> str:
    listed = [f"    {line}" for line in lines]
    more = [f"    and {len(listed) - _SHOWN} more"] if len(listed) > _SHOWN else []
    return "\n".join([*listed[:_SHOWN], *more])


def _count_files(files: Sequence[PackageFile]) -> str:
    """The name of a single file, else how many there are: summaries show only this."""
    return files[0].name if len(files) == 1 else f"{len(files)} package files"


def _is_right(file: PackageFile, path: Path) -> bool:
    return path.is_file() and file_digest(path) == file.sha256
