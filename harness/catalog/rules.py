"""Rules of what releases need in order to build, and which are compatible, each with its reason.

They are ``[[need]]`` and ``[[requires]]`` in the files of the releases, ``data/PRODUCT.toml``; the
build scripts do not depend on versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.catalog.releases import load_data
from harness.catalog.versions import Constraint


@dataclass(frozen=True, slots=True)
class Need:
    """What the releases that one of ``versions`` allows need in order to build, and why.

    ``flavour``: only for that one ("" for all). ``ccargs`` and ``auxlibs`` are arguments of
    Postfix's make, ``configure`` those of OpenSSL's; ``switches`` select variants in the product's
    build.sh. ``folder``: that of the recipe, below ``images/``, in place of the product's.
    """

    versions: tuple[Constraint, ...]
    why: str
    flavour: str = ""
    ccargs: tuple[str, ...] = ()
    auxlibs: tuple[str, ...] = ()
    configure: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    folder: str = ""

    def applies(self, version: str, flavour: str) -> bool:
        """Whether it applies to this version in this flavour."""
        return self.flavour in ("", flavour) and _allows_any(self.versions, version)


@dataclass(frozen=True, slots=True)
class Requirement:
    """Which OpenSSL the releases of Postfix that one of ``versions`` allows require, and why."""

    versions: tuple[Constraint, ...]
    openssl: Constraint
    why: str

    def __str__(self) -> str:
        return f"requires openssl{self.openssl} ({self.why})"


@cache
def find_needs(product: str, version: str, flavour: str = "stock") -> tuple[Need, ...]:
    """What this version needs in order to build in this flavour, in the file's order."""
    return tuple(need for need in _all_needs(product) if need.applies(version, flavour))


@cache
def _all_needs(product: str) -> tuple[Need, ...]:
    return tuple(_read_need(record) for record in load_data(product).get("need", []))


def find_mismatch(postfix: str, openssl: str) -> Requirement | None:
    """The first rule by which the two are not compatible; None if they are."""
    return next(
        (
            rule
            for rule in _all_requirements()
            if _allows_any(rule.versions, postfix) and not rule.openssl.allows(openssl)
        ),
        None,
    )


@cache
def _all_requirements() -> tuple[Requirement, ...]:
    return tuple(_read_requirement(record) for record in load_data("postfix").get("requires", []))


def _allows_any(versions: tuple[Constraint, ...], version: str) -> bool:
    return any(constraint.allows(version) for constraint in versions)


def _read_need(record: Mapping[str, Any]) -> Need:
    lists = ("ccargs", "auxlibs", "configure", "switches")
    filled: dict[str, Any] = {**record, **{key: tuple(record.get(key, ())) for key in lists}}
    return Need(**{**filled, "versions": _read_constraints(filled["versions"])})


def _read_requirement(record: Mapping[str, Any]) -> Requirement:
    return Requirement(
        versions=_read_constraints(record["versions"]),
        openssl=Constraint.parse(record["openssl"]),
        why=record["why"],
    )


def _read_constraints(text: str | list[str]) -> tuple[Constraint, ...]:
    """One constraint, or several of which one must hold (each branch got a fix)."""
    return tuple(
        Constraint.parse(constraint) for constraint in ([text] if isinstance(text, str) else text)
    )
