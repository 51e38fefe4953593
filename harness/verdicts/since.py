"""Since which version a cell shows what it shows: cells that change alike. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.catalog.cells import is_control
from harness.observations.record import Observation, Outcome
from harness.observations.run_folder import RunData
from harness.verdicts.observation_diff import (
    cipher_of,
    protocol_of,
)
from harness.verdicts.spread import kind_of, known_releases
from harness.verdicts.verdict import versions
from harness.verdicts.version_boundaries import (
    Dependence,
    Point,
    dependence,
)

#: Outcomes that say nothing of the build.
SILENT = frozenset({Outcome.ERROR, Outcome.TIMEOUT, Outcome.CLIENT_INCAPABLE})


@dataclass(frozen=True, slots=True)
class Alike:
    """Places (scenario/service/client/offer) whose cells are the same on every build."""

    places: tuple[str, ...]
    found: Dependence


def since(data: RunData, pattern: str) -> tuple[Alike, ...]:
    """The places that a glob selects, those that change alike together; no control cells.

    ``pattern`` is a scenario's id, or a glob over ``scenario/service/client/offer``.
    """
    glob = pattern if "/" in pattern else f"{pattern}/*"
    by_place: dict[str, dict[str, Observation]] = {}
    for one in data.observations:
        place = one.cell.partition("/")[2]
        if not is_control(one.build) and fnmatchcase(place, glob):
            by_place.setdefault(place, {})[one.build] = one
    alike: dict[tuple[object, ...], list[str]] = {}
    points: dict[tuple[object, ...], list[Point]] = {}
    for place, seen in by_place.items():
        found = _points(data, seen)
        key = tuple((point.build, point.label) for point in found)
        alike.setdefault(key, []).append(place)
        points[key] = found
    return tuple(
        Alike(tuple(places), dependence(points[key], known_releases()))
        for key, places in alike.items()
    )


def _points(data: RunData, seen: dict[str, Observation]) -> list[Point]:
    found = []
    for build in data.run.axes.builds:
        postfix, openssl = versions(data, build)
        label = shows(seen.get(build))
        found.append(Point(build, postfix, openssl, label, kind_of(build)))
    return found


def shows(seen: Observation | None) -> str | None:
    """What a cell shows, in a word or two; None where it says nothing, or two things."""
    if seen is None or seen.outcome in SILENT or seen.agree is False:
        return None
    parts: Iterable[str | None]
    if seen.outcome is Outcome.ACCEPTED:
        parts = (protocol_of(seen), cipher_of(seen), seen.trust)
    else:
        parts = (seen.outcome.value, f"({seen.reason})" if seen.reason else None)
    return " ".join(part for part in parts if part)
