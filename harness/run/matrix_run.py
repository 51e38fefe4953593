"""A run of a plan: every cell measured as soon as what it needs is there.

What came of a cell is decided in ``observations``. Builds and cells overlap; the first build's
cells run while other images are still being made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, nullcontext, suppress

from harness.catalog.builds import Build
from harness.catalog.cells import Cell
from harness.catalog.clients import Client, Control, all_controls
from harness.catalog.plan import Plan
from harness.clients.controls import first_controls
from harness.errors import FaultError, HarnessError, InfrastructureError
from harness.observations.journal import Journal
from harness.observations.record import Observation, Outcome
from harness.run.cell_measurer import CellMeasurer
from harness.run.endpoints import instance_evidence
from harness.run.engine import MOST_JOBS, Engine
from harness.run.events import Listener, Planned, ScenarioMeasured, Step
from harness.run.instances import HeldInstance
from harness.run.known_cells import KnownCells
from harness.run.run_resources import RunResources
from harness.run.second_tries import SecondTries, Stagger, group_by_build
from harness.scenarios.lab_names import needs_names
from harness.scenarios.scenario import Scenario
from harness.tls import Service


class MatrixRun:
    """One run on an engine; ``execute`` carries it out.

    ``builds`` has the plan's, by name; ``user_clients`` are clients of the user's. ``prior`` and
    ``image_ids`` are the observations and image ids of a run that is resumed. ``on_change`` is
    called whenever there is something new to record of images and what is unavailable; the
    ``listener`` is the engine's unless there is another. ``only`` are the ids of the cells to
    measure, None for all; ``alone``: one cell at a time, so that none disturbs another. ``known``
    has cells of controls that an earlier run measured. ``checks_later``: do not wait for ``postfix
    check`` of instances that serve (:meth:`harness.run.engine.Engine.finish` does).
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        scenarios: Mapping[str, Scenario],
        builds: Mapping[str, Build],
        *,
        journal: Journal,
        user_clients: Iterable[Client] = (),
        prior: Iterable[Observation] = (),
        image_ids: Mapping[str, str] | None = None,
        on_change: Callable[[], None] = lambda: None,
        listener: Listener | None = None,
        only: frozenset[str] | None = None,
        alone: bool = False,
        known: KnownCells | None = None,
        checks_later: bool = False,
    ) -> None:
        listener = listener or engine.listener
        self.plan = plan
        self.resources = RunResources(
            engine,
            builds,
            listener,
            user_clients=user_clients,
            image_ids=image_ids,
            on_change=on_change,
        )
        self.cells = CellMeasurer(engine, self.resources, journal, listener, prior, known)
        self._engine = engine
        self._scenarios = scenarios
        self._journal = journal
        self._listener = listener
        self._only = only
        self._checks_later = checks_later
        self._turns = asyncio.Semaphore(1) if alone else None
        #: Set while cells that timed out are measured again.
        self._apart: Stagger | None = None
        pending = (cell for cell in plan.cells() if only is None or cell.id in only)
        self._again = SecondTries(pending, self.cells.prior)

    async def execute(self) -> None:
        """Measure all cells of the plan that are not measured yet.

        Raises:
            HarnessError: something that every cell needs is unavailable.
        """
        self._listener(Planned(len(self.plan), sum(map(self._is_measured, self.plan.cells()))))
        left = {build: self._list_left(build) for build in self.plan.builds}
        cells = [cell for of_build in left.values() for cell in of_build]
        if not cells and not self._again.timed_out:
            return
        names = any(needs_names(self._scenarios[name]) for name in self.plan.scenarios)
        every = [*cells, *self._again.timed_out]
        self.resources.prepare(self.plan, every, self._first_controls(every), needs_names=names)
        try:
            await self._measure_builds(left)
            if faulted := self._again.take_faulted():
                await self._measure_builds(group_by_build(faulted))
            if timed_out := self._again.take_timed_out():
                self._apart = Stagger(self._engine.lab.pace)
                self.cells.slots = asyncio.Semaphore(MOST_JOBS)
                await self._measure_builds(group_by_build(timed_out))
        finally:
            await self.cells.close()

    async def _measure_builds(self, left: Mapping[str, list[Cell]]) -> None:
        """Measure cells by build, all builds at a time.

        Raises:
            HarnessError: something that every cell needs is unavailable.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for name, of_build in left.items():
                    group.create_task(self._measure_build(name, of_build))
        except BaseExceptionGroup as trouble:
            raise first_error(trouble) from trouble

    def _is_measured(self, cell: Cell) -> bool:
        return cell.id in self.cells.prior

    def _list_left(self, build: str) -> list[Cell]:
        """A build's cells that are to be measured."""
        return [
            cell
            for cell in self.plan.cells_of(build)
            if not self._is_measured(cell) and (self._only is None or cell.id in self._only)
        ]

    def _first_controls(self, cells: Iterable[Cell]) -> tuple[Control, ...]:
        """The controls that some of the cells will ask first, unless what they show is known.

        One that turns out to be needed is started when it is asked.
        """
        inbound = (cell for cell in cells if cell.service is not Service.OUTBOUND)
        needed = {
            control: None
            for client, offer in dict.fromkeys((cell.client, cell.offer) for cell in inbound)
            if not self.cells.knows_controls_of(client, offer)
            for control in first_controls([offer], all_controls())
        }
        # In the order in which they become useful: those that permit before the one that forbids.
        return tuple(sorted(needed, key=lambda control: control.forbids))

    async def _measure_build(self, build: str, cells: list[Cell]) -> None:
        if not cells or not await self.resources.build_image(build):
            return
        try:
            await self._measure_scenarios(build, cells)
        except HarnessError as error:
            # The other builds go on, and its own cells have another try if it was a fault.
            if not self._again.note_faults(cells, error):
                self.resources.report_unavailable(build, "build", error)

    async def _measure_scenarios(self, build: str, cells: list[Cell]) -> None:
        """Start one instance after the other, and each one's cells as soon as it listens.

        Raises:
            HarnessError: a container died, or what every cell needs is unavailable.
        """
        names = list(dict.fromkeys(cell.scenario for cell in cells))
        container = await self.resources.container(build, self._scenarios[names[0]])
        try:
            # No cell can be measured before a control; its start is not to be slowed by instances.
            await self._engine.resources.first_control()
            async with asyncio.TaskGroup() as group:
                for name in names:
                    of_scenario = [cell for cell in cells if cell.scenario == name]
                    self._listener(Step(build, f"starting an instance with {name}"))
                    held = await self.resources.instance(build, self._scenarios[name])
                    group.create_task(self._measure_scenario(held, of_scenario))
                self._listener(Step(build, ""))
        except BaseExceptionGroup as trouble:
            raise first_error(trouble) from trouble
        finally:
            self._engine.containers.give_back(container)

    async def _measure_scenario(self, held: HeldInstance, cells: list[Cell]) -> None:
        """Measure one instance's cells, keep what it is and logged, and make room for another."""
        build, scenario = cells[0].build, self._scenarios[cells[0].scenario]
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.resources.release, build, scenario)
            # Kept before the first cell: a run that is stopped keeps what its cells were about.
            evidence = instance_evidence(held.endpoint)
            if self._apart is None:
                self._journal.write_instance(build, scenario.id, evidence)
            async with asyncio.TaskGroup() as group:
                measuring = [
                    group.create_task(self._measure_cell(cell, held, scenario)) for cell in cells
                ]
            if self._apart is not None:
                # It was checked when its cells were measured first.
                return
            is_served = all(task.result() is not Outcome.CONFIG_REJECTED for task in measuring)
            if self._checks_later and is_served:
                # Without the messages of the check, until it has ended.
                evidence = instance_evidence(held.endpoint)
                self._journal.write_instance(build, scenario.id, evidence)
                self._engine.finish_later(self._check_later(held, scenario, stack.pop_all()))
            else:
                await self._check_instance(held, scenario)
            self._listener(ScenarioMeasured(build, scenario.id))

    async def _check_later(
        self, held: HeldInstance, scenario: Scenario, stack: AsyncExitStack
    ) -> None:
        """Check an instance whose cells have been answered for, and release it."""
        # All that its results rest on is kept; a container that dies now takes nothing away.
        with suppress(HarnessError):
            async with stack:
                await self._check_instance(held, scenario)

    async def _check_instance(self, held: HeldInstance, scenario: Scenario) -> None:
        """Keep the evidence of an instance, with the messages of ``postfix check``."""
        endpoint = held.endpoint
        try:
            check = await asyncio.to_thread(endpoint.target.check, endpoint.instance.directory)
        except FaultError:
            # Its cells are kept, or have another try; that it was not checked is in its evidence.
            return
        evidence = instance_evidence(endpoint, check)
        self._journal.write_instance(held.container.build, scenario.id, evidence)

    async def _measure_cell(
        self, cell: Cell, held: HeldInstance, scenario: Scenario
    ) -> Outcome | None:
        """Measure a cell; its outcome, None where it has none (yet)."""
        faults = self._again.faults_of(cell)
        async with self._apart or self._turns or nullcontext():
            try:
                observation = await self.cells.measure_cell(cell, held, scenario, faults)
            except InfrastructureError as error:
                # The other cells go on.
                if not self._again.note_faults([cell], error):
                    self.resources.report_unavailable(cell.build, "build", error)
                return None
        if observation is None:
            return None
        self._again.note_result(cell, observation)
        return observation.outcome


def first_error(trouble: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that a group of tasks failed with; one of ours before anything else."""
    flat: list[BaseException] = []
    for error in trouble.exceptions:
        flat.append(first_error(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((error for error in flat if isinstance(error, HarnessError)), flat[0])
