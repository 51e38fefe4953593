"""Builds: one Postfix with one OpenSSL, by id.

``debian-12`` is a distribution's own pair, ``postfix-3.7.11+openssl-1.1.1w`` one from source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal

from harness.catalog.cells import is_control
from harness.catalog.releases import load, release
from harness.errors import UsageError

_PAIR = re.compile(r"postfix-(?P<postfix>[^+/]+)\+openssl-(?P<openssl>[^+/]+)")


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution's release; ``suite`` is the name that its package archive knows it by."""

    id: str
    suite: str
    released: date

    def __post_init__(self) -> None:
        if is_control(self.id) or "/" in self.id:
            raise ValueError(f"{self.id!r} cannot be the id of a build")


@dataclass(frozen=True, slots=True)
class Build:
    """What an image of one Postfix and one OpenSSL is made from.

    ``postfix`` and ``openssl`` are versions; None for a distribution's build: there they are read
    back from the built image. ``suite`` is the Debian suite that it stands on.
    """

    id: str
    kind: Literal["distribution", "source"]
    postfix: str | None
    openssl: str | None
    suite: str

    def __str__(self) -> str:
        return self.id

    @classmethod
    def parse(cls, text: str) -> Build:
        """Read an id; ``str(build)`` gives it back.

        Raises:
            UsageError: no distribution of that id, no pair, or a version the catalog does not have.
        """
        pair = _PAIR.fullmatch(text)
        if pair:
            postfix, openssl = pair["postfix"], pair["openssl"]
            release("postfix", postfix)
            release("openssl", openssl)
            return cls(text, "source", postfix, openssl, base_suite())
        for one in distributions():
            if one.id == text:
                return cls(text, "distribution", None, None, one.suite)
        known = " ".join(one.id for one in distributions())
        raise UsageError(
            f"unknown build {text!r}",
            next_step=f"use one of {known}, or a pair like postfix-3.7.11+openssl-1.1.1w",
        )


@cache
def distributions() -> tuple[Distribution, ...]:
    """The distributions of the catalog, oldest first."""
    records = load("distributions")["distribution"]
    return tuple(
        sorted((Distribution(**record) for record in records), key=lambda one: one.released)
    )


@cache
def all_builds() -> tuple[Build, ...]:
    """The builds of a run that selects none: the distributions' pairs, then those from source."""
    data = load("builds")
    return tuple(Build.parse(text) for text in [*data["distributions"], *data["pairs"]])


@cache
def base_suite() -> str:
    """The suite on which everything stands that names none."""
    suite: str = load("builds")["base_suite"]
    return suite
