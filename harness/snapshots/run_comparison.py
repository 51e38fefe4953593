"""Two runs compared, cell by cell and verdict by verdict, with the same findings as a check.

A cell that differs although neither its configuration nor the image of its build or its client
changed is flaky: it is reported with both results, and nothing is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.catalog.cells import is_control
from harness.observations.record import Observation, Outcome
from harness.observations.run_folder import RunData
from harness.observations.run_json import Axes
from harness.snapshots.findings import CellFinding, Finding, find_change
from harness.snapshots.snapshot import versions_of
from harness.snapshots.values import (
    BuildVersions,
    Level,
    SessionLevel,
    place_of,
    why_inconclusive,
)
from harness.verdicts.verdict import Verdict, judge_run

#: Findings that make two runs different; a cell that only one of them has does not.
DIFFERENT = (Finding.BROKEN, Finding.CHANGED, Finding.GONE, Finding.FIXED)


@dataclass(frozen=True, slots=True)
class ChangedVerdict:
    """A scenario's verdict on a build that differs between two runs."""

    scenario: str
    build: str
    before: Verdict
    after: Verdict


@dataclass(frozen=True, slots=True)
class RunComparison:
    """The cells keep the runs' order; ``verdicts`` counts those that both runs measured."""

    cells: tuple[CellFinding, ...]
    changed_verdicts: tuple[ChangedVerdict, ...]
    verdicts: int

    def having(self, *findings: Finding) -> tuple[CellFinding, ...]:
        """The cells with one of these findings."""
        return tuple(cell for cell in self.cells if cell.finding in findings)


def compare_runs(before: RunData, after: RunData, level: Level | None = None) -> RunComparison:
    """Compare two runs, by default at the level ``exact``; control cells are left out."""
    comparer = _RunComparer(before, after, level or SessionLevel(exact=True))
    was, now = _measured_verdicts(before), _measured_verdicts(after)
    turned = [
        ChangedVerdict(*place, was[place], now[place])
        for place in was
        if place in now and was[place] is not now[place]
    ]
    both = len(was.keys() & now.keys())
    return RunComparison(tuple(comparer.compare_cells()), tuple(turned), both)


class _RunComparer:
    """Both runs' cells by id, and the versions of their builds."""

    def __init__(self, before: RunData, after: RunData, level: Level) -> None:
        self._before, self._after, self._level = before, after, level
        self._old, self._new = _cells_by_id(before), _cells_by_id(after)
        self._versions: Mapping[str, BuildVersions] = versions_of(after.run.images)

    def compare_cells(self) -> Iterator[CellFinding]:
        for cell, old in self._old.items():
            new = self._new.get(cell)
            yield self._find_absent(old) if new is None else self._find_pair(old, new)
        for cell, new in self._new.items():
            if cell not in self._old and not why_inconclusive(new):
                yield self._find_new(new)

    def _find_pair(self, old: Observation, new: Observation) -> CellFinding:
        place, scenario = place_of(new), new.scenario
        versions = self._versions.get(new.build)
        was, now = self._level.values(old, versions), self._level.values(new, versions)
        if was is None or now is None:
            both = {old.outcome, new.outcome}
            why = why_inconclusive(new) or f"in the first run: {why_inconclusive(old)}"
            finding = Finding.SAME if both == {Outcome.CLIENT_INCAPABLE} else Finding.NOT_CHECKED
            return CellFinding(place, finding, was, now, new, why, scenario)
        finding, why = find_change(place, was, now), ""
        if finding is not Finding.SAME and self._is_unchanged(old, new):
            finding, why = Finding.FLAKY, "the configuration and the images are the same"
        return CellFinding(place, finding, was, now, new, why, scenario)

    def _find_absent(self, old: Observation) -> CellFinding:
        """A cell that only the first run has: gone where its service is, else not checked."""
        place, values = place_of(old), self._level.values(old, self._versions.get(old.build))
        if values is not None and _has_no_such_service(self._after.run.axes, old):
            return CellFinding(place, Finding.GONE, values, scenario=old.scenario)
        missing = {entry.name: entry.why for entry in self._after.run.missing}
        why = "not in the second run"
        for name in (old.build, old.client):
            if name in missing:
                first = missing[name].partition("\n")[0]
                why = f"{name} was unavailable in the second run: {first}"
        return CellFinding(place, Finding.NOT_CHECKED, values, why=why, scenario=old.scenario)

    def _find_new(self, new: Observation) -> CellFinding:
        """A cell that only the second run has: added where its service is, else not checked."""
        place, values = place_of(new), self._level.values(new, self._versions.get(new.build))
        if _has_no_such_service(self._before.run.axes, new):
            return CellFinding(place, Finding.ADDED, None, values, new, scenario=new.scenario)
        why = "not in the first run"
        return CellFinding(place, Finding.NOT_CHECKED, None, values, new, why, new.scenario)

    def _is_unchanged(self, old: Observation, new: Observation) -> bool:
        first, second = (self._image_id(data, old.build) for data in (self._before, self._after))
        if first is None or first != second or old.config != new.config:
            return False
        # A peer has no image of its own.
        return self._image_id(self._before, old.client) == self._image_id(self._after, old.client)

    @staticmethod
    def _image_id(data: RunData, name: str) -> str | None:
        image = data.run.images.get(name)
        return None if image is None else image.id


def _has_no_such_service(axes: Axes, cell: Observation) -> bool:
    """Whether a run measured a cell's scenario, build, client and offer, and not its service."""
    scope = axes.scope(cell.scenario)
    return (
        cell.scenario in axes.scenarios
        and cell.build in axes.builds_of(cell.scenario)
        and cell.client in scope.clients
        and cell.offer in scope.offers
        and cell.service not in scope.services
    )


def _cells_by_id(data: RunData) -> dict[str, Observation]:
    return {cell.cell: cell for cell in data.observations if not is_control(cell.build)}


def _measured_verdicts(data: RunData) -> dict[tuple[str, str], Verdict]:
    """The verdicts by scenario and build; a time-out gives none, so it is no difference."""
    return {
        (scenario.scenario, on_build.build): on_build.verdict
        for scenario in judge_run(data)
        for on_build in scenario.builds
        if on_build.verdict is not Verdict.UNMEASURED
    }
