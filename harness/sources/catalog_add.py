"""A new release for the catalog: its archive from each place that has it, and if it is believed.

Nobody pins it yet, so all places must give the same bytes, and the source in them must say itself
that it is the release.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.catalog.releases import Release, parse_releases
from harness.catalog.versions import Version
from harness.catalog.writing import Record
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.locks import exclusive_lock
from harness.errors import SourceError, UsageError
from harness.files import digest
from harness.sources.archive_identity import (
    identify,
    is_archive,
)
from harness.sources.archives import (
    archive_path,
    lock_path,
    why_not,
)
from harness.sources.downloads import (
    Attempt,
    Places,
    discard,
    download,
)

#: In place of the hash that is being found out.
_UNKNOWN = "0" * 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """The release that is asked for, and where else to look than at the product's own mirrors.

    ``urls`` have the archive itself, ``mirrors`` are base URLs. With a ``file`` of the user's the
    product's own mirrors are not asked. ``sha256`` is a hash that the user has from elsewhere, in
    lower-case hex; "" for none.
    """

    product: str
    version: str
    urls: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    file: Path | None = None
    sha256: str = ""

    @property
    def id(self) -> str:
        """``postfix-3.12.0``."""
        return f"{self.product}-{self.version}"


@dataclass(frozen=True, slots=True)
class Verified:
    """A believed archive, its record, and what the places said that did not give it."""

    record: Record
    archive: Path
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Given:
    """An archive that a place gave."""

    place: str
    path: Path
    sha256: str


def verified(
    wanted: Wanted,
    data: Mapping[str, Any],
    folder: Path,
    say: Callable[[str], None],
    cancel: Cancel | None = None,
) -> Verified:
    """Fetch a release that the catalog does not have into ``folder``, and verify it.

    ``data`` is the product's file of the catalog, as ``load`` gives it.

    Raises:
        UsageError: a malformed version or URL, or a release that is there already.
        SourceError: no place gave it, they do not agree, or it is something else.
        OSError: the disk is full.
        Cancelled: broken off.
    """
    release = _template(wanted, data)
    if wanted.sha256:
        _refuse_known(data, release, wanted.sha256)
    failed: list[str] = []
    given = [
        *_own_file(wanted),
        *_gather(wanted, _urls(wanted, release), folder, failed, say, cancel or Cancel()),
    ]
    if not given:
        _refuse_known(data, release, "")
        raise _nothing(wanted, failed)
    sha256 = _agreed(wanted, given)
    _refuse_known(data, release, sha256)
    record = Record(
        version=wanted.version,
        date=_date(wanted, given[0].path, release.sources[0].subdir),
        sha256=sha256,
        places=_vouching(wanted, release, given),
        urls=_lasting(wanted, release, given),
    )
    return Verified(record, given[0].path, tuple(failed))


def keep(one: Verified, cache_dir: Path) -> Path:
    """Put the archive into the cache of sources, so that a build need not fetch it again."""
    path = archive_path(cache_dir, one.record.sha256)
    with exclusive_lock(lock_path(cache_dir, one.record.sha256), Cancel(), lambda: None):
        part = path.with_name(".added")
        shutil.copyfile(one.archive, part)
        part.replace(path)
    return path


def _template(wanted: Wanted, data: Mapping[str, Any]) -> Release:
    """The release as its record would have it, but for the hash."""
    record = {"version": wanted.version, "sha256": _UNKNOWN, "corroborated": 0}
    try:
        Version.parse(wanted.version)
        return parse_releases({**data, "release": [record]})[0]
    except (ValueError, UsageError) as error:
        raise UsageError(
            f"{wanted.version!r} is no version of {wanted.product}",
            next_step="write it as upstream does, such as 3.12.0 or 1.1.1w",
        ) from error


def _urls(wanted: Wanted, release: Release) -> tuple[str, ...]:
    """All places to ask: the user's, then the product's as its templates have them."""
    for url in wanted.urls:
        _check_url(url)
    mirrored = [f"{base}/{release.sources[0].archive}" for base in wanted.mirrors]
    own = [source.url for source in release.sources] if wanted.file is None else []
    return tuple(dict.fromkeys([*wanted.urls, *mirrored, *own]))


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        secret = parts.username or parts.password
    except ValueError as error:
        raise UsageError(f"--url: {url!r} is no URL: {error}") from error
    if secret:
        raise UsageError(
            "--url: a password in a URL would be written into the catalog",
            next_step="put it into ~/.netrc",
        )
    if parts.scheme not in ("http", "https", "file") or "".join(url.split()) != url:
        raise UsageError(
            f"--url: {url!r} is no URL that can be fetched",
            next_step="begin it with https:, http: or file:; a file of yours goes with --file",
        )


def _own_file(wanted: Wanted) -> Iterator[_Given]:
    if wanted.file is None:
        return
    if not is_archive(wanted.file):
        raise SourceError(
            f"{wanted.file} is no tar archive",
            cause="a web page was saved under its name",
            next_step="fetch the archive again",
        )
    yield _Given(str(wanted.file), wanted.file, digest(wanted.file))


def _gather(
    wanted: Wanted,
    urls: tuple[str, ...],
    folder: Path,
    failed: list[str],
    say: Callable[[str], None],
    cancel: Cancel,
) -> Iterator[_Given]:
    """What each place gives; the reasons of those that give nothing go to ``failed``."""
    attempt = Attempt(cancel, lambda _: None, Places())
    for number, url in enumerate(urls):
        say(f"fetching {wanted.id} from {url}")
        path = folder / f"{number}.tar"
        reason = _fetch(url, path, attempt)
        if reason:
            failed.append(f"{url}: {reason}")
            discard(path)
        else:
            yield _Given(url, path, digest(path))


def _fetch(url: str, path: Path, attempt: Attempt) -> str:
    """Why a place does not give an archive; "" if it does."""
    if (why := why_not(lambda: download(url, path, attempt))) is not None:
        return why
    return "" if is_archive(path) else "gave no archive, perhaps a web page"


def _nothing(wanted: Wanted, failed: list[str]) -> SourceError:
    listed = "\n".join(f"    {reason}" for reason in failed)
    return SourceError(
        f"no place gave {wanted.id}:\n{listed}",
        cause="there is no such release, or this machine does not reach these places",
        next_step="name another place with --url or --mirror, or fetch the archive elsewhere and "
        "name it with --file",
    )


def _agreed(wanted: Wanted, given: list[_Given]) -> str:
    """The one hash that all places gave, and that the user expects."""
    listed = defaultdict(list)
    for one in given:
        listed[one.sha256].append(one.place)
    lines = "\n".join(f"    {key}  {place}" for key, places in listed.items() for place in places)
    if len(listed) > 1:
        raise SourceError(
            f"the places do not agree on {wanted.id}; SHA-256, and where it is from:\n{lines}",
            cause="one of them has a damaged, a re-packed or a forged archive",
            next_step="find the right hash (in upstream's announcement, or in a packager's file), "
            "then name the right archive with --file, and the hash with --sha256",
        )
    sha256 = given[0].sha256
    if wanted.sha256 not in ("", sha256):
        raise SourceError(
            f"{wanted.id} has another SHA-256 than the one that was given: {sha256} instead of "
            f"{wanted.sha256}; it is from:\n{lines}",
            cause="the hash is another file's, or the archive is not upstream's",
            next_step="compare both with upstream's announcement",
        )
    return sha256


def _refuse_known(data: Mapping[str, Any], wanted: Release, sha256: str) -> None:
    """Let pass only what the catalog does not have; ``sha256`` is "" where it is not known."""
    known = [one for one in parse_releases(data) if one.order == wanted.order]
    if not known:
        return
    hashes = [source.sha256 for source in known[0].sources]
    there = f"{known[0].id} is in the catalog already"
    if sha256 in ("", *hashes):
        same = "the same SHA-256" if sha256 else "the SHA-256"
        raise UsageError(
            f"{there}, with {same} {sha256 or hashes[0]}", next_step="there is nothing to add"
        )
    raise UsageError(
        f"{there}, with another SHA-256: {hashes[0]} there, {sha256} here",
        cause="one of the two archives is damaged, re-packed or forged",
        next_step="compare both with upstream's announcement before anything is built from it",
    )


def _date(wanted: Wanted, archive: Path, root: str) -> date | None:
    """The release's date by its own words, None where it tells none."""
    try:
        found = identify(archive, wanted.product, root)
    except SourceError as error:
        raise SourceError(
            f"the archive is not {wanted.id}: {error.what}",
            cause="it is damaged, another release's, or packed by a git host rather than upstream",
            next_step="name a place of upstream's own archive with --url, or a file with --file",
        ) from error
    if found.version not in (None, wanted.version):
        raise SourceError(
            f"the archive is not {wanted.id}: its source says that it is {found.version}",
            cause="a file under a wrong name",
            next_step=f"add it as what it is: postfix-matrix catalog add {wanted.product} "
            f"{found.version}",
        )
    return found.date


def _vouching(wanted: Wanted, release: Release, given: list[_Given]) -> tuple[str, ...]:
    """Who publishes the hash: upstream, and whoever told it to the user.

    Upstream's mirrors copy one another, so they are one place together. A place that the user named
    may be a copy of any of these, or the user's own.
    """
    own = {source.url for source in release.sources}
    upstream = ["upstream"] if any(one.place in own for one in given) else []
    told = ["the hash that was given"] if wanted.sha256 else []
    return (*upstream, *told)


def _lasting(wanted: Wanted, release: Release, given: list[_Given]) -> tuple[str, ...]:
    """The places that others can fetch from too, and that the product's templates do not name."""
    own = {source.url for source in release.sources}
    return tuple(
        one.place
        for one in given
        if one.place in wanted.urls and one.place not in own and not one.place.startswith("file:")
    )
