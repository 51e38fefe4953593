"""Package files: the .deb files from which a distribution's base is made, each pinned by its hash.

For a suite whose package index has left the mirrors while its files have not. The records are in
``data/NAME.toml``, where NAME is the ``files`` of the distribution's record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.catalog.builds import find_by_suite
from harness.catalog.releases import load_data

# Section, first letters of the source package ("libs" for libselinux), source package, file.
_PATH = re.compile(
    r"pool/[a-z]+/[a-z0-9]+/[a-z0-9][a-z0-9.+-]+/[a-z0-9][a-z0-9.+-]+_[A-Za-z0-9.+~-]+_[a-z0-9]+\.deb"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a distribution's archive.

    ``path`` is below the archive's root: ``pool/main/p/postfix/postfix_2.11.0-1_amd64.deb``.
    ``sha256`` is in lower-case hex; ``corroborated`` is the number of independent places that
    publish it; 0: it was computed here.
    """

    path: str
    sha256: str
    corroborated: int = 0

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"{self.path!r} is not the path of a package file")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"{self.path}: sha256 must be 64 lower-case hex digits")
        if self.corroborated < 0:
            raise ValueError(f"{self.path}: corroborated is a count, not {self.corroborated}")

    @property
    def name(self) -> str:
        """``postfix_2.11.0-1_amd64.deb``."""
        return self.path.rpartition("/")[2]

    @property
    def package(self) -> str:
        """``postfix``."""
        return self.name.partition("_")[0]


def parse_package_files(data: Mapping[str, Any]) -> tuple[PackageFile, ...]:
    """The package files of one data file.

    Raises:
        ValueError, KeyError, TypeError: a record is malformed, or two are of one package.
    """
    files = tuple(PackageFile(**record) for record in data["file"])
    packages = [file.package for file in files]
    if len(set(packages)) != len(packages):
        twice = sorted({name for name in packages if packages.count(name) > 1})
        raise ValueError(f"two files of one package: {' '.join(twice)}")
    return files


@cache
def package_files_of(suite: str) -> tuple[PackageFile, ...]:
    """The package files from which the suite's base is made; none for most suites."""
    known = find_by_suite(suite)
    return parse_package_files(load_data(known.files)) if known and known.files else ()


@cache
def package_files_in(name: str) -> tuple[PackageFile, ...]:
    """The package files of ``data/NAME.toml``, which are added to those of their suite's base."""
    return parse_package_files(load_data(name))


def least_corroborated(files: tuple[PackageFile, ...]) -> int:
    """The number of places that publish the least corroborated hash."""
    return min((file.corroborated for file in files), default=0)
