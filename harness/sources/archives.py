"""Sources: an archive of a release, verified, in a cache by its SHA-256.

A source is tried after the other; what gives other bytes than the pinned ones is not kept, whatever
its server says (some mirrors answer 200 with a web page).
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
from harness.files import digest, is_full_disk
from harness.sources.downloads import (
    Attempt,
    Places,
    discard,
    download,
)

NPM_TIME_LIMIT = 300.0

_NPM = "npm's registry"
# By itself npm tries for more than a minute to reach a registry that is not there.
_NPM_OPTIONS = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000")
_UNREACHED = re.compile(
    r"code (ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b"
)

#: The environment's mirrors, with spaces between.
MIRRORS_VARIABLE = "POSTFIX_MATRIX_MIRRORS"

_POLL = 0.1

#: Puts a source's archive into a file; raises OSError or SourceError where it cannot. The file of
#: kind URL may be there: the beginning that an earlier try got.
Fetcher = Callable[[Source, Path, Attempt], None]


@dataclass(frozen=True, slots=True)
class Archive:
    """A verified archive on disk, and the source that it is from."""

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
        """``mirrors`` are base URLs, as ``mirrors_from`` gives them; they are tried first."""
        self._cache = cache_dir
        self._fetchers = fetchers
        self._mirrors = tuple(mirrors)
        self._places = Places()

    def fetch(self, release: Release, cancel: Cancel, say: Callable[[str], None]) -> Archive:
        """The release's archive, from the cache or from the first source that gives it.

        Raises:
            SourceError: no source did; the message has each source with its reason.
            OSError: the disk is full.
            Cancelled: broken off.
        """
        if found := self._found(release):
            return found
        reasons = self._damaged(release)
        for sha256, sources in groupby(self._ways(release), key=lambda one: one.sha256):
            with self._only_one(release, sha256, cancel, say):
                # Somebody else may have fetched it while this one waited.
                if found := self._found(release):
                    return found
                for source in sources:
                    reason = self._try(release, source, cancel, say)
                    if reason is None:
                        return Archive(self.path_of(source), source)
                    reasons.append(f"{source}: {reason}")
        raise self._all_failed(release, reasons)

    def path_of(self, source: Source) -> Path:
        """Where the source's archive is, or would be."""
        return archive_path(self._cache, source.sha256)

    def _found(self, release: Release) -> Archive | None:
        for source in release.sources:
            if source.kind is SourceKind.LOCAL:
                return _unchanged(source)
            path = self.path_of(source)
            if path.is_file() and digest(path) == source.sha256:
                return Archive(path, source)
        return None

    def _damaged(self, release: Release) -> list[str]:
        """What lies in the cache and is not what its folder says; a reason for each."""
        paths = {self.path_of(source): source for source in release.sources}
        return [
            f"{path}: {_other_bytes(path, one)}" for path, one in paths.items() if path.is_file()
        ]

    def _ways(self, release: Release) -> list[Source]:
        """All ways to the archive: the mirrors that may have upstream's, then the catalog's."""
        mirrored = [
            replace(source, url=f"{base}/{quote(source.archive)}")
            for base in self._mirrors
            for source in release.sources
            if source.kind is SourceKind.URL and source.archive
        ]
        return list(dict.fromkeys([*mirrored, *release.sources]))

    @contextmanager
    def _only_one(
        self, release: Release, sha256: str, cancel: Cancel, say: Callable[[str], None]
    ) -> Iterator[None]:
        def waiting() -> None:
            say(f"waiting: the source of {release.id} is being fetched elsewhere")

        with exclusive_lock(lock_path(self._cache, sha256), cancel, waiting):
            yield

    def _try(
        self, release: Release, source: Source, cancel: Cancel, say: Callable[[str], None]
    ) -> str | None:
        """Fetch from one source; why it did not work, None if it did."""
        cancel.check()
        what = f"fetching {release.id} from {source}"
        say(what)
        attempt = Attempt(cancel, lambda text: say(f"{what}: {text}"), self._places)
        return why_not(lambda: self._fetch(source, attempt))

    def _fetch(self, source: Source, attempt: Attempt) -> None:
        path = self.path_of(source)
        part = path.with_name(".part")
        if source.kind is SourceKind.URL:
            self._fetchers[source.kind](source, part, attempt)
            _settle(part, path, source)
        else:
            with _workplace(path.parent) as folder:
                self._fetchers[source.kind](source, folder / path.name, attempt)
                _settle(folder / path.name, path, source)
        discard(part)

    def _all_failed(self, release: Release, reasons: list[str]) -> SourceError:
        listed = "\n".join(f"    {reason}" for reason in reasons)
        paths = "\n".join(
            f"    {path}" for path in dict.fromkeys(self.path_of(one) for one in release.sources)
        )
        # Summaries show the first line, and the next step's: each must be whole by itself.
        return SourceError(
            f"no place gave the source of {release.id}\n{listed}\n"
            f"  where the cache would have it (the folder's name is its SHA-256):\n{paths}",
            cause="this machine does not reach these places, or they have moved on",
            next_step="let this machine reach one of the places, name a mirror of your own with "
            "--mirror, or put the archive into the cache by hand, where the whole message says",
        )


