"""Releases of Postfix, OpenSSL and stunnel: version, date, sources and checksums.

The records are in ``data/PRODUCT.toml``. To add a release, add a record there; no code depends on
versions. What releases need in order to build is in ``rules``.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from harness.catalog.pools import find_pool, list_pool_urls
from harness.catalog.versions import Version
from harness.errors import UsageError

PRODUCTS = ("postfix", "openssl", "stunnel")

#: The data files with clients.
_CLIENT_FILES = ("clients", "runtime-clients", "sender-clients")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"\d+(?:\.\d+)+[a-z]*(?:-[A-Za-z0-9]+)?")


class SourceKind(StrEnum):
    """How an archive is obtained."""

    URL = "url"
    POOL = "pool"
    DEBIAN = "debian"
    NPM = "npm"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Source:
    """One way to an archive that holds a release.

    ``sha256`` is that of the archive, in lower-case hex. ``corroborated`` is the number of
    independent places that publish that hash; 0: we computed it and no place publishes it.
    ``subdir`` is the source's root inside the archive. By kind: URL has ``url``; POOL has ``url``
    too, of a source package's upstream archive in the distribution's ``pool``; DEBIAN has
    ``suite`` (of the distribution ``family``), ``package`` (the source package) and ``file``
    (the name of its upstream archive); NPM has ``package`` (NAME@VERSION); LOCAL has ``path``,
    a user's tarball, or one made from a user's folder, and ``origin``, the path that the user gave.
    ``archive`` is upstream's name for the file, which is requested from mirrors.
    """

    kind: SourceKind
    sha256: str
    corroborated: int
    subdir: str
    url: str = ""
    pool: str = ""
    suite: str = ""
    package: str = ""
    file: str = ""
    path: str = ""
    origin: str = ""
    archive: str = ""
    family: str = "debian"

    @property
    def place(self) -> str:
        """``Debian bookworm``, for a source from a suite; ``Ubuntu's pool`` for one from there."""
        if self.kind is SourceKind.POOL:
            return find_pool(self.pool).title
        return f"{self.family.capitalize()} {self.suite}"

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"{self}: sha256 must be 64 lower-case hex digits")
        if self.corroborated < 0:
            raise ValueError(f"{self}: corroborated is a count, not {self.corroborated}")
        needed = {
            SourceKind.URL: (self.url,),
            SourceKind.POOL: (self.url, self.pool),
            SourceKind.DEBIAN: (self.suite, self.package, self.file),
            SourceKind.NPM: (self.package,),
            SourceKind.LOCAL: (self.path,),
        }[self.kind]
        if not (self.subdir and all(needed)):
            raise ValueError(f"{self}: a field that kind {self.kind} needs is empty")

    def __str__(self) -> str:
        match self.kind:
            case SourceKind.URL:
                return self.url
            case SourceKind.POOL:
                return f"{self.place}, {self.url}"
            case SourceKind.DEBIAN:
                return f"{self.place}'s source package {self.package} ({self.file})"
            case SourceKind.NPM:
                return f"npm package {self.package}"
            case SourceKind.LOCAL:
                return self.origin or self.path


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a product. ``sources`` are in order of preference; there is at least one.

    ``date`` is None if none of the places that publish the release states it.
    """

    product: str
    version: str
    date: date | None
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError(f"{self.id}: no source")

    @property
    def id(self) -> str:
        """``postfix-3.7.11``."""
        return f"{self.product}-{self.version}"

    @property
    def order(self) -> Version:
        """The version, for sorting."""
        return Version.parse(self.version)

    @property
    def unverified(self) -> bool:
        """Whether its source is the user's, for which the catalog has no checksum."""
        return any(source.kind is SourceKind.LOCAL for source in self.sources)


@dataclass(frozen=True, slots=True)
class Package:
    """A release as packaged in a Debian suite, for releases whose source is unavailable.

    ``package`` is the version of the packages (``4.0.3-1``), ``suite`` has them, and ``base``
    is the suite on which they are installed.
    """

    product: str
    version: str
    package: str
    suite: str
    base: str

    @property
    def id(self) -> str:
        """``openssl-4.0.3-debian``."""
        return f"{self.product}-{self.version}-debian"


