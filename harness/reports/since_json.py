"""Borders for other programs: docs/schemas/since.schema.json."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.catalog.versions import Version
from harness.observations.run_folder import RunData
from harness.verdicts.since import Alike
from harness.verdicts.version_boundaries import (
    AlongAxis,
    Border,
    VersionCombination,
)
from harness.verdicts.version_dependence_text import (
    reach,
    sentences,
)

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1


def since_data(data: RunData, place: str, found: Iterable[Alike]) -> dict[str, Any]:
    """Every group of cells that change alike, with its borders and the builds of each label."""
    return {
        "schema": SCHEMA,
        "run": data.run.id,
        "place": place,
        "alike": [_alike(one) for one in found],
    }


def _alike(one: Alike) -> dict[str, Any]:
    found = one.found
    return {
        "places": list(one.places),
        "constant": found.constant,
        "groups": [
            {"label": label, "builds": list(builds)} for label, builds in found.groups.items()
        ],
        "unmeasured": list(found.unmeasured),
        "axes": [_along(along) for along in found.axes],
        "corner": _corner(found.combination) if found.combination else None,
        "kinds": dict(found.kinds) if found.kinds is not None else None,
        "same_versions_differ": [list(builds) for builds in found.same_versions],
        "sentences": [*sentences(found), *reach(found)],
    }


def _along(along: AlongAxis) -> dict[str, Any]:
    return {
        "axis": along.axis.value,
        "segments": [
            {"label": one.label, "first": str(one.first), "last": str(one.last)}
            for one in along.segments
        ],
        "borders": [_border(border) for border in along.boundaries],
    }


def _border(border: Border) -> dict[str, Any]:
    return {
        "last_before": str(border.before.last),
        "first_after": str(border.after.first),
        "exact": border.exact,
        "between": [str(version) for version in border.between],
    }


def _corner(corner: VersionCombination) -> dict[str, Any]:
    return {
        "label": corner.label,
        "elsewhere": corner.other,
        "postfix": str(corner.postfix),
        "openssl": str(corner.openssl),
        "beside": {
            "postfix": _version(corner.postfix.outside),
            "openssl": _version(corner.openssl.outside),
        },
        "builds": corner.builds,
        "unique": corner.unique,
    }


def _version(version: Version | None) -> str | None:
    return None if version is None else str(version)
