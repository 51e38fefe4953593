"""Two runs beside each other, cell by cell and verdict by verdict. Pure.

Where a cell of the same configuration differs, and nothing else changed, it is flaky: it is told
with both observations, and hidden by nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.catalog.cells import is_control
from harness.observations.record import Observation
from harness.observations.run_folder import RunData
from harness.verdicts.observation_diff import changes
from harness.verdicts.verdict import Verdict, judge_run


@dataclass(frozen=True, slots=True)
class Differing:
    """A cell that two runs have, and that differs; ``flaky``: of one configuration and image."""

    before: Observation
    after: Observation
    names: tuple[str, ...]
    flaky: bool


@dataclass(frozen=True, slots=True)
class Turned:
    """A scenario's verdict on a build that two runs judge otherwise."""

    scenario: str
    build: str
    before: Verdict
    after: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """``same`` counts the cells that both have alike; the rest are lists in the runs' order."""

    same: int
    differing: tuple[Differing, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    turned: tuple[Turned, ...]
    verdicts: int


def compare_runs(before: RunData, after: RunData) -> Comparison:
    """Hold two runs against each other; control cells are left out."""
    old, new = _cells(before), _cells(after)
    differing = []
    for cell in (cell for cell in old if cell in new):
        if names := changes(new[cell], old[cell]):
            flaky = old[cell].config == new[cell].config and _same_image(before, after, old[cell])
            differing.append(Differing(old[cell], new[cell], names, flaky))
    was, now = _verdicts(before), _verdicts(after)
    turned = [
        Turned(*place, was[place], now[place])
        for place in was
        if place in now and was[place] is not now[place]
    ]
    return Comparison(
        same=len(old.keys() & new.keys()) - len(differing),
        differing=tuple(differing),
        only_before=tuple(cell for cell in old if cell not in new),
        only_after=tuple(cell for cell in new if cell not in old),
        turned=tuple(turned),
        verdicts=len(was.keys() & now.keys()),
    )


def _cells(data: RunData) -> dict[str, Observation]:
    return {one.cell: one for one in data.observations if not is_control(one.build)}


def _verdicts(data: RunData) -> dict[tuple[str, str], Verdict]:
    return {(v.scenario, b.build): b.verdict for v in judge_run(data) for b in v.builds}


def _same_image(before: RunData, after: RunData, seen: Observation) -> bool:
    images = [data.run.images.get(seen.build) for data in (before, after)]
    return images[0] is not None and images[1] is not None and images[0].id == images[1].id
