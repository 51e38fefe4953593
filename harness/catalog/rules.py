"""What releases need to be built, and which go together: rules, each with why.

They stand beside the releases, as ``[[need]]`` and ``[[requires]]`` in ``data/PRODUCT.toml``; the
build scripts know no versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.catalog.releases import load
from harness.catalog.versions import Constraint


@dataclass(frozen=True, slots=True)
class Need:
    """What the releases that one of ``versions`` allows need to be built, and why.

    ``flavour``: only for that one ("" for all). ``ccargs`` and ``auxlibs`` are words for Postfix's
    make, ``configure`` for OpenSSL's; ``switches`` name ways of going about it that the product's
    build.sh knows.
    """

    versions: tuple[Constraint, ...]
    why: str
    flavour: str = ""
    ccargs: tuple[str, ...] = ()
    auxlibs: tuple[str, ...] = ()
    configure: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()

    def applies(self, version: str, flavour: str) -> bool:
        """Whether it is this version's, in this flavour."""
        return self.flavour in ("", flavour) and _allowed(self.versions, version)


@dataclass(frozen=True, slots=True)
class Requirement:
    """Which OpenSSL the releases of Postfix that one of ``versions`` allows go with, and why."""

    versions: tuple[Constraint, ...]
    openssl: Constraint
    why: str

    def __str__(self) -> str:
        return f"requires openssl{self.openssl} ({self.why})"


@cache
def needs(product: str, version: str, flavour: str = "stock") -> tuple[Need, ...]:
    """What building this version in this flavour takes, in the file's order."""
    return tuple(need for need in _needs(product) if need.applies(version, flavour))


@cache
def _needs(product: str) -> tuple[Need, ...]:
    return tuple(_need(record) for record in load(product).get("need", []))


def mismatch(postfix: str, openssl: str) -> Requirement | None:
    """The first rule that keeps the two from going together; None where no rule does."""
    return next(
        (
            rule
            for rule in _requirements()
            if _allowed(rule.versions, postfix) and not rule.openssl.allows(openssl)
        ),
        None,
    )


@cache
def _requirements() -> tuple[Requirement, ...]:
    return tuple(_requirement(record) for record in load("postfix").get("requires", []))


def _allowed(versions: tuple[Constraint, ...], version: str) -> bool:
    return any(one.allows(version) for one in versions)


def _need(record: Mapping[str, Any]) -> Need:
    words = ("ccargs", "auxlibs", "configure", "switches")
    filled: dict[str, Any] = {**record, **{key: tuple(record.get(key, ())) for key in words}}
    return Need(**{**filled, "versions": _constraints(filled["versions"])})


def _requirement(record: Mapping[str, Any]) -> Requirement:
    return Requirement(
        versions=_constraints(record["versions"]),
        openssl=Constraint.parse(record["openssl"]),
        why=record["why"],
    )


def _constraints(text: str | list[str]) -> tuple[Constraint, ...]:
    """One constraint, or several of which one is enough (branches got a fix each)."""
    return tuple(Constraint.parse(one) for one in ([text] if isinstance(text, str) else text))
