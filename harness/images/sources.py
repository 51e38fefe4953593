"""Sources: an archive of a release, verified, in a cache by its SHA-256.

A source is tried after the other; what gives other bytes than the pinned ones is not kept, whatever
its server says (some mirrors answer 200 with a web page).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from harness.catalog.releases import Release, Source, SourceKind
from harness.errors import HarnessError, SourceError
from harness.images.cancel import Cancel, Cancelled, run
from harness.images.context import digest

#: Seconds to connect, and without a byte.
TIME_LIMITS = (10.0, 30.0)
NPM_TIME_LIMIT = 300.0

_CHUNK = 1 << 18

#: Puts a source's archive into a file; raises OSError or SourceError where it cannot.
Fetcher = Callable[[Source, Path, Cancel], None]


@dataclass(frozen=True, slots=True)
class Archive:
    """A verified archive on disk, and the source that it is from."""

    path: Path
    source: Source


class SourceStore:
    """The cache of archives. Safe for several threads and processes at once."""

    def __init__(self, cache_dir: Path, fetchers: Mapping[SourceKind, Fetcher]) -> None:
        self._dir = cache_dir / "sources"
        self._fetchers = fetchers

    def fetch(self, release: Release, cancel: Cancel, say: Callable[[str], None]) -> Archive:
        """The release's archive, from the cache or from the first source that gives it.

        Raises:
            SourceError: no source did; the message has each source with its reason.
            Cancelled: broken off.
        """
        for source in release.sources:
            if self._is_there(source):
                return Archive(self.path_of(source), source)
        reasons = []
        for source in release.sources:
            say(f"fetching {release.id} from {source}")
            try:
                self._fetch(source, cancel)
            except Cancelled:
                raise
            except (HarnessError, OSError) as error:
                reasons.append(f"{source}: {error}")
            else:
                return Archive(self.path_of(source), source)
        raise self._all_failed(release, reasons)

    def path_of(self, source: Source) -> Path:
        """Where the source's archive is, or would be."""
        return self._dir / source.sha256 / "source.tar.gz"

    def _is_there(self, source: Source) -> bool:
        path = self.path_of(source)
        if not path.is_file():
            return False
        if digest(path) == source.sha256:
            return True
        # The disk, or somebody, changed it since it was verified.
        path.unlink(missing_ok=True)
        return False

    def _fetch(self, source: Source, cancel: Cancel) -> None:
        self._dir.mkdir(parents=True, exist_ok=True)
        # A folder of its own, so that what a killed download leaves is never in the cache itself.
        with tempfile.TemporaryDirectory(dir=self._dir, prefix=".part-") as folder:
            part = Path(folder) / "source.tar.gz"
            self._fetchers[source.kind](source, part, cancel)
            verify(part, source)
            path = self.path_of(source)
            path.parent.mkdir(exist_ok=True)
            part.replace(path)

    def _all_failed(self, release: Release, reasons: list[str]) -> SourceError:
        listed = "\n".join(f"    {reason}" for reason in reasons)
        paths = "\n".join(
            f"    {path}" for path in dict.fromkeys(self.path_of(one) for one in release.sources)
        )
        return SourceError(
            f"the source of {release.id} could not be had; tried:\n{listed}",
            cause="this machine does not reach these places, or they have moved on",
            next_step="let it reach one of them, or put the archive there by hand "
            f"(the folder's name is its SHA-256):\n{paths}",
        )


def verify(path: Path, source: Source) -> None:
    """Check a downloaded archive.

    Raises:
        SourceError: it is not the pinned one; both hashes are named.
    """
    found = digest(path)
    if found != source.sha256:
        raise SourceError(
            f"gave other bytes than the catalog pins: SHA-256 {found} instead of {source.sha256}"
        )


def fetch_url(source: Source, path: Path, cancel: Cancel) -> None:
    """Download upstream's file.

    Raises:
        SourceError, OSError: not reached, or an HTTP error.
    """
    try:
        with requests.get(source.url, stream=True, timeout=TIME_LIMITS) as response:
            response.raise_for_status()
            with path.open("wb") as file:
                for chunk in response.iter_content(_CHUNK):
                    cancel.check()
                    file.write(chunk)
    except requests.RequestException as error:
        raise SourceError(_short(error)) from error


def fetch_npm(source: Source, path: Path, cancel: Cancel) -> None:
    """Have npm(1) pack a package of its registry.

    Raises:
        SourceError, OSError: npm is not there, or did not give it.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not installed here (on Debian: apt-get install npm)")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        code, words = run(
            [npm, "pack", source.package], cancel, time_limit=NPM_TIME_LIMIT, cwd=Path(folder)
        )
        packed = list(Path(folder).glob("*.tgz"))
        if code != 0 or len(packed) != 1:
            raise SourceError(f"npm pack failed ({code}): {_last_line(words)}")
        packed[0].replace(path)


def _last_line(words: str) -> str:
    lines = [line for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _short(error: requests.RequestException) -> str:
    """The heart of a chain of wrapped errors: the innermost one's words."""
    inner: BaseException = error
    while (cause := inner.__cause__ or inner.__context__) is not None:
        inner = cause
    if error.response is not None:
        return f"HTTP {error.response.status_code}"
    return str(inner) or type(inner).__name__
