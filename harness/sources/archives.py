"""The archives of releases, verified, in a cache by their SHA-256.

The sources of a release are tried in order. Bytes that differ from the pinned ones are not kept,
whatever the server's status is (some mirrors answer 200 with a web page).
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from urllib.parse import quote, urlsplit

from harness.catalog.releases import Release, Source, SourceKind
from harness.docker_engine.cancel import (
    Cancel,
    Cancelled,
    run_program,
)
from harness.docker_engine.locks import exclusive_lock
from harness.errors import HarnessError, SourceError, UsageError
from harness.files import file_digest, is_full_disk
from harness.sources.downloads import (
    Attempt,
    UnreachedPlaces,
    discard_part,
    download,
)

NPM_TIME_LIMIT = 300.0

_NPM = "npm's registry"
# By default npm tries for more than a minute to reach a registry that does not answer.
_NPM_OPTIONS = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000")
_UNREACHED = re.compile(
    r"code (ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b"
)

#: The environment variable with mirrors, separated by spaces.
MIRRORS_VARIABLE = "POSTFIX_MATRIX_MIRRORS"

#: Writes a source's archive into a file; raises OSError or SourceError if it cannot. For sources
#: with a URL the file may exist: it is the beginning that an earlier try received.
Fetcher = Callable[[Source, Path, Attempt], None]


@dataclass(frozen=True, slots=True)
class Archive:
    """A verified archive on disk, and the source that it came from."""

    path: Path
    source: Source


class SourceStore:
    """The cache of archives. Safe for several threads and processes at once."""

    def __init__(
        self,
        cache_dir: Path,
        fetchers: Mapping[SourceKind, Fetcher],
        mirrors: Sequence[str] = (),
    ) -> None:
        """``mirrors`` are base URLs, as ``mirrors_from`` returns them; they are tried first."""
        self._cache = cache_dir
        self._fetchers = fetchers
        self._mirrors = tuple(mirrors)
        self._places = UnreachedPlaces()

    def fetch(self, release: Release, cancel: Cancel, say: Callable[[str], None]) -> Archive:
        """The release's archive, from the cache or from the first source that gives it.

        Raises:
            SourceError: no source did; the message names each source with the reason.
            OSError: the disk is full.
            Cancelled: the user cancelled the work.
        """
        if archive := self._find_cached(release):
            return archive
        reasons = self._describe_damaged(release)
        for sha256, sources in groupby(
            self._list_sources(release), key=lambda source: source.sha256
        ):
            with self._hold_lock(release, sha256, cancel, say):
                # Another process or thread may have fetched it while this one waited.
                if archive := self._find_cached(release):
                    return archive
                for source in sources:
                    reason = self._try_source(release, source, cancel, say)
                    if reason is None:
                        return Archive(self.path_of(source), source)
                    reasons.append(f"{source}: {reason}")
        raise self._all_failed_error(release, reasons)

    def path_of(self, source: Source) -> Path:
        """Where the source's archive is, or would be."""
        return archive_path(self._cache, source.sha256)

    def _find_cached(self, release: Release) -> Archive | None:
        for source in release.sources:
            if source.kind is SourceKind.LOCAL:
                return _check_user_archive(source)
            path = self.path_of(source)
            if path.is_file() and file_digest(path) == source.sha256:
                return Archive(path, source)
        return None

    def _describe_damaged(self, release: Release) -> list[str]:
        """One error text for each cached file whose hash is not that of its folder."""
        paths = {self.path_of(source): source for source in release.sources}
        return [
            f"{path}: {_describe_difference(path, source)}"
            for path, source in paths.items()
            if path.is_file()
        ]

    def _list_sources(self, release: Release) -> list[Source]:
        """All sources to try: those on mirrors that may have the archive, then the catalog's."""
        mirrored = [
            replace(source, url=f"{base}/{quote(source.archive)}")
            for base in self._mirrors
            for source in release.sources
            if source.kind is SourceKind.URL and source.archive
        ]
        return list(dict.fromkeys([*mirrored, *release.sources]))

    @contextmanager
    def _hold_lock(
        self, release: Release, sha256: str, cancel: Cancel, say: Callable[[str], None]
    ) -> Iterator[None]:
        def waiting() -> None:
            say(f"waiting: the source of {release.id} is being fetched elsewhere")

        with exclusive_lock(lock_path(self._cache, sha256), cancel, waiting):
            yield

    def _try_source(
        self, release: Release, source: Source, cancel: Cancel, say: Callable[[str], None]
    ) -> str | None:
        """Fetch from one source; the reason why that failed, None if it did not."""
        cancel.check()
        what = f"fetching {release.id} from {source}"
        say(what)
        attempt = Attempt(cancel, lambda text: say(f"{what}: {text}"), self._places)
        return try_fetch(lambda: self._fetch_from(source, attempt))

    def _fetch_from(self, source: Source, attempt: Attempt) -> None:
        path = self.path_of(source)
        part = path.with_name(".part")
        if source.url:
            self._fetchers[source.kind](source, part, attempt)
            _move_verified(part, path, source)
        else:
            with _temporary_folder(path.parent) as folder:
                self._fetchers[source.kind](source, folder / path.name, attempt)
                _move_verified(folder / path.name, path, source)
        discard_part(part)

    def _all_failed_error(self, release: Release, reasons: list[str]) -> SourceError:
        listed = "\n".join(f"    {reason}" for reason in reasons)
        paths = "\n".join(
            f"    {path}"
            for path in dict.fromkeys(self.path_of(source) for source in release.sources)
        )
        # Summaries show only the first line and the next step: each must be clear on its own.
        return SourceError(
            f"no place gave the source of {release.id}\n{listed}\n"
            f"  where the cache would have it (the folder's name is its SHA-256):\n{paths}",
            cause="this machine does not reach these places, or they have moved on",
            next_step="let this machine reach one of the places, name a mirror of your own with "
            "--mirror, or put the archive into the cache by hand, where the whole message says",
        )


