"""A new release for the catalog: fetches its archive from each place, and verifies it.

No catalog pins its hash yet, so all places must give the same bytes, and the source in them must
state that it is the release.
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
from harness.files import file_digest
from harness.sources.archive_identity import (
    identify,
    is_archive,
)
from harness.sources.archives import (
    archive_path,
    lock_path,
    try_fetch,
)
from harness.sources.downloads import (
    Attempt,
    UnreachedPlaces,
    discard_part,
    download,
)

#: In place of the hash, which is not known yet.
_UNKNOWN = "0" * 64


@dataclass(frozen=True, slots=True)
class RequestedRelease:
    """The requested release, and where to look besides the product's own mirrors.

    ``urls`` point to the archive itself, ``mirrors`` are base URLs. With a user's ``file`` the
    product's own mirrors are not used. ``sha256`` is a hash that the user has from elsewhere, in
    lower-case hex; "" if the user has none.
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
class VerifiedArchive:
    """A verified archive, its record, and the errors of the places that did not give it."""

    record: Record
    archive: Path
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _ArchiveCopy:
    """A copy of the archive, and the place that gave it."""

    place: str
    path: Path
    sha256: str


def fetch_and_verify(
    request: RequestedRelease,
    data: Mapping[str, Any],
    folder: Path,
    say: Callable[[str], None],
    cancel: Cancel | None = None,
) -> VerifiedArchive:
    """Fetch a release that the catalog does not have into ``folder``, and verify it.

    ``data`` is the product's catalog file, as ``load`` returns it.

    Raises:
        UsageError: a malformed version or URL, or a release that the catalog has already.
        SourceError: no place gave it, the places differ, or the archive is another release's.
        OSError: the disk is full.
        Cancelled: the user cancelled the work.
    """
    release = _template_release(request, data)
    if request.sha256:
        _refuse_known(data, release, request.sha256)
    failed: list[str] = []
    copies = [
        *_examine_user_file(request),
        *_gather_copies(
            request, _list_urls(request, release), folder, failed, say, cancel or Cancel()
        ),
    ]
    if not copies:
        _refuse_known(data, release, "")
        raise _unavailable_error(request, failed)
    sha256 = _find_common_hash(request, copies)
    _refuse_known(data, release, sha256)
    record = Record(
        version=request.version,
        date=_read_date(request, copies[0].path, release.sources[0].subdir),
        sha256=sha256,
        places=_list_vouchers(request, release, copies),
        urls=_list_lasting_urls(request, release, copies),
    )
    return VerifiedArchive(record, copies[0].path, tuple(failed))


def cache_archive(archive: VerifiedArchive, cache_dir: Path) -> Path:
    """Put the archive into the cache of sources, so that a build does not fetch it again."""
    path = archive_path(cache_dir, archive.record.sha256)
    with exclusive_lock(lock_path(cache_dir, archive.record.sha256), Cancel(), lambda: None):
        part = path.with_name(".added")
        shutil.copyfile(archive.archive, part)
        part.replace(path)
    return path


def check_request(request: RequestedRelease, data: Mapping[str, Any]) -> None:
    """Refuse a request that is wrong in itself, before anything is written or fetched.

    Raises:
        UsageError: the version or a URL is none.
    """
    _list_urls(request, _template_release(request, data))


def _template_release(request: RequestedRelease, data: Mapping[str, Any]) -> Release:
    """The release as its record will have it, except for the hash."""
    record = {"version": request.version, "sha256": _UNKNOWN, "corroborated": 0}
    try:
        Version.parse(request.version)
        return parse_releases({**data, "release": [record]})[0]
    except (ValueError, UsageError) as error:
        raise UsageError(
            f"{request.version!r} is no version of {request.product}",
            next_step="write it as upstream does, such as 3.12.0 or 1.1.1w",
        ) from error


def _list_urls(request: RequestedRelease, release: Release) -> tuple[str, ...]:
    """All URLs to try: the user's, then those of the product's templates."""
    for url in request.urls:
        _check_url(url)
    mirrored = [f"{base}/{release.sources[0].archive}" for base in request.mirrors]
    templates = [source.url for source in release.sources] if request.file is None else []
    return tuple(dict.fromkeys([*request.urls, *mirrored, *templates]))


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
    lacks_host = parts.scheme != "file" and not parts.hostname
    if parts.scheme not in ("http", "https", "file") or lacks_host or "".join(url.split()) != url:
        raise UsageError(
            f"--url: {url!r} is no URL that can be fetched",
            next_step="begin it with https:, http: or file:; a file of yours goes with --file",
        )


