"""The scenarios of a test session, measured in one run while their tests wait for their cells."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from harness.catalog.builds import Build
from harness.catalog.cells import Cell
from harness.catalog.plan import Plan
from harness.errors import HarnessError, InfrastructureError
from harness.observations.record import Observation
from harness.observations.run_folder import read_instance
from harness.observations.run_json import Missing
from harness.pytest_plugin.engine_requests import (
    AwaitScenario,
    BuildFacts,
    CellAnswer,
    MeasureAhead,
    ScenarioRecord,
)
from harness.pytest_plugin.own_additions import NO_OWN, OwnAdditions
from harness.run.engine import Engine
from harness.run.events import Event, ScenarioMeasured, Seen
from harness.run.job import Job, measure_job
from harness.scenarios.scenario import Scenario

#: Seconds that the end of a run is waited for when the session ends before it.
_END_LIMIT = 60.0


class ScenarioRun:
    """A run in a thread of its own, which begins with the first call of :meth:`begin`.

    ``find_facts`` gives a build's versions once its image was used.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        find_facts: Callable[[str], BuildFacts],
        own: OwnAdditions = NO_OWN,
    ) -> None:
        self.folder = folder
        self._own = own
        self._engine = engine
        self._find_facts = find_facts
        self._changed = threading.Condition()
        self._plan: Plan | None = None
        self._scenarios: Mapping[str, Scenario] = {}
        self._observations: dict[str, Observation] = {}
        self._missing: dict[str, Missing] = {}
        self._measured: set[tuple[str, str]] = set()
        self._has_ended = False
        self._trouble = ""
        self._thread: threading.Thread | None = None

    def begin(self, request: MeasureAhead) -> None:
        """Begin to measure a plan; a second plan, from another process, is the same one."""
        with self._changed:
            if self._thread is not None:
                return
            self._plan, self._scenarios = request.plan, request.scenarios
            self._thread = threading.Thread(
                target=self._measure_plan, name="postfix-matrix scenarios", daemon=True
            )
        self._thread.start()

    def note_event(self, event: Event) -> None:
        """Take what the engine reports, in its thread; what others measure is passed over."""
        with self._changed:
            if isinstance(event, Seen):
                self._observations[event.observation.cell] = event.observation
            elif isinstance(event, Missing):
                self._missing[event.name] = event
            elif isinstance(event, ScenarioMeasured):
                self._measured.add((event.build, event.scenario))
            self._changed.notify_all()

    def await_scenario(self, request: AwaitScenario) -> ScenarioRecord:
        """Wait until a scenario was measured on a build, or cannot be; gives what there is.

        Raises:
            InfrastructureError: the run does not measure it, or the build is unavailable.
        """
        build, scenario = request.build, request.scenario
        if self._plan is None or scenario not in self._scenarios:
            raise InfrastructureError(
                f"{scenario} is not measured in this session",
                cause="the process that collected it did not select it",
                next_step="report this as a fault of postfix-matrix",
            )
        cells = [cell for cell in self._plan.cells_of(build) if cell.scenario == scenario]
        against = self._scenarios[scenario].claims.against
        needed = {(build, scenario)}
        if any(cell.scenario == against for cell in self._plan.cells_of(build)):
            needed.add((build, against))
        with self._changed:
            self._changed.wait_for(
                lambda: self._has_ended or build in self._missing or needed <= self._measured
            )
            if needed <= self._measured:
                return self._make_record(build, scenario, against, cells)
            if build in self._missing:
                raise InfrastructureError(f"{build} is unavailable: {self._missing[build].why}")
            if self._trouble:
                raise InfrastructureError(self._trouble)
            return self._make_record(build, scenario, against, cells)

    def stop(self) -> None:
        """Let no test wait any more; the run goes on until the engine is closed."""
        with self._changed:
            self._trouble = self._trouble or "the session was stopped before it was measured"
            self._has_ended = True
            self._changed.notify_all()

    def end(self) -> None:
        """Wait for the run's end; the engine was told to end what it measures."""
        if self._thread is not None:
            self._thread.join(_END_LIMIT)

    def _make_record(
        self, build: str, scenario: str, against: str, cells: list[Cell]
    ) -> ScenarioRecord:
        tails = [f"{cell.service}/{cell.client}/{cell.offer}" for cell in cells]
        baselines = {tail: self._observations.get(f"{build}/{against}/{tail}") for tail in tails}
        return ScenarioRecord(
            self._find_facts(build),
            tuple(self._answer_cell(cell) for cell in cells),
            {tail: observation for tail, observation in baselines.items() if observation},
            self._read_check(build, scenario),
            self.folder,
        )

    def _answer_cell(self, cell: Cell) -> CellAnswer:
        missing = self._missing.get(cell.client)
        why = f"{cell.client} is unavailable: {missing.why}" if missing else "not measured"
        observation = self._observations.get(cell.id)
        return CellAnswer(cell.id, observation, "" if observation else why)

    def _read_check(self, build: str, scenario: str) -> str:
        return str((read_instance(self.folder, build, scenario) or {}).get("check", ""))

    def _measure_plan(self) -> None:
        assert self._plan is not None
        try:
            builds = {name: Build.parse(name, self._own.images) for name in self._plan.builds}
            job = Job(
                self._plan,
                dict(self._scenarios),
                builds,
                user_clients=self._own.clients,
                folder=self.folder,
            )
            measure_job(self._engine, job, self.folder.parent)
        except HarnessError as error:
            self._trouble = str(error)
        except BaseException as error:
            self._trouble = f"the harness failed: {error!r}"
            raise
        finally:
            with self._changed, suppress(RuntimeError):
                self._has_ended = True
                self._changed.notify_all()