def archive_path(cache_dir: Path, sha256: str) -> Path:
    """The path of an archive in the cache; unfinished files lie in the same folder."""
    return cache_dir / "sources" / sha256 / "source.tar"


def is_cached(cache_dir: Path, release: Release) -> bool:
    """Whether one of the release's archives is in the cache, whole."""
    paths = {archive_path(cache_dir, source.sha256): source.sha256 for source in release.sources}
    return any(path.is_file() and file_digest(path) == sha256 for path, sha256 in paths.items())


def try_fetch(fetch: Callable[[], object]) -> str | None:
    """Call ``fetch``; the reason why it failed, None if it did not.

    Raises:
        Cancelled: the user cancelled the work.
        OSError: the disk is full; fetching from the next place would fail too.
    """
    try:
        fetch()
    except Cancelled:
        raise
    except OSError as error:
        if is_full_disk(error):
            raise
        return str(error)
    except HarnessError as error:
        return str(error)
    return None


def check_unchanged(archive: Archive, sha256: str) -> None:
    """Compare the bytes that a build uses with those that were verified.

    Raises:
        SourceError: they changed since; the message has both hashes.
    """
    if sha256 != archive.source.sha256:
        raise SourceError(
            f"{archive.path} changed since it was verified: SHA-256 {sha256} instead of "
            f"{archive.source.sha256}",
            cause="something wrote there meanwhile",
            next_step="let nothing write there, and start again",
        )


def lock_path(cache_dir: Path, sha256: str) -> Path:
    """The lock file of the process that writes that archive."""
    return archive_path(cache_dir, sha256).with_name(".lock")


def verify_archive(path: Path, source: Source) -> None:
    """Check a downloaded archive.

    Raises:
        SourceError: it is not the pinned archive; the message has both hashes.
    """
    if file_digest(path) != source.sha256:
        raise SourceError(f"gave {_describe_difference(path, source)}")


