"""The engine of a test session, once something needs it: servers, cells, and scenarios ahead."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from harness.catalog.builds import Build
from harness.catalog.cells import Cell
from harness.errors import HarnessError
from harness.observations.record import Observation
from harness.pytest_plugin.engine_requests import (
    AwaitScenario,
    BuildFacts,
    CellAnswer,
    CipherAnswer,
    MeasureAhead,
    ScenarioRecord,
)
from harness.pytest_plugin.own_additions import NO_OWN, OwnAdditions
from harness.pytest_plugin.scenario_run import ScenarioRun
from harness.reports import write_reports
from harness.run.engine import Engine, EngineClosedError, Options
from harness.run.instances import HeldInstance
from harness.run.run_folders import point_latest
from harness.run.scan_build import find_target
from harness.run.session_run import SessionRun
from harness.run.tool_run import try_tool_on
from harness.scan.scanning import scan_server
from harness.scenarios.scenario import Scenario
from harness.tls import Service
from harness.tools.tool_file import HardeningTool
from harness.tools.trial import ToolTrial

#: Servers that are stopped at a time.
_RELEASES = 8


class OpenEngine:
    """An engine, and the two run folders of a session: of its tests, and of its scenarios.

    Every method may be called from any thread.
    """

    def __init__(self, runs: Path, time_limit: float, own: OwnAdditions = NO_OWN) -> None:
        """Open it.

        Raises:
            UsageError: the time limit is not above 0.
            InfrastructureError: no Docker engine answers.
        """
        self._lock = threading.Lock()
        self._own = own
        self._tests: SessionRun | None = None
        self._scenarios: ScenarioRun | None = None
        # A test need not wait until its server has stopped.
        self._releasing = ThreadPoolExecutor(_RELEASES, thread_name_prefix="postfix-matrix release")
        options = Options(time_limit=time_limit)
        self._engine = Engine(listener=lambda event: self._note_event(event), options=options)
        with ExitStack() as stack:
            stack.enter_context(self._engine)
            self.folder = runs.resolve() / self._engine.session.id
            self._scenarios = ScenarioRun(
                self._engine,
                self.folder.with_name(f"{self.folder.name}-scenarios"),
                self._find_facts,
                own,
            )
            stack.pop_all()

    def prepare_build(self, build: str) -> None:
        """Make a build's image, unless it is there.

        Raises:
            HarnessError: it is unavailable.
        """
        self._engine.run(self._engine.resources.build_image(self._parse_build(build)))

    def try_tool(self, build: str, tool: HardeningTool) -> ToolTrial:
        """What a hardening tool does on a build.

        Raises:
            HarnessError: the build is unavailable, or what the tool needs cannot be prepared.
        """
        return try_tool_on(self._engine, tool, self._parse_build(build))

    def hold(self, build: str, scenario: Scenario) -> HeldInstance:
        """A candidate's instance on a build, until it is released.

        Raises:
            HarnessError: the build is unavailable.
        """
        return self._engine.run(self._test_run().hold(self._parse_build(build), scenario))

    def release(self, build: str, scenario: Scenario, held: HeldInstance) -> None:
        """An instance is needed no longer; it is stopped a little later."""

        def stop_instance() -> None:
            # Closing the engine stops it as well; what fails here takes no result away.
            with suppress(HarnessError):
                self._engine.run(self._test_run().release(self._parse_build(build), scenario, held))

        # Closing the engine has begun: it stops the instance.
        with suppress(RuntimeError):
            self._releasing.submit(stop_instance)

    def measure(
        self, held: HeldInstance, scenario: Scenario, cells: tuple[Cell, ...]
    ) -> tuple[CellAnswer, ...]:
        """Measure cells, side by side; each is measured once for the session."""
        return self._engine.run(self._measure_cells(held, scenario, cells))

    def list_ciphers(self, held: HeldInstance, service: str) -> CipherAnswer:
        """The cipher suites that a service of an instance accepts.

        Raises:
            UsageError: the configuration has no such service.
            InfrastructureError: the server does not answer, or offers no TLS.
        """
        return self._engine.run(self._scan_service(held, Service(service)))

    def begin_scenarios(self, request: MeasureAhead) -> None:
        """Begin to measure scenarios."""
        assert self._scenarios is not None
        self._scenarios.begin(request)

    def await_scenario(self, request: AwaitScenario) -> ScenarioRecord:
        """Wait for a scenario on a build.

        Raises:
            InfrastructureError: it cannot be measured.
        """
        assert self._scenarios is not None
        return self._scenarios.await_scenario(request)

    def stop_scenarios(self) -> None:
        """Let no test wait for a scenario any more; closing the engine ends the run itself."""
        assert self._scenarios is not None
        self._scenarios.stop()

    def facts_of(self, build: str, held: HeldInstance) -> BuildFacts:
        """The versions of a build that has an instance."""
        facts = self._find_facts(build)
        library = held.endpoint.target.facts.openssl
        return BuildFacts(build, facts.postfix, facts.openssl, library, facts.image)

    @property
    def folders(self) -> list[Path]:
        """The run folders that have any cell."""
        assert self._scenarios is not None
        return [
            folder
            for folder in (self.folder, self._scenarios.folder)
            if (folder / "run.json").is_file()
        ]

    def close(self) -> None:
        """End everything, and write the reports of what was measured.

        Raises:
            HarnessError: a container or the network could not be removed; the next session does it.
        """
        try:
            self._releasing.shutdown()
            if self._tests is not None:
                self._engine.run(self._tests.close())
        finally:
            try:
                self._engine.close()
            finally:
                self._finish_folders()

    def _finish_folders(self) -> None:
        assert self._scenarios is not None
        self._scenarios.end()
        if self.folder in self.folders:
            write_reports(self.folder)
            point_latest(self.folder)

    def _parse_build(self, name: str) -> Build:
        return Build.parse(name, self._own.images)

    def _test_run(self) -> SessionRun:
        with self._lock:
            if self._tests is None:
                self._tests = SessionRun(self._engine, self.folder, self._own.clients)
            return self._tests

    def _note_event(self, event: object) -> None:
        if self._scenarios is not None:
            self._scenarios.note_event(event)  # type: ignore[arg-type]

    def _find_facts(self, build: str) -> BuildFacts:
        image = dict(self._engine.resources.records.get(build, {}))
        return BuildFacts(
            build, str(image.get("postfix") or ""), str(image.get("openssl") or ""), image=image
        )

    async def _measure_cells(
        self, held: HeldInstance, scenario: Scenario, cells: tuple[Cell, ...]
    ) -> tuple[CellAnswer, ...]:
        run = self._test_run()
        results = await asyncio.gather(
            *(run.measure(held, scenario, cell) for cell in cells), return_exceptions=True
        )
        return tuple(map(_answer_cell, cells, results))

    async def _scan_service(self, held: HeldInstance, service: Service) -> CipherAnswer:
        target = await find_target(self._engine, held.endpoint, service)
        result = await asyncio.to_thread(scan_server, target, ciphers_only=True)
        names = dict.fromkeys(accepted.cipher for accepted in result.accepted)
        return CipherAnswer(tuple(names), result.not_measured)


def _answer_cell(cell: Cell, result: Observation | BaseException) -> CellAnswer:
    """A cell's answer.

    Raises:
        BaseException: what is no error of the harness's own.
    """
    if isinstance(result, EngineClosedError) or (
        isinstance(result, BaseException) and not isinstance(result, HarnessError)
    ):
        raise result
    if isinstance(result, HarnessError):
        return CellAnswer(cell.id, None, str(result))
    return CellAnswer(cell.id, result)
