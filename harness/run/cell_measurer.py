"""Cells measured for a run, one by one: the dialogue, its controls, the record of both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness import __version__
from harness.catalog.cells import Cell
from harness.clients.contract import Credentials
from harness.clients.controls import control_cells
from harness.observations.decide import ControlEvidence
from harness.observations.evidence_names import again_path
from harness.observations.journal import Journal
from harness.observations.reasons import UNRECOGNISED
from harness.observations.record import Again, AgainReason, Observation, Outcome, Stage
from harness.observations.run_record import utc_now
from harness.run.control_checks import ControlChecks
from harness.run.endpoints import PostfixEndpoint
from harness.run.engine import Engine
from harness.run.events import Listener, Seen
from harness.run.instances import HeldInstance
from harness.run.known_cells import KnownCells
from harness.run.measure import Endpoint, Measured, measure
from harness.run.outbound import measure_outbound
from harness.run.permissive_checks import PermissiveChecks
from harness.run.run_resources import RunResources
from harness.scenarios.scenario import Scenario
from harness.targets.sasl import PASSWORD, USERNAME
from harness.tls import Offer, Service

#: Seconds to wait before what found no way through the containers' network is tried once more.
NETWORK_PAUSE = 1.0
#: Reasons that say only that a connection ended.
_WITHOUT_CAUSE = frozenset({"closed", UNRECOGNISED})
CREDENTIALS = Credentials(USERNAME, PASSWORD)


class CellMeasurer:
    """Measures cells and records them in the journal.

    ``prior`` are the observations of a run that is resumed; those that failed for reasons of the
    harness are measured again. ``known`` has cells of controls of earlier runs. ``began`` and
    ``ended`` are times of the monotonic clock, of the first cell's begin and the last one's end;
    control cells do not count.
    """

    def __init__(
        self,
        engine: Engine,
        resources: RunResources,
        journal: Journal,
        listener: Listener,
        prior: Iterable[Observation] = (),
        known: KnownCells | None = None,
    ) -> None:
        self.began: float | None = None
        self.ended: float | None = None
        self.measured = 0
        #: In place of the engine's number of dialogues at a time.
        self.slots: asyncio.Semaphore | None = None
        #: The last line of each cell in the journal.
        self._recorded = {observation.cell: observation for observation in prior}
        self.prior = {
            observation.cell: observation
            for observation in self._recorded.values()
            if observation.outcome is not Outcome.ERROR
        }
        self._known = known
        self._engine = engine
        self._resources = resources
        self._journal = journal
        self._listener = listener
        asking = (self._find_known, self._measure_on, self._record_cell)
        self._controls = ControlChecks(resources, *asking)
        self._copies = PermissiveChecks(engine, resources, journal, *asking)

    @property
    def seconds(self) -> float | None:
        """Wall time from the begin of the first cell to the end of the last."""
        if self.began is None or self.ended is None:
            return None
        return self.ended - self.began

    async def measure_cell(
        self,
        cell: Cell,
        held: HeldInstance,
        scenario: Scenario,
        faults: Sequence[str] = (),
    ) -> Observation | None:
        """Measure and record one cell; None where its client, or the peers, are unavailable.

        ``faults`` are what took an earlier measurement of it in this run away.

        Raises:
            FaultError: what it is measured with was ended, stopped or cut off.
            HarnessError: something else that it needs is unavailable.
        """
        if cell.service is Service.OUTBOUND:
            measured = await self._measure_outbound(cell, held.endpoint, scenario)
        else:
            control = await self._controls.check(cell, held.endpoint.dialogue(cell.service))
            measured = await self._measure_on(cell, held.endpoint, control)
            if measured is not None:
                measured = await self._copies.explain(measured, cell, held, scenario)
        if measured is None:
            return None
        return self._record_cell(_add_faults(measured, faults))

    def knows_controls_of(self, client: str, offer: Offer) -> bool:
        """Whether some control's cell with a client and offer is known already."""
        cells = control_cells(client, offer)
        return any(cell.id in self.prior for cell in cells) or (
            self._known is not None and self._known.knows_controls_of(client, offer)
        )

    async def close(self) -> None:
        """Stop what is being measured, and the permissive copies."""
        await self._controls.close()
        await self._copies.close()

    async def _measure_outbound(
        self, cell: Cell, endpoint: PostfixEndpoint, scenario: Scenario
    ) -> Measured | None:
        network = await self._resources.peers()
        if network is None:
            return None
        server = network.server(cell.client, cell.offer)
        limit = self._engine.lab.pace.stretch(self._engine.options.time_limit)
        async with self.slots or self._engine.slots:
            self.began = self.began or time.monotonic()
            measured = await measure_outbound(cell, endpoint, server, limit, scenario.headers)
            if _found_no_way(measured.observation):
                await asyncio.sleep(NETWORK_PAUSE)
                measured = await measure_outbound(cell, endpoint, server, limit, scenario.headers)
            self.ended = time.monotonic()
            self.measured += 1
        return measured

    async def _measure_on(
        self, cell: Cell, endpoint: Endpoint, control: ControlEvidence
    ) -> Measured | None:
        """Measure one cell; None where its client is unavailable.

        What found no way through the network, or ended without a cause that anything tells, is
        measured once more at once.
        """
        measured = await self._measure_once(cell, endpoint, control)
        if measured is None:
            return None
        if _found_no_way(measured.observation):
            await asyncio.sleep(NETWORK_PAUSE)
            measured = await self._measure_once(cell, endpoint, control)
            if measured is not None and _found_no_way(measured.observation):
                return await self._measure_connected(cell, endpoint, control)
            return measured
        if is_unexplained(measured.observation):
            second = await self._measure_once(cell, endpoint, control)
            if second is not None and second.observation.outcome is not Outcome.REFUSED:
                first = measured.observation
                fault = f"{first.outcome} at first, with nothing that explains it: {first.reason}"
                return _add_faults(second, [fault])
        return measured

    async def _measure_connected(
        self, cell: Cell, endpoint: Endpoint, control: ControlEvidence
    ) -> Measured | None:
        """Measure a cell after a look at whether both containers are on the network.

        Raises:
            FaultError: the server's is not.
        """
        await asyncio.to_thread(endpoint.target.check_network)
        if (driver := await self._resources.driver(cell.client)) is not None:
            await driver.check_network()
        return await self._measure_once(cell, endpoint, control)

    async def _measure_once(
        self, cell: Cell, endpoint: Endpoint, control: ControlEvidence
    ) -> Measured | None:
        driver = await self._resources.driver(cell.client)
        if driver is None:
            return None
        async with endpoint.turn(cell.client), self.slots or self._engine.slots:
            if self.began is None and not cell.is_control:
                self.began = time.monotonic()
            limit = self._engine.lab.pace.stretch(self._engine.options.time_limit)
            measured = await measure(cell, endpoint, driver, control, CREDENTIALS, limit)
            if not cell.is_control:
                self.ended = time.monotonic()
                self.measured += 1
        return measured

    def _find_known(self, cell: Cell) -> Observation | None:
        """A control's cell that need not be measured; one of another run is recorded here."""
        observation = self.prior.get(cell.id)
        if observation is None and self._known is not None:
            observation = self._known.take_control(cell, self._journal)
            if observation is not None:
                self.prior[cell.id] = observation
        return observation

    def _record_cell(self, measured: Measured) -> Observation:
        observation = self._add_origin(self._name_earlier(measured))
        self._recorded[observation.cell] = observation
        self._journal.append(observation, measured.evidence)
        self._listener(Seen(observation))
        return observation

    def _name_earlier(self, measured: Measured) -> Observation:
        """The observation, which names the one before it of the same cell: none is overwritten."""
        observation = measured.observation
        earlier = self._recorded.get(observation.cell)
        if earlier is None and not measured.evidence.get("faults"):
            return observation
        again = Again(_why_again(earlier), earlier.evidence if earlier else None)
        evidence = observation.evidence if again.evidence is None else again_path(again.evidence)
        return replace(observation, again=again, evidence=evidence)

    def _add_origin(self, observation: Observation) -> Observation:
        """The observation with its run, its time and the versions: its line stands alone."""
        postfix, openssl = self._resources.versions(observation.build)
        return replace(
            observation,
            run=self._journal.folder.name,
            measured=utc_now(),
            tool=__version__,
            postfix=postfix,
            openssl=openssl,
        )


def is_unexplained(observation: Observation) -> bool:
    """Whether a refusal rests on nothing but that the connection ended.

    So it looks when a client's program is killed; a server that refuses says something, or logs it.
    """
    return observation.outcome is Outcome.REFUSED and observation.reason in _WITHOUT_CAUSE


def _add_faults(measured: Measured, faults: Sequence[str]) -> Measured:
    """A measurement with what took earlier ones away."""
    if not faults:
        return measured
    evidence = {**measured.evidence, "faults": [*measured.evidence.get("faults", ()), *faults]}
    return replace(measured, evidence=evidence)


def _why_again(earlier: Observation | None) -> AgainReason:
    match None if earlier is None else earlier.outcome:
        case Outcome.TIMEOUT:
            return AgainReason.TIMEOUT
        case Outcome.ERROR:
            return AgainReason.ERROR
    return AgainReason.FAULT


def _found_no_way(observation: Observation) -> bool:
    """Whether a client found no way to the server at all, which is the network's doing.

    A bridge that is busy with starting containers may lose a first packet ("no route to host").
    """
    return observation.outcome is Outcome.ERROR and observation.stage is Stage.CONNECT