def mirrors_from(options: Sequence[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """The base URLs that are tried first: those of ``--mirror``, then the environment's.

    Raises:
        UsageError: one cannot be used as a base URL; the message says where it was given.
    """
    mirrors = [_parse_mirror(text, "--mirror") for text in options]
    mirrors += [
        _parse_mirror(text, MIRRORS_VARIABLE) for text in environ.get(MIRRORS_VARIABLE, "").split()
    ]
    return tuple(dict.fromkeys(mirrors))


def fetch_url(source: Source, path: Path, attempt: Attempt) -> None:
    """Download the file at the source's URL; resume from the bytes that ``path`` has already.

    Raises:
        SourceError, OSError: not reached, or an HTTP error.
    """
    # An earlier process was killed after the last byte, before the file was renamed.
    if path.is_file() and file_digest(path) == source.sha256:
        return
    if download(source.url, path, attempt) and file_digest(path) != source.sha256:
        # The beginning, which may be from another server, was not this file's.
        discard_part(path)
        download(source.url, path, attempt)


def fetch_npm(source: Source, path: Path, attempt: Attempt) -> None:
    """Have npm(1) pack a package of its registry.

    Raises:
        SourceError, OSError: npm is not installed, or failed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not installed here (on Debian: apt-get install npm)")
    attempt.places.check(_NPM)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [npm, "pack", *_NPM_OPTIONS, source.package]
        code, output = run_program(
            command, attempt.cancel, time_limit=NPM_TIME_LIMIT, cwd=Path(folder)
        )
        packed = list(Path(folder).glob("*.tgz"))
        if code != 0 or len(packed) != 1:
            reason = f"npm pack failed ({code}): {_npm_error(output)}"
            raise (
                attempt.places.mark_unreached(_NPM, reason)
                if _UNREACHED.search(output)
                else SourceError(reason)
            )
        packed[0].replace(path)


def _check_user_archive(source: Source) -> Archive:
    """The user's archive, if it still has the bytes that it had when the option was read."""
    path = Path(source.path)
    again = "start again: then it is read again"
    if not path.is_file():
        raise SourceError(f"{source} is gone: there is no {path}", next_step=again)
    if file_digest(path) != source.sha256:
        raise SourceError(
            f"{source} changed since it was read: {path} has {_describe_difference(path, source)}",
            next_step=again,
        )
    return Archive(path, source)


def _describe_difference(path: Path, source: Source) -> str:
    return (
        f"other bytes than the pinned ones: SHA-256 {file_digest(path)} instead of {source.sha256}"
    )


def _move_verified(fetched: Path, path: Path, source: Source) -> None:
    """Move a fetched archive to its path, if it is the pinned one; else remove it."""
    try:
        verify_archive(fetched, source)
    except SourceError:
        discard_part(fetched)
        raise
    fetched.replace(path)


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[Path]:
    """An empty folder for fetchers that cannot resume; a killed process's folder is removed."""
    work = folder / ".work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _parse_mirror(text: str, where: str) -> str:
    """A base URL without a slash at its end."""
    if complaint := _find_url_problem(text):
        raise UsageError(
            f"{where}: {text!r} is no mirror: {complaint}",
            next_step="write the URL of a folder that has archives under upstream's names, such as "
            "https://mirror.example.org/sources or file:/srv/sources",
        )
    return text.rstrip("/")


def _find_url_problem(text: str) -> str:
    """The reason why a text cannot be a mirror's URL; "" if it can."""
    try:
        url = urlsplit(text)
        host = url.hostname if url.port != 0 else None
    except ValueError as error:
        return str(error)
    if url.query or url.fragment or text != "".join(text.split()):
        return "an archive's name cannot follow it"
    if url.username or url.password:
        return "it would be shown with its password, which belongs into ~/.netrc"
    if url.scheme == "file":
        local = url.netloc in ("", "localhost") and url.path.startswith("/")
        return "" if local else "a file: URL names a folder of this machine, from / on"
    if url.scheme not in ("http", "https"):
        return "it does not begin with http:, https: or file:"
    return "" if host else "it names no host"


def _npm_error(output: str) -> str:
    """The line of npm's output with the error: the reason, else the line after the code."""
    lines = [line.removeprefix("npm error ") for line in output.splitlines() if line.strip()]
    reasons = [line for line in lines if "reason:" in line]
    coded = [follower for line, follower in pairwise(lines) if line.startswith("code ")]
    return next(iter([*reasons, *coded, *lines[-1:]]), "it printed nothing")
