"""Version boundaries for other programs: docs/schemas/since.schema.json."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.catalog.versions import Version
from harness.observations.run_folder import RunData
from harness.verdicts.since import PlaceGroup
from harness.verdicts.version_boundaries import (
    AlongAxis,
    VersionBoundary,
    VersionCombination,
)
from harness.verdicts.version_dependence_text import (
    coverage_sentences,
    dependence_sentences,
)

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1


def since_data(data: RunData, place: str, groups: Iterable[PlaceGroup]) -> dict[str, Any]:
    """Every group of cells that change alike, with its boundaries and the builds of each label."""
    return {
        "schema": SCHEMA,
        "run": data.run.id,
        "place": place,
        "alike": [_group_data(group) for group in groups],
    }


def _group_data(group: PlaceGroup) -> dict[str, Any]:
    dependence = group.found
    return {
        "places": list(group.places),
        "constant": dependence.constant,
        "groups": [
            {"label": label, "builds": list(builds)} for label, builds in dependence.groups.items()
        ],
        "unmeasured": list(dependence.unmeasured),
        "axes": [_axis_data(along) for along in dependence.axes],
        "corner": _combination_data(dependence.combination) if dependence.combination else None,
        "kinds": dict(dependence.kinds) if dependence.kinds is not None else None,
        "same_versions_differ": [list(builds) for builds in dependence.same_versions],
        "sentences": [*dependence_sentences(dependence), *coverage_sentences(dependence)],
    }


def _axis_data(along: AlongAxis) -> dict[str, Any]:
    return {
        "axis": along.axis.value,
        "segments": [
            {"label": segment.label, "first": str(segment.first), "last": str(segment.last)}
            for segment in along.segments
        ],
        "borders": [_boundary_data(boundary) for boundary in along.boundaries],
    }


def _boundary_data(boundary: VersionBoundary) -> dict[str, Any]:
    return {
        "last_before": str(boundary.before.last),
        "first_after": str(boundary.after.first),
        "exact": boundary.exact,
        "between": [str(version) for version in boundary.between],
    }


def _combination_data(combination: VersionCombination) -> dict[str, Any]:
    return {
        "label": combination.label,
        "elsewhere": combination.other,
        "postfix": str(combination.postfix),
        "openssl": str(combination.openssl),
        "beside": {
            "postfix": _version_text(combination.postfix.outside),
            "openssl": _version_text(combination.openssl.outside),
        },
        "builds": combination.builds,
        "unique": combination.unique,
    }


def _version_text(version: Version | None) -> str | None:
    return None if version is None else str(version)
