"""The cells that the selected tests of scenarios need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.catalog.cells import Cell
from harness.catalog.clients import Client
from harness.catalog.plan import Plan, plan_of_cells
from harness.run.choosing import Selection
from harness.run.planning import make_plan
from harness.scenarios.expectations import Expectation
from harness.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class SelectedExpectation:
    """An expectation of a scenario that is tested on a build."""

    scenario: str
    build: str
    expectation: Expectation


def plan_selected(
    selected: Sequence[SelectedExpectation],
    scenarios: Mapping[str, Scenario],
    own_clients: Sequence[Client] = (),
) -> Plan:
    """The plan of the cells that selected expectations are about, and of no others.

    ``scenarios`` has theirs, and the baseline configurations of those that expect an effect.

    Raises:
        UsageError: a scenario expects something of a client or service that there is not.
        NothingSelectedError: no cell is left.
    """
    builds = tuple(dict.fromkeys(each.build for each in selected))
    names = tuple(dict.fromkeys(each.scenario for each in selected))
    selection = Selection(scenarios=names)
    whole = make_plan(selection, dict(scenarios), builds, own_clients, keeps_defaults=True)
    needed = set(_needed_cells(selected, scenarios, whole))
    cells = [cell for cell in whole.cells() if cell in needed]
    return replace(plan_of_cells(cells), unpinned=whole.unpinned) if cells else whole


def _needed_cells(
    selected: Iterable[SelectedExpectation], scenarios: Mapping[str, Scenario], whole: Plan
) -> Iterable[Cell]:
    by_place: dict[tuple[str, str], list[Expectation]] = {}
    for each in selected:
        by_place.setdefault((each.scenario, each.build), []).append(each.expectation)
    for build in whole.builds:
        for cell in whole.cells_of(build):
            expectations = by_place.get((cell.scenario, build), ())
            fitting = [
                expectation
                for expectation in expectations
                if expectation.fits_place(cell.service, cell.client, str(cell.offer))
            ]
            if fitting:
                yield cell
            if any(expectation.effect is not None for expectation in fitting):
                against = scenarios[cell.scenario].claims.against
                yield replace(cell, scenario=against)
