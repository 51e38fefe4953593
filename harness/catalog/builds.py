"""Builds: one Postfix with one OpenSSL, by id.

``debian-12`` is a distribution's own pair, ``postfix-3.7.11+openssl-1.1.1w`` one from source, and
any other name an image of the user's. An OpenSSL has a flavour: stock, as upstream configures it;
``1.0.2h-legacy``, with every old protocol and weak cipher it can have; ``4.0.3-debian``, Debian's
own packages of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import product
from typing import Literal

from harness.catalog.cells import is_control
from harness.catalog.releases import Package, Release, load, package, release
from harness.catalog.rules import mismatch
from harness.errors import UsageError

STOCK, LEGACY, DEBIAN = "stock", "legacy", "debian"

_PAIR = re.compile(r"postfix-(?P<postfix>[^+/]+)\+openssl-(?P<openssl>[^+/]+)")
_FLAVOUR = re.compile(r"(?P<version>.+?)(?:-(?P<flavour>legacy|debian))?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution's release; ``suite`` is the name that its package archive knows it by.

    ``released`` is None for one that is still in the making. ``archived``: its packages have left
    the ordinary mirrors for the distribution's archive.
    """

    id: str
    suite: str
    released: date | None = None
    family: Literal["debian", "ubuntu"] = "debian"
    archived: bool = False

    def __post_init__(self) -> None:
        if is_control(self.id) or "/" in self.id:
            raise ValueError(f"{self.id!r} cannot be the id of a build")


@dataclass(frozen=True, slots=True)
class OpenSSL:
    """An OpenSSL to link with: a release in a flavour, or Debian's packages of one."""

    of: Release | Package
    flavour: str = STOCK

    @property
    def version(self) -> str:
        """``1.0.2h``."""
        return self.of.version

    def __str__(self) -> str:
        return self.version if self.flavour == STOCK else f"{self.version}-{self.flavour}"


@dataclass(frozen=True, slots=True)
class Additions:
    """What a command line adds to the catalog: releases of the user's own, by id, and images.

    ``images`` are references by the name that the build has.
    """

    releases: Mapping[str, Release] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)

    def release(self, name: str, version: str) -> Release:
        """The user's own release of that id, else the catalog's.

        Raises:
            UsageError: neither has it.
        """
        return self.releases.get(f"{name}-{version}") or release(name, version)


NOTHING_ADDED = Additions()


@dataclass(frozen=True, slots=True)
class Build:
    """What an image of one Postfix and one OpenSSL is made from.

    ``postfix`` and ``openssl`` are those of a pair from source, None for others: there the versions
    are read back from the image. ``suite`` is what it stands on; "" for an image of the user's,
    which has a ``reference`` instead.
    """

    id: str
    kind: Literal["distribution", "source", "image"]
    suite: str
    postfix: Release | None = None
    openssl: OpenSSL | None = None
    reference: str = ""

    def __str__(self) -> str:
        return self.id

    @property
    def unverified(self) -> bool:
        """Whether a source of it is the user's own: no checksum of the catalog's vouches for it."""
        linked = self.openssl.of if self.openssl else None
        return any(isinstance(one, Release) and one.unverified for one in (self.postfix, linked))

    @classmethod
    def parse(cls, text: str, additions: Additions = NOTHING_ADDED) -> Build:
        """Read an id; ``str(build)`` gives it back.

        Raises:
            UsageError: no distribution of that id, no pair, a version the catalog does not have, or
                two that do not go together.
        """
        if text in additions.images:
            return cls(text, "image", "", reference=additions.images[text])
        if pair := _PAIR.fullmatch(text):
            return _pair(text, pair["postfix"], openssl(pair["openssl"], additions), additions)
        for one in distributions():
            if one.id == text:
                return cls(text, "distribution", one.suite)
        known = " ".join(one.id for one in distributions())
        raise UsageError(
            f"unknown build {text!r}",
            next_step=f"use one of {known}, a pair like postfix-3.7.11+openssl-1.1.1w, "
            "or --image NAME=REFERENCE for an image of your own",
        )


def openssl(text: str, additions: Additions = NOTHING_ADDED) -> OpenSSL:
    """An OpenSSL as it stands in a pair's id: ``1.0.2h``, ``1.0.2h-legacy``, ``4.0.3-debian``.

    Raises:
        UsageError: the catalog does not have it.
    """
    match = _FLAVOUR.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} names no OpenSSL", next_step="write a version, such as 1.0.2h")
    version, flavour = match["version"], match["flavour"] or STOCK
    if flavour == DEBIAN:
        return OpenSSL(package("openssl", version), flavour)
    return OpenSSL(additions.release("openssl", version), flavour)


def check_name(name: str) -> str:
    """The name of an image of the user's, which becomes a part of cells' ids.

    Raises:
        UsageError: it cannot be one.
    """
    ids = {one.id for one in distributions()}
    # Other things of a run have names too: its authentication service, and the clients.
    helpers = {"sasl", "dns", "peer", *(record["name"] for record in load("clients")["client"])}
    taken = is_control(name) or _PAIR.fullmatch(name) or name in ids | helpers
    if taken or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a build",
            cause="the catalog has something of that name"
            if taken
            else "a name has letters, digits "
            "and . _ + - only, since it is a part of each cell's id",
            next_step="name it: --image NAME=REFERENCE",
        )
    return name


@cache
def distributions() -> tuple[Distribution, ...]:
    """The distributions of the catalog, oldest first."""
    records = load("distributions")["distribution"]
    found = (Distribution(**record) for record in records)
    return tuple(sorted(found, key=lambda one: one.released or date.max))


@cache
def all_builds() -> tuple[Build, ...]:
    """The builds of a run that selects none: the distributions' pairs, then those from source."""
    data = load("builds")
    return tuple(Build.parse(text) for text in [*data["distributions"], *data["pairs"]])


def known_builds(additions: Additions = NOTHING_ADDED) -> tuple[Build, ...]:
    """All builds that globs choose from: distributions by age, the catalog's pairs, and images.

    Any other pair of the catalog's releases can be had by its whole id.
    """
    ids = [one.id for one in distributions()]
    ids += [
        f"postfix-{postfix}+openssl-{linked}"
        for group in load("builds")["known"]
        for postfix, linked in product(group["postfix"], group["openssl"])
    ]
    ids += [*(build.id for build in all_builds()), *additions.images]
    return tuple(Build.parse(text, additions) for text in dict.fromkeys(ids))


@cache
def base_suite() -> str:
    """The suite on which everything stands that names none."""
    suite: str = load("builds")["base_suite"]
    return suite


def _pair(text: str, postfix: str, linked: OpenSSL, additions: Additions) -> Build:
    one = additions.release("postfix", postfix)
    # A tree of the user's may be patched to go with what its version would not.
    rule = None if one.unverified else mismatch(postfix, linked.version)
    if rule:
        raise UsageError(
            f"build {text}: Postfix {postfix} {rule}",
            next_step="choose releases that go together; 'postfix-matrix images list' shows pairs",
        )
    suite = linked.of.base if isinstance(linked.of, Package) else base_suite()
    return Build(text, "source", suite, one, linked)
