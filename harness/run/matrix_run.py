"""A run: every cell of the plan measured as soon as what it needs is there.

Spans the stages and judges nothing: what came of a cell is decided in ``observations``. Builds and
cells overlap; the first build's cells run while other images are still being made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from harness.catalog.builds import Build
from harness.catalog.cells import Cell
from harness.catalog.clients import Client
from harness.catalog.plan import Plan
from harness.clients.contract import Credentials
from harness.errors import HarnessError
from harness.images.image_builder import ImageBuilder
from harness.observations.decide import ControlEvidence
from harness.observations.journal import Journal
from harness.observations.record import Observation, Outcome, Stage
from harness.run.container_groups import groups
from harness.run.control_checks import ControlChecks
from harness.run.endpoints import (
    PostfixEndpoint,
    instance_evidence,
)
from harness.run.events import (
    Listener,
    Planned,
    Seen,
    Step,
)
from harness.run.measure import (
    Endpoint,
    Measured,
    measure,
)
from harness.run.outbound import measure_outbound
from harness.run.resources import Resources
from harness.scenarios.lab_names import needs_names
from harness.scenarios.scenario import Scenario
from harness.targets.lab import Lab
from harness.targets.postfix import Instance, PostfixTarget
from harness.targets.sasl import PASSWORD, USERNAME
from harness.tls import Service

#: Blocking calls that may wait at once: images being made, containers starting, mailboxes read.
THREADS = 32
#: Instances that are up at a time: each is a handful of processes, which stay for their idle time.
MOST_INSTANCES = 96
#: Seconds to wait before what found no way through the containers' network is tried once more.
LAB_PAUSE = 1.0
CREDENTIALS = Credentials(USERNAME, PASSWORD)


@dataclass(frozen=True, slots=True)
class Options:
    """``jobs``: dialogues at a time. ``time_limit``: of one dialogue, in seconds.

    ``keep``: instances are left running, for a look at them.
    """

    jobs: int = 8
    time_limit: float = 10.0
    keep: bool = False


class MatrixRun:
    """One run; ``execute`` does it.

    ``builds`` has the plan's, by name; ``own`` are the user's own clients. ``prior`` and ``before``
    are the observations and image ids of a run that is resumed; ``changed`` is called whenever
    there is something new to say of images and what is missing.
    """

    def __init__(
        self,
        plan: Plan,
        scenarios: Mapping[str, Scenario],
        builds: Mapping[str, Build],
        *,
        lab: Lab,
        shop: ImageBuilder,
        journal: Journal,
        own: Iterable[Client] = (),
        prior: Iterable[Observation] = (),
        before: Mapping[str, str] | None = None,
        changed: Callable[[], None] = lambda: None,
        options: Options | None = None,
        listener: Listener = lambda _: None,
    ) -> None:
        self.plan = plan
        self.ready = Resources(
            plan,
            builds,
            lab,
            shop,
            listener,
            own=own,
            before=before,
            changed=changed,
            resolves=any(needs_names(scenarios[name]) for name in plan.scenarios),
        )
        self.began: float | None = None
        self.ended: float | None = None
        self.measured = 0
        self._scenarios = scenarios
        self._journal = journal
        # What failed for our own reasons is measured again.
        self._prior = {one.cell: one for one in prior if one.outcome is not Outcome.ERROR}
        self._options = options or Options()
        self._tell = listener
        self._proofs = ControlChecks(
            self.ready, scenarios, journal, self._prior, self._measure, self._record
        )

    @property
    def seconds(self) -> float | None:
        """Wall time from the begin of the first cell to the end of the last."""
        if self.began is None or self.ended is None:
            return None
        return self.ended - self.began

    async def execute(self) -> None:
        """Measure all cells of the plan that are not done yet.

        Raises:
            HarnessError: something that every cell needs could not be had.
        """
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="postfix-matrix")
        asyncio.get_running_loop().set_default_executor(pool)
        self._slots = asyncio.Semaphore(self._options.jobs)
        self._room = asyncio.Semaphore(MOST_INSTANCES)
        done = sum(cell.id in self._prior for cell in self.plan.cells())
        self._tell(Planned(len(self.plan), done))
        self.ready.begin()
        try:
            async with asyncio.TaskGroup() as group:
                for name in self.plan.builds:
                    group.create_task(self._build(name))
        except BaseExceptionGroup as trouble:
            raise first_error(trouble) from trouble
        finally:
            self._proofs.cancel()
            await self.ready.end()

    async def _build(self, name: str) -> None:
        cells = [cell for cell in self.plan.cells_of(name) if cell.id not in self._prior]
        if not cells:
            return
        target = await self.ready.build(name)
        if target is None:
            return
        wanted = dict.fromkeys(cell.scenario for cell in cells)
        together, *apart = groups(self._scenarios[scenario] for scenario in wanted)
        try:
            async with asyncio.TaskGroup() as group:
                await self._instances(target, together, cells, group)
                for number, scenarios in enumerate(apart, start=2):
                    further = await self.ready.further(name, number)
                    await self._instances(further, scenarios, cells, group)
        except BaseExceptionGroup as trouble:
            error = first_error(trouble)
            if not isinstance(error, HarnessError):
                raise
            # The other builds go on.
            self.ready.lost(name, "build", error)

    async def _instances(
        self,
        target: PostfixTarget,
        scenarios: Iterable[str],
        cells: list[Cell],
        group: asyncio.TaskGroup,
    ) -> None:
        """Start one instance after the other, and each one's cells as soon as it listens."""
        # No cell can be measured before a control; its start is not to be slowed by instances.
        await self.ready.first_control()
        scenarios = tuple(scenarios)
        outbound = any(cell.service is Service.OUTBOUND for cell in cells)
        if outbound or any(needs_names(self._scenarios[scenario]) for scenario in scenarios):
            resolver = await self.ready.resolver()
            if resolver is not None:
                await asyncio.to_thread(target.use_resolver, resolver)
        for scenario in scenarios:
            mine = [cell for cell in cells if cell.scenario == scenario]
            await self._room.acquire()
            try:
                bench = await self._instance(target, scenario)
            except BaseException:
                self._room.release()
                raise
            group.create_task(self._config(bench, mine))
        self._tell(Step(target.name, ""))

    async def _instance(self, target: PostfixTarget, scenario: str) -> PostfixEndpoint:
        self._tell(Step(target.name, f"starting an instance with {scenario}"))
        instance = await asyncio.to_thread(
            target.start_instance,
            self._scenarios[scenario],
            await self.ready.sasl(),
        )
        return PostfixEndpoint(target, instance, await self._proxied(target, instance))

    async def _proxied(
        self, target: PostfixTarget, instance: Instance
    ) -> dict[Service, tuple[str, int]]:
        """HAProxy before each of an instance's services that expect its protocol."""
        if self._scenarios[instance.scenario].as_is:
            return {}
        expecting = [each.service for each in instance.config.listeners if each.proxied]
        if not expecting:
            return {}
        proxy = await self.ready.proxy()
        ports = await asyncio.gather(
            *(
                asyncio.to_thread(proxy.forward, target.address, instance.ports[service])
                for service in expecting
            )
        )
        return {service: (proxy.host, port) for service, port in zip(expecting, ports, strict=True)}

    async def _config(self, bench: PostfixEndpoint, cells: list[Cell]) -> None:
        """Measure one instance's cells, keep what it is and says, and make room for another."""
        try:
            async with asyncio.TaskGroup() as group:
                for cell in cells:
                    group.create_task(self._cell(cell, bench))
            check = await asyncio.to_thread(bench.target.check, bench.instance.directory)
            evidence = instance_evidence(bench, check)
            self._journal.write_instance(bench.target.name, bench.instance.scenario, evidence)
            if not self._options.keep:
                await asyncio.to_thread(bench.target.stop_instance, bench.instance)
        finally:
            self._room.release()

    async def _cell(self, cell: Cell, bench: PostfixEndpoint) -> None:
        if cell.service is Service.OUTBOUND:
            await self._outbound(cell, bench)
            return
        control = await self._proofs.control(cell, bench.dialogue(cell.service))
        measured = await self._measure(cell, bench, control)
        if measured is not None and _no_way(measured.observation):
            await asyncio.sleep(LAB_PAUSE)
            measured = await self._measure(cell, bench, control)
        if measured is not None:
            self._record(await self._proofs.explained(measured, cell, bench))

    async def _outbound(self, cell: Cell, bench: PostfixEndpoint) -> None:
        """Measure a cell in which the build sends; nothing where there is nobody to send to."""
        post = await self.ready.post()
        if post is None:
            return
        async with self._slots:
            self.began = self.began or time.monotonic()
            server = post.server(cell.client, cell.offer)
            headers = self._scenarios[cell.scenario].headers
            limit = self._options.time_limit
            measured = await measure_outbound(cell, bench, server, limit, headers)
            if _no_way(measured.observation):
                await asyncio.sleep(LAB_PAUSE)
                measured = await measure_outbound(cell, bench, server, limit, headers)
            self.ended = time.monotonic()
            self.measured += 1
        self._record(measured)

    async def _measure(
        self, cell: Cell, bench: Endpoint, control: ControlEvidence
    ) -> Measured | None:
        """Measure one cell; None where its client could not be had."""
        driver = await self.ready.driver(cell.client)
        if driver is None:
            return None
        async with self._slots:
            if self.began is None and not cell.is_control:
                self.began = time.monotonic()
            measured = await measure(
                cell, bench, driver, control, CREDENTIALS, self._options.time_limit
            )
            if not cell.is_control:
                self.ended = time.monotonic()
                self.measured += 1
        return measured

    def _record(self, measured: Measured) -> None:
        self._journal.append(measured.observation, measured.evidence)
        self._tell(Seen(measured.observation))


def _no_way(seen: Observation) -> bool:
    """Whether a client found no way to the server at all, which is the lab's doing.

    A bridge that is busy with starting containers may lose a first packet ("no route to host").
    """
    return seen.outcome is Outcome.ERROR and seen.stage is Stage.CONNECT


def first_error(trouble: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that a group of tasks failed with; our own before anything else."""
    flat: list[BaseException] = []
    for error in trouble.exceptions:
        flat.append(first_error(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((error for error in flat if isinstance(error, HarnessError)), flat[0])
