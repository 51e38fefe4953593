"""How ``verify`` uses the cells that an earlier ``verify`` measured, and keeps its own."""

from __future__ import annotations

from collections.abc import Sequence

from harness.cli.measure_options import MeasureOptions
from harness.cli.printing import print_text
from harness.observations.run_folder import RunData
from harness.reports.taken_over import count_taken, describe_taken
from harness.run.cached_cells import CachedCells, store_cells
from harness.run.cell_cache import CellCache, cell_cache_folder
from harness.run.engine import Engine
from harness.run.image_ids import read_image_ids
from harness.run.reuse import surroundings_of
from harness.scenarios.scenario import Scenario


class CellReuse:
    """The cell cache as one ``verify`` uses it; ``fresh``: only to keep what it measures."""

    def __init__(self, measuring: MeasureOptions, *, fresh: bool) -> None:
        self._measuring = measuring
        self._fresh = fresh
        self._cache = CellCache(cell_cache_folder())

    def find_cells(self, engine: Engine, scenarios: Sequence[Scenario]) -> CachedCells | None:
        """What is known of these scenarios' cells but the last one's, and of the controls.

        Raises:
            HarnessError: the Docker engine does not answer, or a glob matches nothing.
        """
        if self._fresh:
            return None
        plan = self._measuring.plan_scenarios(scenarios)
        ids = read_image_ids(engine.session.client, plan, self._measuring.builds)
        by_id = {scenario.id: scenario for scenario in scenarios}
        now = surroundings_of(plan, by_id, ids, engine.options.time_limit)
        *baselines, _candidate = scenarios
        names = {baseline.id for baseline in baselines}
        cells = (cell for cell in plan.cells() if cell.scenario in names)
        return CachedCells(self._cache, now, cells)

    def keep_cells(self, data: RunData, scenarios: Sequence[Scenario]) -> None:
        """Keep what a run measured of these scenarios but the last one, and of the controls."""
        *baselines, _candidate = scenarios
        store_cells(self._cache, data, {baseline.id for baseline in baselines})

    def print_notes(self, data: RunData) -> None:
        """Tell on standard error what was taken over, and what was damaged."""
        if taken := describe_taken(count_taken(data.observations)):
            print_text(f"Taken over: {taken}; --fresh measures all", err=True)
        if self._cache.damaged:
            entries = (
                f"{self._cache.damaged} damaged entr{'y' if self._cache.damaged == 1 else 'ies'}"
            )
            print_text(f"{entries} of {self._cache.folder} were removed", err=True)
