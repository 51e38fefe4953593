"""Builds: one Postfix with one OpenSSL, by id.

``debian-12`` is a distribution's pair, ``rocky-9+policy-LEGACY`` one with another crypto policy of
its system, ``ubuntu-16.04+openssl-1.0.2h`` the distribution's Postfix on another OpenSSL,
``postfix-3.7.11+openssl-1.1.1w`` a pair from source, and any other name a user's image. An OpenSSL
has a flavour: stock, as upstream configures it; ``1.0.2h-legacy``, with every old protocol and weak
cipher that it supports; ``4.0.3-debian``, Debian's packages of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cache
from itertools import product
from typing import Any, Literal

from harness.catalog.cells import is_control
from harness.catalog.openssl_abi import describe_abi, openssl_abi
from harness.catalog.releases import (
    Package,
    Release,
    find_package,
    find_release,
    load_clients,
    load_data,
)
from harness.catalog.rules import find_mismatch
from harness.errors import UsageError

STOCK, LEGACY, DEBIAN = "stock", "legacy", "debian"

_PAIR = re.compile(r"postfix-(?P<postfix>[^+/]+)\+openssl-(?P<openssl>[^+/]+)")
_DISTRIBUTION_PAIR = re.compile(r"(?P<distribution>[^+/]+)\+openssl-(?P<openssl>[^+/]+)")
_WITH_POLICY = re.compile(r"(?P<distribution>[^+/]+)\+policy-(?P<policy>[^+/]+)")
_FLAVOUR = re.compile(r"(?P<version>.+?)(?:-(?P<flavour>legacy|debian))?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


class PackageFormat(StrEnum):
    """The format of a distribution's packages, which decides how its image is made."""

    DEB = "deb"
    RPM = "rpm"
    APK = "apk"


#: How families write their names that are not one capitalized word.
_FAMILY_TITLES = {
    "almalinux": "AlmaLinux",
    "centos": "CentOS",
    "opensuse-leap": "openSUSE Leap",
    "rocky": "Rocky Linux",
}


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution's release; ``suite`` is its name in the package archive, or its id.

    ``released`` is None for one that is not yet released. ``archived``: its packages have moved
    from the ordinary mirrors to the distribution's archive. ``files`` names the data file with the
    package files from which its base is made (``package_files``); "" if the mirrors have its index.
    ``openssl_abi`` is the one that its Postfix was linked with (``openssl_abi.py``), "" where no
    other OpenSSL can take the place of its own. ``image`` is its image in registries, "" where that
    follows from family and suite. ``policies`` are the crypto policies of its system
    (crypto-policies(7)), besides the one that it has by default.
    """

    id: str
    suite: str
    released: date | None = None
    family: str = "debian"
    archived: bool = False
    files: str = ""
    openssl_abi: str = ""
    package_format: PackageFormat = PackageFormat.DEB
    image: str = ""
    policies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if is_control(self.id) or "/" in self.id or "+" in self.id:
            raise ValueError(f"{self.id!r} cannot be the id of a build")

    @property
    def title(self) -> str:
        """``Debian bookworm``, ``Rocky Linux 9``: its family's name, and its suite or number."""
        name = _FAMILY_TITLES.get(self.family, self.family.capitalize())
        return f"{name} {self.suite.removeprefix(f'{self.family}-')}"

    @property
    def can_be_bootstrapped(self) -> bool:
        """Whether its base image can be made from its packages, without a registry."""
        return self.package_format is PackageFormat.DEB

    @property
    def build_ids(self) -> tuple[str, ...]:
        """The ids of its builds: its own, then one for each further crypto policy."""
        return (self.id, *(f"{self.id}+policy-{policy}" for policy in self.policies))


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
class UserAdditions:
    """What a command line adds to the catalog: the user's releases, by id, and images.

    ``images`` are image references by the name of the build.
    """

    releases: Mapping[str, Release] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)

    def release(self, name: str, version: str) -> Release:
        """The user's release with that id, else the catalog's.

        Raises:
            UsageError: there is no such release.
        """
        return self.releases.get(f"{name}-{version}") or find_release(name, version)


NO_ADDITIONS = UserAdditions()


