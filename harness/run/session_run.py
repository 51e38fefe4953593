"""Cells measured one by one, at a caller's request, and recorded in one run folder."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path

from harness.catalog.builds import Build
from harness.catalog.cells import Cell
from harness.catalog.clients import Client
from harness.catalog.plan import plan_of_cells
from harness.errors import HarnessError, InfrastructureError, UsageError
from harness.observations.journal import Journal
from harness.observations.record import Observation
from harness.observations.run_record import RunOpening, closing_figures, utc_now
from harness.run.cell_measurer import CellMeasurer
from harness.run.endpoints import instance_evidence
from harness.run.engine import Engine, EngineClosedError
from harness.run.instances import HeldInstance
from harness.run.run_resources import RunResources
from harness.run.shared_tasks import SharedTasks
from harness.scenarios.scenario import Scenario
from harness.tls import Offer, Service


class SessionRun:
    """A run without a plan. Its methods are for the engine's event loop, but for the constructor.

    ``observations`` are the cells so far, control cells aside, in the order of their ends.
    """

    def __init__(self, engine: Engine, folder: Path, user_clients: Iterable[Client] = ()) -> None:
        self.folder = folder
        self.observations: list[Observation] = []
        self._builds: dict[str, Build] = {}
        self._scenarios: dict[str, Scenario] = {}
        self._cells: dict[Cell, None] = {}
        self._axes: set[str] = set()
        self._is_closed = False
        self._tasks = SharedTasks()
        self._started = utc_now()
        try:
            self._journal = Journal(folder)
        except OSError as error:
            raise InfrastructureError(
                f"the run's folder {folder} cannot be written: {error.strerror}",
                next_step="name another place for the runs",
            ) from error
        self._resources = RunResources(
            engine,
            self._builds,
            engine.listener,
            user_clients=user_clients,
            on_change=self._write_record,
        )
        self._measurer = CellMeasurer(engine, self._resources, self._journal, engine.listener)

    async def hold(self, build: Build, scenario: Scenario) -> HeldInstance:
        """The scenario's instance on a build, until it is released; its evidence is kept at once.

        Raises:
            UsageError: another scenario of the same id was measured.
            HarnessError: the build is unavailable.
        """
        self._check_open()
        self._builds[build.id] = build
        known = self._scenarios.setdefault(scenario.id, scenario)
        if known.digest != scenario.digest:
            raise UsageError(
                f"the scenario {scenario.id} is another one than before",
                cause="results are told apart by the scenario's id",
                next_step="give the scenario another id",
            )
        held = await self._resources.instance(build.id, scenario)
        self._write_instance(build, scenario, held)
        return held

    async def release(self, build: Build, scenario: Scenario, held: HeldInstance) -> None:
        """An instance is needed no longer; what ``postfix check`` prints of it is kept."""
        target, instance = held.endpoint.target, held.endpoint.instance
        try:
            check = await asyncio.to_thread(target.check, instance.directory)
            self._write_instance(build, scenario, held, check)
        except InfrastructureError:
            if not await target.has_died():
                raise
        finally:
            await self._resources.release(build.id, scenario)

    async def measure(self, held: HeldInstance, scenario: Scenario, cell: Cell) -> Observation:
        """Measure a cell of an instance; one that was measured before is not measured again.

        One that failed with an error is measured anew when it is asked for again.

        Raises:
            UsageError: there is no such client, the configuration has no such service, or the cell
                is of outgoing mail.
            InfrastructureError: the client is unavailable, or the container has died.
        """
        self._check_open()
        if cell.service is Service.OUTBOUND:
            raise UsageError(
                "mail that goes out cannot be measured on a single instance",
                next_step="use 'postfix-matrix run -S outbound'",
            )
        services = [known.service for known in held.endpoint.instance.config.listeners]
        if cell.service not in services:
            raise UsageError(
                f"the configuration has no service {cell.service}",
                next_step=f"name one that it has: {', '.join(services) or 'it has none'}",
            )
        # Found out now: else controls would be made and started for it first.
        self._resources.find_client(cell.client)
        try:
            observation: Observation = await self._tasks.result(
                cell.id, lambda: self._measure_once(held, scenario, cell)
            )
        except HarnessError:
            self._tasks.forget(cell.id)
            raise
        return observation

    async def close(self) -> None:
        """End what is being measured, and complete the run folder."""
        self._is_closed = True
        await self._tasks.cancel()
        await self._measurer.close()
        self._journal.close()
        self._write_record(is_finished=True)

    async def _measure_once(
        self, held: HeldInstance, scenario: Scenario, cell: Cell
    ) -> Observation:
        self._note_cell(cell)
        observation = await self._measurer.measure_cell(cell, held, scenario)
        if observation is None:
            raise InfrastructureError(
                f"the client {cell.client} is unavailable: "
                f"{self._resources.why_unavailable(cell.client)}"
            )
        self.observations.append(observation)
        return observation

    def _check_open(self) -> None:
        if self._is_closed:
            raise EngineClosedError

    def _note_cell(self, cell: Cell) -> None:
        """Keep a cell for the plan; run.json is written anew where it has no such axis yet."""
        self._cells[cell] = None
        axes = set(cell.id.split("/"))
        if not axes <= self._axes:
            self._axes |= axes
            self._write_record()

    def _write_instance(
        self, build: Build, scenario: Scenario, held: HeldInstance, check: str | None = None
    ) -> None:
        evidence = instance_evidence(held.endpoint, check)
        self._journal.write_instance(build.id, scenario.id, evidence)

    def _write_record(self, *, is_finished: bool = False) -> None:
        """Write run.json; a run without a cell has none, for it has no axes."""
        if not self._cells:
            return
        plan = plan_of_cells(self._cells)
        opening = RunOpening(
            self.folder.name, sys.argv, plan, self._scenarios, self._started, self.folder
        )
        closing = None
        if is_finished:
            measured, seconds = self._measurer.measured, self._measurer.seconds
            closing = closing_figures(plan, self.observations, measured, seconds)
        resources = self._resources
        self._journal.write_run(opening.record(resources.images, resources.missing, closing))


def parse_cell(build: Build, scenario: Scenario, service: str, client: str, offer: str) -> Cell:
    """A cell from what a caller wrote.

    Raises:
        UsageError: there is no such service, or no such offer.
    """
    try:
        return Cell(build.id, scenario.id, Service(service), client, Offer.parse(offer))
    except ValueError:
        raise UsageError(
            f"there is no service {service!r}",
            next_step="name smtp, submission or submissions, or a port such as 2525",
        ) from None