def _examine_user_file(request: RequestedRelease) -> Iterator[_ArchiveCopy]:
    if request.file is None:
        return
    if not is_archive(request.file):
        raise SourceError(
            f"{request.file} is no tar archive",
            cause="a web page was saved under its name",
            next_step="fetch the archive again",
        )
    yield _ArchiveCopy(str(request.file), request.file, file_digest(request.file))


def _gather_copies(
    request: RequestedRelease,
    urls: tuple[str, ...],
    folder: Path,
    failed: list[str],
    say: Callable[[str], None],
    cancel: Cancel,
) -> Iterator[_ArchiveCopy]:
    """The copy of each place; the reasons of places that fail are added to ``failed``."""
    attempt = Attempt(cancel, lambda _: None, UnreachedPlaces())
    for number, url in enumerate(urls):
        say(f"fetching {request.id} from {url}")
        path = folder / f"{number}.tar"
        reason = _try_url(url, path, attempt)
        if reason:
            failed.append(f"{url}: {reason}")
            discard_part(path)
        else:
            yield _ArchiveCopy(url, path, file_digest(path))


def _try_url(url: str, path: Path, attempt: Attempt) -> str:
    """Fetch from one URL; the reason why that failed, "" if it did not."""
    if (reason := try_fetch(lambda: download(url, path, attempt))) is not None:
        return reason
    return "" if is_archive(path) else "gave no archive, perhaps a web page"


def _unavailable_error(request: RequestedRelease, failed: list[str]) -> SourceError:
    listed = "\n".join(f"    {reason}" for reason in failed)
    return SourceError(
        f"no place gave {request.id}:\n{listed}",
        cause="there is no such release, or this machine does not reach these places",
        next_step="name another place with --url or --mirror, or fetch the archive elsewhere and "
        "name it with --file",
    )


def _find_common_hash(request: RequestedRelease, copies: list[_ArchiveCopy]) -> str:
    """The hash that all copies share, and that the user expects."""
    places_by_hash = defaultdict(list)
    for copy in copies:
        places_by_hash[copy.sha256].append(copy.place)
    lines = "\n".join(
        f"    {key}  {place}" for key, names in places_by_hash.items() for place in names
    )
    if len(places_by_hash) > 1:
        raise SourceError(
            f"the places do not agree on {request.id}; SHA-256, and where it is from:\n{lines}",
            cause="one of them has a damaged, a re-packed or a forged archive",
            next_step="find the right hash (in upstream's announcement, or in a packager's file), "
            "then name the right archive with --file, and the hash with --sha256",
        )
    sha256 = copies[0].sha256
    if request.sha256 not in ("", sha256):
        raise SourceError(
            f"{request.id} has another SHA-256 than the one that was given: {sha256} instead of "
            f"{request.sha256}; it is from:\n{lines}",
            cause="the hash is another file's, or the archive is not upstream's",
            next_step="compare both with upstream's announcement",
        )
    return sha256


def _refuse_known(data: Mapping[str, Any], release: Release, sha256: str) -> None:
    """Refuse a release that the catalog has; ``sha256`` is "" where it is not known."""
    known = [entry for entry in parse_releases(data) if entry.order == release.order]
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


def _read_date(request: RequestedRelease, archive: Path, root: str) -> date | None:
    """The release's date as its source states it, None if it states none."""
    try:
        identity = identify(archive, request.product, root)
    except SourceError as error:
        raise SourceError(
            f"the archive is not {request.id}: {error.what}",
            cause="it is damaged, another release's, or packed by a git host rather than upstream",
            next_step="name a place of upstream's own archive with --url, or a file with --file",
        ) from error
    if identity.version not in (None, request.version):
        raise SourceError(
            f"the archive is not {request.id}: its source says that it is {identity.version}",
            cause="a file under a wrong name",
            next_step=f"add it as what it is: postfix-matrix catalog add {request.product} "
            f"{identity.version}",
        )
    return identity.date


def _list_vouchers(
    request: RequestedRelease, release: Release, copies: list[_ArchiveCopy]
) -> tuple[str, ...]:
    """The places that publish the hash: upstream, and where the user has the hash from.

    Upstream's mirrors copy one another, so they count as one place. A place that the user named may
    be a copy of any of these, or the user's own.
    """
    template_urls = {source.url for source in release.sources}
    upstream = ["upstream"] if any(copy.place in template_urls for copy in copies) else []
    from_user = ["the hash that was given"] if request.sha256 else []
    return (*upstream, *from_user)


def _list_lasting_urls(
    request: RequestedRelease, release: Release, copies: list[_ArchiveCopy]
) -> tuple[str, ...]:
    """The URLs that others can fetch from too, and that the product's templates do not have."""
    template_urls = {source.url for source in release.sources}
    return tuple(
        copy.place
        for copy in copies
        if copy.place in request.urls
        and copy.place not in template_urls
        and not copy.place.startswith("file:")
    )
