"""Since which version a verdict, or what a cell shows, is as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from harness.catalog.builds import NO_ADDITIONS, UserAdditions
from harness.catalog.cells import is_control
from harness.catalog.releases import all_releases
from harness.catalog.versions import Version
from harness.observations.record import Observation, Outcome
from harness.observations.run_folder import RunData
from harness.verdicts.observation_diff import INCONCLUSIVE, cipher_of, protocol_of
from harness.verdicts.verdict import SILENT, ScenarioVerdict, build_versions
from harness.verdicts.version_boundaries import (
    Axis,
    LabelledBuild,
    VersionDependence,
    find_dependence,
)
from harness.verdicts.version_dependence_text import dependence_sentences


@dataclass(frozen=True, slots=True)
class PlaceGroup:
    """Places (scenario/service/client/offer) whose cells show the same on every build."""

    places: tuple[str, ...]
    found: VersionDependence


def group_places(
    data: RunData, pattern: str, additions: UserAdditions = NO_ADDITIONS
) -> tuple[PlaceGroup, ...]:
    """The places that a glob selects, grouped where they change alike; without control cells.

    ``pattern`` is a scenario's id, or a glob over ``scenario/service/client/offer``. The releases
    of ``additions`` count among those that may lie within a boundary.
    """
    known = known_releases(additions)
    glob = pattern if "/" in pattern else f"{pattern}/*"
    by_place: dict[str, dict[str, Observation]] = {}
    for observation in data.observations:
        place = observation.cell.partition("/")[2]
        if not is_control(observation.build) and fnmatchcase(place, glob):
            by_place.setdefault(place, {})[observation.build] = observation
    groups: dict[tuple[object, ...], list[str]] = {}
    points_by_key: dict[tuple[object, ...], list[LabelledBuild]] = {}
    for place, by_build in by_place.items():
        points = _label_builds(data, by_build)
        key = tuple((point.build, point.label) for point in points)
        groups.setdefault(key, []).append(place)
        points_by_key[key] = points
    return tuple(
        PlaceGroup(tuple(places), find_dependence(points_by_key[key], known))
        for key, places in groups.items()
    )


def shown_result(observation: Observation | None) -> str | None:
    """What a cell shows, in a word or two; None where it shows nothing, or two results."""
    if observation is None or observation.agree is False:
        return None
    if observation.outcome in INCONCLUSIVE:
        return None
    parts: Iterable[str | None]
    if observation.outcome is Outcome.ACCEPTED:
        parts = (protocol_of(observation), cipher_of(observation), observation.trust)
    elif observation.outcome is Outcome.WOULD_NEGOTIATE:
        parts = (observation.outcome.value, protocol_of(observation), cipher_of(observation))
    else:
        reason = f"({observation.reason})" if observation.reason else None
        parts = (observation.outcome.value, reason)
    return " ".join(part for part in parts if part)


def verdict_dependence(verdict: ScenarioVerdict) -> VersionDependence:
    """How a scenario's verdict depends on the builds' versions; silent verdicts are left out."""
    points = [
        LabelledBuild(
            build.build,
            build.postfix,
            build.openssl,
            None if build.verdict in SILENT else build.verdict.value,
            kind_of_build(build.build),
        )
        for build in verdict.builds
    ]
    return find_dependence(points, known_releases())


def describe_dependence(verdict: ScenarioVerdict) -> Iterator[str]:
    """A verdict's version boundaries as text; nothing where all builds have one verdict."""
    yield from dependence_sentences(verdict_dependence(verdict))


def known_releases(additions: UserAdditions = NO_ADDITIONS) -> Mapping[Axis, Sequence[Version]]:
    """Every release of the catalog and of the user, by axis, oldest first."""
    users = {
        axis: [
            Version.parse(release.version)
            for release in additions.releases.values()
            if release.product == axis.lower()
        ]
        for axis in Axis
    }
    # A release that both have is named as the catalog names it.
    return {
        axis: tuple(sorted({version: version for version in (*users[axis], *listed)}.values()))
        for axis, listed in _catalog_releases().items()
    }


@cache
def _catalog_releases() -> Mapping[Axis, Sequence[Version]]:
    return {
        axis: tuple(Version.parse(release.version) for release in all_releases(axis.lower()))
        for axis in Axis
    }


def kind_of_build(build: str) -> str:
    """Who built it, as text that follows a label: a distribution sets its own security level."""
    if build.startswith("postfix-"):
        return "with Debian's OpenSSL" if build.endswith("-debian") else "built from source"
    return "as the distribution packages it"


def _label_builds(data: RunData, by_build: Mapping[str, Observation]) -> list[LabelledBuild]:
    points = []
    for build in data.run.axes.builds:
        postfix, openssl = build_versions(data, build)
        label = shown_result(by_build.get(build))
        points.append(LabelledBuild(build, postfix, openssl, label, kind_of_build(build)))
    return points
