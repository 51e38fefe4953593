"""Names for the tests of a scenario: one for each expectation, readable and the same each time."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.scenarios.expectations import Expectation

_LONGEST = 60


def name_expectations(expectations: Iterable[Expectation]) -> list[str]:
    """A name for each expectation: its sentence in small letters with hyphens, numbered if need be.

    There is no ``@`` in it, which pytest-xdist's loadgroup reads, and no ``::``, which pytest does.
    """
    names: list[str] = []
    for expectation in expectations:
        policy = f"{expectation.policy} " if expectation.policy else ""
        name = _make_slug(policy + expectation.text)
        taken = sum(known == name or known.startswith(f"{name}~") for known in names)
        names.append(f"{name}~{taken + 1}" if taken else name)
    return names


def _make_slug(text: str) -> str:
    """``A client that offers TLSv1 is refused``: ``a-client-that-offers-TLSv1-is-refused``."""
    slug = re.sub(r"[^A-Za-z0-9.+]+", "-", text).strip("-.")
    if len(slug) > _LONGEST:
        slug = slug[:_LONGEST].rpartition("-")[0] or slug[:_LONGEST]
    return slug or "expectation"
