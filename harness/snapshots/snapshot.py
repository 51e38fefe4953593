"""A snapshot in memory: what a configuration did on each build, and how it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from harness.observations.record import Observation
from harness.observations.run_json import ImageInfo
from harness.snapshots.recorded_candidate import RecordedCandidate, RecordedSettings
from harness.snapshots.values import (
    IMAGE,
    SOURCE,
    BuildVersions,
    CellPlace,
    CellValues,
    Level,
    values_by_place,
)

#: Version of the file's form; raised when a field changes its meaning.
SNAPSHOT_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class RecordedSelection:
    """The globs that chose services, clients and offers when the snapshot was recorded."""

    services: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EarlierCandidate:
    """A candidate with other settings than the last one, under which some cells were recorded."""

    candidate: RecordedCandidate
    places: frozenset[CellPlace]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was recorded. ``level`` is a level's name, ``cells`` what each cell showed.

    ``builds`` are the versions of the builds that have a cell. ``candidate`` is the last one that
    was recorded; ``earlier`` has those of the cells that were not measured since.
    """

    level: str
    candidate: RecordedCandidate
    builds: Mapping[str, BuildVersions]
    cells: Mapping[CellPlace, CellValues]
    selection: RecordedSelection = field(default_factory=RecordedSelection)
    earlier: tuple[EarlierCandidate, ...] = ()

    def find_candidate(self, place: CellPlace) -> RecordedCandidate:
        """The candidate under which a cell was recorded."""
        for of_some in self.earlier:
            if place in of_some.places:
                return of_some.candidate
        return self.candidate


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of one scenario.

    ``cells`` are the observations by place. ``unavailable`` says of builds and clients that were
    not available why.
    """

    cells: Mapping[CellPlace, Observation]
    builds: Mapping[str, BuildVersions] = field(default_factory=dict)
    unavailable: Mapping[str, str] = field(default_factory=dict)


def versions_of(images: Mapping[str, ImageInfo]) -> dict[str, BuildVersions]:
    """The versions of a run's builds."""
    return {
        name: BuildVersions(
            image.postfix or "",
            image.openssl or "",
            image.read_back.packages if image.read_back else "",
            IMAGE if image.foreign else SOURCE if image.unverified else "",
        )
        for name, image in images.items()
        if image.kind == "build"
    }


def make_snapshot(
    level: Level,
    candidate: RecordedCandidate,
    measurement: Measurement,
    selection: RecordedSelection | None = None,
) -> Snapshot:
    """A snapshot of what was measured; cells that show nothing are not in it."""
    cells = values_by_place(level, measurement.cells.values(), measurement.builds)
    return Snapshot(
        level.name,
        candidate,
        _used_builds(measurement.builds, cells),
        cells,
        selection or RecordedSelection(),
    )


def update_snapshot(
    snapshot: Snapshot,
    level: Level,
    candidate: RecordedCandidate,
    measurement: Measurement,
) -> Snapshot:
    """The snapshot with what was measured now; no other row changes.

    Cells that show nothing now keep what was recorded, and the settings that they had then.
    """
    measured = values_by_place(level, measurement.cells.values(), measurement.builds)
    cells = {**snapshot.cells, **measured}
    measured_builds = {place.build for place in measured}
    current = {
        name: versions for name, versions in measurement.builds.items() if name in measured_builds
    }
    builds = _used_builds({**snapshot.builds, **current}, cells)
    earlier = _keep_earlier(snapshot, candidate, [p for p in snapshot.cells if p not in measured])
    return replace(snapshot, candidate=candidate, builds=builds, cells=cells, earlier=earlier)


def prune_snapshot(snapshot: Snapshot, pruned: Iterable[CellPlace]) -> Snapshot:
    """The snapshot without some places, and without builds that have no cell left."""
    removed = set(pruned)
    cells = {place: values for place, values in snapshot.cells.items() if place not in removed}
    earlier = _keep_earlier(snapshot, snapshot.candidate, cells)
    builds = _used_builds(snapshot.builds, cells)
    return replace(snapshot, builds=builds, cells=cells, earlier=earlier)


def _keep_earlier(
    snapshot: Snapshot, candidate: RecordedCandidate, kept: Iterable[CellPlace]
) -> tuple[EarlierCandidate, ...]:
    """The earlier candidates of the cells that are kept, where the last one is ``candidate``."""
    before: dict[RecordedSettings, tuple[RecordedCandidate, set[CellPlace]]] = {}
    for place in kept:
        recorded = snapshot.find_candidate(place)
        if recorded.settings != candidate.settings:
            before.setdefault(recorded.settings, (recorded, set()))[1].add(place)
    return tuple(EarlierCandidate(of, frozenset(places)) for of, places in before.values())


def _used_builds(
    builds: Mapping[str, BuildVersions], cells: Iterable[CellPlace]
) -> dict[str, BuildVersions]:
    used = sorted({place.build for place in cells})
    return {name: builds.get(name, BuildVersions()) for name in used}