@dataclass(frozen=True, slots=True)
class Build:
    """What an image of one Postfix and one OpenSSL is made from.

    ``postfix`` and ``openssl`` are those of a pair from source, None for other builds, whose
    versions are read from the image; a distribution's Postfix on another OpenSSL has ``openssl``
    alone. Those of a distribution have ``distribution``, the id of the distribution's own pair, and
    ``policy``, the crypto policy that its system is set to, "" for its default. ``suite`` is the
    one on which a build is based; "" for a user's image, which has a ``reference`` instead.
    """

    id: str
    kind: Literal["distribution", "source", "image"]
    suite: str
    postfix: Release | None = None
    openssl: OpenSSL | None = None
    reference: str = ""
    distribution: str = ""
    policy: str = ""

    def __str__(self) -> str:
        return self.id

    @property
    def replaces_openssl(self) -> bool:
        """Whether it is a distribution's Postfix on another OpenSSL than the distribution's."""
        return self.kind == "distribution" and self.openssl is not None

    @property
    def unverified(self) -> bool:
        """Whether one of its sources is the user's, for which the catalog has no checksum."""
        linked = self.openssl.of if self.openssl else None
        return any(
            isinstance(source, Release) and source.unverified for source in (self.postfix, linked)
        )

    @classmethod
    def parse(cls, text: str, additions: UserAdditions = NO_ADDITIONS) -> Build:
        """Read an id; ``str(build)`` reproduces it.

        Raises:
            UsageError: not the id of a distribution or a pair, a version that the catalog does not
                have, or two versions that are not compatible.
        """
        if text in additions.images:
            return cls(text, "image", "", reference=additions.images[text])
        if pair := _PAIR.fullmatch(text):
            return _parse_pair(
                text, pair["postfix"], find_openssl(pair["openssl"], additions), additions
            )
        if pair := _DISTRIBUTION_PAIR.fullmatch(text):
            return _parse_distribution_pair(
                text, pair["distribution"], find_openssl(pair["openssl"], additions)
            )
        if match := _WITH_POLICY.fullmatch(text):
            return _parse_with_policy(text, match["distribution"], match["policy"])
        if listed := find_distribution(text):
            return cls(text, "distribution", listed.suite, distribution=text)
        known = " ".join(distribution.id for distribution in all_distributions())
        raise UsageError(
            f"unknown build {text!r}",
            next_step=f"use one of {known}, a pair like postfix-3.7.11+openssl-1.1.1w, "
            "a distribution on another OpenSSL like ubuntu-16.04+openssl-1.0.2h, "
            "or --image NAME=REFERENCE for your own image",
        )


def find_openssl(text: str, additions: UserAdditions = NO_ADDITIONS) -> OpenSSL:
    """The OpenSSL named in a pair's id: ``1.0.2h``, ``1.0.2h-legacy``, ``4.0.3-debian``.

    Raises:
        UsageError: the catalog does not have it.
    """
    match = _FLAVOUR.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is not a version of OpenSSL", next_step="write a version, such as 1.0.2h"
        )
    version, flavour = match["version"], match["flavour"] or STOCK
    if flavour == DEBIAN:
        return OpenSSL(find_package("openssl", version), flavour)
    return OpenSSL(additions.release("openssl", version), flavour)


def check_image_name(name: str) -> str:
    """Check the name of a user's image, which becomes a part of cells' ids, and return it.

    Raises:
        UsageError: it is not valid, or it is already in use.
    """
    ids = {build for distribution in all_distributions() for build in distribution.build_ids}
    # Other images of a run have names, too: its authentication service, and the clients.
    helpers = {
        "sasl",
        "dns",
        "peer",
        *(record["name"] for record in load_clients()),
    }
    taken = is_control(name) or _DISTRIBUTION_PAIR.fullmatch(name) or name in ids | helpers
    if taken or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a build",
            cause="the catalog already has that name"
            if taken
            else "a name has only letters, digits "
            "and . _ + -, since it is a part of each cell's id",
            next_step="name it: --image NAME=REFERENCE",
        )
    return name


@cache
def all_distributions() -> tuple[Distribution, ...]:
    """The distributions of the catalog, oldest first."""
    records = load_data("distributions")["distribution"]
    unsorted = (_read_distribution(record) for record in records)
    return tuple(sorted(unsorted, key=lambda distribution: distribution.released or date.max))


def find_distribution(name: str) -> Distribution | None:
    """The distribution with that id; None if there is none."""
    return next((entry for entry in all_distributions() if entry.id == name), None)


def find_by_suite(suite: str) -> Distribution | None:
    """The distribution whose suite has that name; None if there is none."""
    return next((entry for entry in all_distributions() if entry.suite == suite), None)


