"""Distributions' pools: the folders of package archives that keep the files of source packages.

A file of a pool is fetched by its URL, without the index of a suite, so it is there for as long
as the pool keeps it. Suites leave the index earlier.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool; ``title`` names it in messages.

    ``folders`` are the URLs of the folders with its first letters, the current place first. A
    distribution moves the files of old releases to its archive.
    """

    name: str
    title: str
    folders: tuple[str, ...]


_POOLS = (
    Pool(
        "debian",
        "Debian's pool",
        (
            "http://deb.debian.org/debian/pool/main",
            "http://archive.debian.org/debian/pool/main",
        ),
    ),
    Pool(
        "debian-security",
        "Debian's security pool",
        ("http://deb.debian.org/debian-security/pool/updates/main",),
    ),
    Pool(
        "ubuntu",
        "Ubuntu's pool",
        (
            "http://archive.ubuntu.com/ubuntu/pool/main",
            "http://old-releases.ubuntu.com/ubuntu/pool/main",
        ),
    ),
)


def find_pool(name: str) -> Pool:
    """The pool with that name.

    Raises:
        ValueError: there is none.
    """
    for pool in _POOLS:
        if pool.name == name:
            return pool
    raise ValueError(f"{name!r} is no pool; there are {', '.join(pool.name for pool in _POOLS)}")


def list_pool_urls(name: str, package: str, file: str) -> tuple[str, ...]:
    """The URLs of a source package's file, the current place first.

    The files of a package lie below its first letter, those of a library below ``lib`` and one
    letter more (Debian Policy leaves this to the archive; dak and Launchpad do it so).

    Raises:
        ValueError: there is no such pool.
    """
    prefix = package[:4] if package.startswith("lib") else package[:1]
    return tuple(f"{folder}/{prefix}/{package}/{file}" for folder in find_pool(name).folders)
