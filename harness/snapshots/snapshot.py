"""A snapshot in memory: what a configuration did on each build, and how it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from harness.observations.record import Observation
from harness.observations.run_folder import ImageInfo
from harness.snapshots.recorded_candidate import RecordedCandidate
from harness.snapshots.values import (
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
class Snapshot:
    """What was recorded. ``level`` is a level's name, ``cells`` what each cell showed.

    ``builds`` are the versions of the builds that have a cell.
    """

    level: str
    candidate: RecordedCandidate
    builds: Mapping[str, BuildVersions]
    cells: Mapping[CellPlace, CellValues]
    selection: RecordedSelection = field(default_factory=RecordedSelection)


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

    Cells that show nothing now keep what was recorded.
    """
    measured = values_by_place(level, measurement.cells.values(), measurement.builds)
    cells = {**snapshot.cells, **measured}
    measured_builds = {place.build for place in measured}
    current = {
        name: versions for name, versions in measurement.builds.items() if name in measured_builds
    }
    builds = _used_builds({**snapshot.builds, **current}, cells)
    return replace(snapshot, candidate=candidate, builds=builds, cells=cells)


def prune_snapshot(snapshot: Snapshot, pruned: Iterable[CellPlace]) -> Snapshot:
    """The snapshot without some places, and without builds that have no cell left."""
    removed = set(pruned)
    cells = {place: values for place, values in snapshot.cells.items() if place not in removed}
    return replace(snapshot, builds=_used_builds(snapshot.builds, cells), cells=cells)


def _used_builds(
    builds: Mapping[str, BuildVersions], cells: Iterable[CellPlace]
) -> dict[str, BuildVersions]:
    used = sorted({place.build for place in cells})
    return {name: builds.get(name, BuildVersions()) for name in used}
