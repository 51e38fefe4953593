"""Compare two runs, cell by cell and verdict by verdict.

A cell that differs although neither its configuration nor its image changed is flaky: it is
reported with both observations, and nothing is hidden.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.catalog.cells import is_control
from harness.observations.record import Observation
from harness.observations.run_folder import RunData
from harness.verdicts.observation_diff import changed_fields
from harness.verdicts.verdict import Verdict, judge_run


@dataclass(frozen=True, slots=True)
class DifferingCell:
    """A cell of both runs that differs; ``flaky``: with the same configuration and image."""

    before: Observation
    after: Observation
    names: tuple[str, ...]
    flaky: bool


@dataclass(frozen=True, slots=True)
class ChangedVerdict:
    """A scenario's verdict on a build that differs between two runs."""

    scenario: str
    build: str
    before: Verdict
    after: Verdict


@dataclass(frozen=True, slots=True)
class RunComparison:
    """``same`` counts the cells that are equal in both; the other fields keep the runs' order."""

    same: int
    differing: tuple[DifferingCell, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    changed_verdicts: tuple[ChangedVerdict, ...]
    verdicts: int


def compare_runs(before: RunData, after: RunData) -> RunComparison:
    """Compare two runs; control cells are left out."""
    old, new = _cells_by_id(before), _cells_by_id(after)
    differing = []
    for cell in (cell for cell in old if cell in new):
        if names := changed_fields(new[cell], old[cell]):
            same_image = _same_image(before, after, old[cell].build)
            flaky = old[cell].config == new[cell].config and same_image
            differing.append(DifferingCell(old[cell], new[cell], names, flaky))
    was, now = _verdicts_by_build(before), _verdicts_by_build(after)
    turned = [
        ChangedVerdict(*place, was[place], now[place])
        for place in was
        if place in now and was[place] is not now[place]
    ]
    return RunComparison(
        same=len(old.keys() & new.keys()) - len(differing),
        differing=tuple(differing),
        only_before=tuple(cell for cell in old if cell not in new),
        only_after=tuple(cell for cell in new if cell not in old),
        changed_verdicts=tuple(turned),
        verdicts=len(was.keys() & now.keys()),
    )


def _cells_by_id(data: RunData) -> dict[str, Observation]:
    return {cell.cell: cell for cell in data.observations if not is_control(cell.build)}


def _verdicts_by_build(data: RunData) -> dict[tuple[str, str], Verdict]:
    return {(v.scenario, b.build): b.verdict for v in judge_run(data) for b in v.builds}


def _same_image(before: RunData, after: RunData, build: str) -> bool:
    images = [data.run.images.get(build) for data in (before, after)]
    return images[0] is not None and images[1] is not None and images[0].id == images[1].id