def load_data(name: str) -> dict[str, Any]:
    """The data of one of the catalog's files, ``data/NAME.toml``."""
    text = resources.files("harness.catalog").joinpath("data", f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def load_clients() -> list[dict[str, Any]]:
    """The records of all clients, in the order of lists."""
    return [record for name in _CLIENT_FILES for record in load_data(name)["client"]]


def parse_releases(data: Mapping[str, Any]) -> tuple[Release, ...]:
    """The releases of one product's file.

    Raises:
        ValueError, KeyError: a record is malformed.
    """
    releases = tuple(_read_release(data, record) for record in data["release"])
    versions = [release.version for release in releases]
    if len(set(versions)) != len(versions):
        raise ValueError(f"{data['product']}: a version is there twice")
    return releases


@cache
def all_releases(product: str) -> tuple[Release, ...]:
    """All releases of a product, oldest first."""
    return tuple(sorted(parse_releases(load_data(product)), key=lambda release: release.order))


@cache
def all_packages(product: str) -> tuple[Package, ...]:
    """The releases that Debian's suites package, oldest first."""
    records = load_data(product).get("package", [])
    unsorted = (Package(product=product, **record) for record in records)
    return tuple(sorted(unsorted, key=lambda packaged: Version.parse(packaged.version)))


def find_package(product: str, version: str) -> Package:
    """One packaged release.

    Raises:
        UsageError: the catalog does not have it; the message names what it has.
    """
    return _find_by_version(all_packages(product), f"packaged release {product}", version)


def find_release(product: str, version: str) -> Release:
    """One release.

    Raises:
        UsageError: the catalog does not have it; the message names what it has.
    """
    return _find_by_version(all_releases(product), f"release {product}", version)


_Versioned = TypeVar("_Versioned", Release, Package)


def _find_by_version(known: tuple[_Versioned, ...], what: str, version: str) -> _Versioned:
    for candidate in known:
        if candidate.version == version:
            return candidate
    close = difflib.get_close_matches(
        version, [candidate.version for candidate in known], n=8, cutoff=0.5
    )
    raise UsageError(
        f"no {what} {version} in the catalog",
        next_step=f"close to it: {' '.join(sorted(close)) or 'nothing'}; "
        "'postfix-matrix catalog list' shows all, 'catalog add' adds one",
    )


def _read_release(data: Mapping[str, Any], record: Mapping[str, Any]) -> Release:
    product, version = data["product"], record["version"]
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{product}: {version!r} is not a version")
    template_values = _template_values(data, version)
    common = {"sha256": record["sha256"], "corroborated": record["corroborated"]}
    common |= {"subdir": data["subdir"], "archive": data["archive"]}
    urls = [{"kind": "url", "url": url} for url in data.get("mirrors", [])]
    sources = tuple(
        source
        for entry in [*urls, *record.get("source", [])]
        for source in _read_sources({**common, **entry}, template_values)
    )
    return Release(product, version, record.get("date"), sources)


def _template_values(data: Mapping[str, Any], version: str) -> dict[str, str]:
    """The values for the data's templates: version, archive, and OpenSSL's branch and git tag."""
    # openssl.org's folders of old releases: 0.9.x, 1.0.2, 3.0.
    numbers = re.findall(r"\d+", version)[:3]
    branch = ".".join(numbers[:2] if int(numbers[0]) >= 3 else numbers)
    branch = "0.9.x" if branch.startswith("0.9.") else branch
    # OpenSSL before 3.0 tags OpenSSL_1_1_1w, from 3.0 on openssl-3.0.20.
    old = Version.parse(version) < Version.parse("3.0")
    tag = f"OpenSSL_{version.replace('.', '_')}" if old else f"openssl-{version}"
    archive = data["archive"].format(version=version)
    return {"version": version, "archive": archive, "branch": branch, "tag": tag}


def _read_sources(
    record: Mapping[str, Any], template_values: Mapping[str, str]
) -> Iterator[Source]:
    """The sources of a record: one for each place of a pool, one for any other record."""
    filled: dict[str, Any] = {
        key: value.format_map(template_values) if isinstance(value, str) else value
        for key, value in record.items()
    }
    filled["kind"] = SourceKind(filled["kind"])
    if filled["kind"] is SourceKind.POOL:
        urls = list_pool_urls(filled["pool"], filled["package"], filled["file"])
        yield from (Source(**{**filled, "url": url}) for url in urls)
    else:
        yield Source(**filled)