@cache
def all_builds() -> tuple[Build, ...]:
    """The builds of a run that selects none: those of distributions, then those from source."""
    data = load_data("builds")
    return tuple(Build.parse(text) for text in [*data["distributions"], *data["pairs"]])


def known_builds(additions: UserAdditions = NO_ADDITIONS) -> tuple[Build, ...]:
    """All builds that globs select from: distributions by age, the catalog's pairs, and images.

    A distribution's further crypto policies follow it.

    Any other pair of the catalog's releases can be selected by its full id.
    """
    ids = [name for distribution in all_distributions() for name in distribution.build_ids]
    ids += [
        f"postfix-{postfix}+openssl-{linked}"
        for group in load_data("builds")["known"]
        for postfix, linked in product(group["postfix"], group["openssl"])
    ]
    ids += [
        f"{distribution}+openssl-{linked}"
        for group in load_data("builds")["known_on_distribution"]
        for distribution, linked in product(group["distribution"], group["openssl"])
    ]
    ids += [*(build.id for build in all_builds()), *additions.images]
    return tuple(Build.parse(text, additions) for text in dict.fromkeys(ids))


@cache
def base_suite() -> str:
    """The suite on which images are based that name none."""
    suite: str = load_data("builds")["base_suite"]
    return suite


def _read_distribution(record: dict[str, Any]) -> Distribution:
    """A record; one without a suite has its id for it, as the name of its base image."""
    return Distribution(
        **{
            "suite": record["id"],
            **record,
            "package_format": PackageFormat(record.get("package_format", PackageFormat.DEB)),
            "policies": tuple(record.get("policies", ())),
        }
    )


def _parse_with_policy(text: str, name: str, policy: str) -> Build:
    """A distribution with another crypto policy than its default."""
    distribution = find_distribution(name)
    if distribution and policy in distribution.policies:
        return Build(text, "distribution", distribution.suite, distribution=name, policy=policy)
    if distribution and distribution.policies:
        allowed = " or ".join(distribution.build_ids[1:])
        next_step = f"use {allowed}, or {distribution.id}, which has the policy DEFAULT"
    else:
        listed = " ".join(entry.id for entry in all_distributions() if entry.policies)
        next_step = f"distributions that have crypto policies are {listed}"
    raise UsageError(
        f"unknown build {text!r}: {name} has no crypto policy {policy}", next_step=next_step
    )


def _parse_pair(text: str, postfix: str, linked: OpenSSL, additions: UserAdditions) -> Build:
    release_of_postfix = additions.release("postfix", postfix)
    # A user's source may be patched for a release with which its version is not compatible.
    rule = None if release_of_postfix.unverified else find_mismatch(postfix, linked.version)
    if rule:
        raise UsageError(
            f"build {text}: Postfix {postfix} {rule}",
            next_step="choose compatible releases; 'postfix-matrix images list' shows pairs",
        )
    suite = linked.of.base if isinstance(linked.of, Package) else base_suite()
    return Build(text, "source", suite, release_of_postfix, linked)


def _parse_distribution_pair(text: str, name: str, library: OpenSSL) -> Build:
    """A distribution's Postfix on another OpenSSL, which must have the ABI that it was linked with.

    Raises:
        UsageError: no such distribution, or the OpenSSL cannot take the place of its own.
    """
    distribution = find_distribution(name)
    if distribution is None:
        known = " ".join(listed.id for listed in all_distributions())
        raise UsageError(
            f"build {text}: no distribution {name} in the catalog", next_step=f"use one of {known}"
        )
    if isinstance(library.of, Package):
        raise UsageError(
            f"build {text}: Debian's packages of OpenSSL fit no distribution but their own",
            next_step="name an OpenSSL that is compiled from source, such as openssl-1.0.2h",
        )
    if not distribution.openssl_abi:
        raise UsageError(
            f"build {text}: no other OpenSSL can take the place of {name}'s",
            cause="it would be compiled on the distribution's own toolchain, which this tool has "
            "for Debian and Ubuntu alone",
            next_step=f"use {name} as it is, or a pair from source",
        )
    abi = openssl_abi(library.version)
    if abi != distribution.openssl_abi:
        raise UsageError(
            f"build {text}: OpenSSL {library.version} is libssl.so.{abi}, the Postfix of {name} "
            f"loads libssl.so.{distribution.openssl_abi}",
            cause="programs load only a library with the ABI that they were linked with",
            next_step=f"name an OpenSSL {describe_abi(distribution.openssl_abi)}",
        )
    return Build(text, "distribution", distribution.suite, openssl=library, distribution=name)
