"""Measures a snapshot's cells in one run folder, for a check (``snapshots.blame.Measure``)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.catalog.builds import Build
from harness.catalog.cells import Cell
from harness.catalog.plan import plan_of_cells
from harness.observations.run_folder import RunData, load_run
from harness.run.choosing import measurable_clients
from harness.run.engine import Engine
from harness.run.job import Job, measure_job
from harness.scenarios.scenario import Scenario
from harness.scenarios.services import services_of
from harness.snapshots.snapshot import Measurement, versions_of
from harness.snapshots.values import CellPlace, place_of
from harness.tls import Service


class SnapshotMeasurer:
    """Measures scenarios at places; each call goes on in the folder of the first one.

    ``data`` is the run so far, None before the first call.
    """

    def __init__(self, engine: Engine, builds: Mapping[str, Build], runs: Path) -> None:
        self.data: RunData | None = None
        self._engine = engine
        self._builds = dict(builds)
        self._runs = runs
        self._scenarios: dict[str, Scenario] = {}
        self._cells: dict[Cell, None] = {}

    def __call__(
        self, scenarios: Sequence[Scenario], places: Collection[CellPlace], alone: bool
    ) -> Mapping[str, Measurement]:
        """See ``snapshots.blame.Measure``.

        Raises:
            HarnessError: something that every cell needs is unavailable.
        """
        cells = [
            place.cell(scenario.id)
            for scenario in scenarios
            for place in places
            if _has_service(scenario, place.service)
        ]
        if not cells:
            return {}
        self._scenarios |= {scenario.id: scenario for scenario in scenarios}
        self._cells |= dict.fromkeys(cells)
        job = self._make_job(cells, alone=alone)
        self.data = load_run(measure_job(self._engine, job, self._runs))
        return {
            scenario.id: self._read_measurement(self.data, scenario.id, places)
            for scenario in scenarios
        }

    def _make_job(self, cells: Sequence[Cell], *, alone: bool) -> Job:
        unpinned = frozenset(client.name for client in measurable_clients() if not client.pins)
        plan = replace(plan_of_cells(self._cells), unpinned=unpinned)
        # The first measurement has the whole plan, so that the run's tables are whole.
        only = None if self.data is None else frozenset(cell.id for cell in cells)
        scenarios = {name: self._scenarios[name] for name in plan.scenarios}
        builds = {name: self._builds[name] for name in plan.builds}
        return Job(plan, scenarios, builds, self.data, only=only, alone=alone)

    def _read_measurement(
        self, data: RunData, scenario: str, places: Collection[CellPlace]
    ) -> Measurement:
        requested = set(places)
        cells = {
            place_of(observation): observation
            for observation in data.observations
            if observation.scenario == scenario
        }
        return Measurement(
            cells={place: cell for place, cell in cells.items() if place in requested},
            builds=versions_of(data.run.images),
            unavailable={missing.name: missing.why for missing in data.run.missing},
        )


def _has_service(scenario: Scenario, service: str) -> bool:
    """Whether a candidate has the service; mail that Postfix sends needs none."""
    return service == Service.OUTBOUND or service in services_of(scenario)