def archive_path(cache_dir: Path, sha256: str) -> Path:
    """Where an archive is, or would be; what is in the making lies beside it."""
    return cache_dir / "sources" / sha256 / "source.tar"


def why_not(fetch: Callable[[], object]) -> str | None:
    """Why a place does not give an archive, None if it does.

    Raises:
        Cancelled: broken off.
        OSError: the disk is full; the next place would fill the same one.
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


def unchanged(archive: Archive, found: str) -> None:
    """Hold the bytes that are built from against those that were verified.

    Raises:
        SourceError: they changed since; both hashes are named.
    """
    if found != archive.source.sha256:
        raise SourceError(
            f"{archive.path} changed since it was verified: SHA-256 {found} instead of "
            f"{archive.source.sha256}",
            cause="something wrote there meanwhile",
            next_step="let nothing write there, and start again",
        )


def lock_path(cache_dir: Path, sha256: str) -> Path:
    """The lock of whoever makes that archive."""
    return archive_path(cache_dir, sha256).with_name(".lock")


def verify(path: Path, source: Source) -> None:
    """Check a downloaded archive.

    Raises:
        SourceError: it is not the pinned one; both hashes are named.
    """
    if digest(path) != source.sha256:
        raise SourceError(f"gave {_other_bytes(path, source)}")


def mirrors_from(options: Sequence[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """The base URLs that sources are looked for under first: ``--mirror``, then the environment.

    Raises:
        UsageError: one is not a URL that can be asked; the message says where it stands.
    """
    found = [_mirror(text, "--mirror") for text in options]
    found += [_mirror(text, MIRRORS_VARIABLE) for text in environ.get(MIRRORS_VARIABLE, "").split()]
    return tuple(dict.fromkeys(found))


def fetch_url(source: Source, path: Path, attempt: Attempt) -> None:
    """Download upstream's file, going on from what ``path`` has of it.

    Raises:
        SourceError, OSError: not reached, or an HTTP error.
    """
    # Killed between the last byte and its new name.
    if path.is_file() and digest(path) == source.sha256:
        return
    if download(source.url, path, attempt) and digest(path) != source.sha256:
        # The beginning, which another server may have given, was not this file's.
        discard(path)
        download(source.url, path, attempt)


def fetch_npm(source: Source, path: Path, attempt: Attempt) -> None:
    """Have npm(1) pack a package of its registry.

    Raises:
        SourceError, OSError: npm is not there, or did not give it.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not installed here (on Debian: apt-get install npm)")
    attempt.places.check(_NPM)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [npm, "pack", *_NPM_OPTIONS, source.package]
        code, words = run_program(
            command, attempt.cancel, time_limit=NPM_TIME_LIMIT, cwd=Path(folder)
        )
        packed = list(Path(folder).glob("*.tgz"))
        if code != 0 or len(packed) != 1:
            reason = f"npm pack failed ({code}): {_npm_words(words)}"
            raise (
                attempt.places.lost(_NPM, reason)
                if _UNREACHED.search(words)
                else SourceError(reason)
            )
        packed[0].replace(path)


def _unchanged(source: Source) -> Archive:
    """The user's own archive, if it is still what it was when its option was read."""
    path = Path(source.path)
    again = "start again: it is read anew then"
    if not path.is_file():
        raise SourceError(f"{source} is gone: there is no {path}", next_step=again)
    if digest(path) != source.sha256:
        raise SourceError(
            f"{source} changed since it was read: {path} has {_other_bytes(path, source)}",
            next_step=again,
        )
    return Archive(path, source)


def _other_bytes(path: Path, source: Source) -> str:
    return f"other bytes than the pinned ones: SHA-256 {digest(path)} instead of {source.sha256}"


def _settle(made: Path, path: Path, source: Source) -> None:
    """Give a fetched archive its name, if it is the pinned one; else remove it."""
    try:
        verify(made, source)
    except SourceError:
        discard(made)
        raise
    made.replace(path)


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """An empty folder for what cannot go on from a beginning; a killed one's is cleared away."""
    work = folder / ".work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _mirror(text: str, where: str) -> str:
    """A base URL without a slash at its end."""
    if complaint := _complaint(text):
        raise UsageError(
            f"{where}: {text!r} is no mirror: {complaint}",
            next_step="write the URL of a folder that has archives under upstream's names, such as "
            "https://mirror.example.org/sources or file:/srv/sources",
        )
    return text.rstrip("/")


def _complaint(text: str) -> str:
    """What keeps a text from being a mirror's URL; "" if nothing does."""
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


def _npm_words(words: str) -> str:
    """The one line of npm's that says what was wrong: the reason, else what follows the code."""
    lines = [line.removeprefix("npm error ") for line in words.splitlines() if line.strip()]
    reasons = [line for line in lines if "reason:" in line]
    coded = [after for line, after in pairwise(lines) if line.startswith("code ")]
    return next(iter([*reasons, *coded, *lines[-1:]]), "it said nothing")
