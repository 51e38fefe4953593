"""Cells measured for a run, one by one: the dialogue, its controls, the record of both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace

from harness import __version__
from harness.catalog.cells import Cell
from harness.clients.contract import Credentials
from harness.clients.controls import control_cells
from harness.observations.decide import ControlEvidence
from harness.observations.journal import Journal
from harness.observations.record import Observation, Outcome, Stage
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
        self.prior = {
            observation.cell: observation
            for observation in prior
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
        self, cell: Cell, held: HeldInstance, scenario: Scenario
    ) -> Observation | None:
        """Measure and record one cell; None where its client, or the peers, are unavailable."""
        if cell.service is Service.OUTBOUND:
            return await self._measure_outbound(cell, held.endpoint, scenario)
        control = await self._controls.check(cell, held.endpoint.dialogue(cell.service))
        measured = await self._measure_on(cell, held.endpoint, control)
        if measured is not None and _found_no_way(measured.observation):
            await asyncio.sleep(NETWORK_PAUSE)
            measured = await self._measure_on(cell, held.endpoint, control)
        if measured is None:
            return None
        return self._record_cell(await self._copies.explain(measured, cell, held, scenario))

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
    ) -> Observation | None:
        network = await self._resources.peers()
        if network is None:
            return None
        server = network.server(cell.client, cell.offer)
        limit = self._engine.options.time_limit
        async with self._engine.slots:
            self.began = self.began or time.monotonic()
            measured = await measure_outbound(cell, endpoint, server, limit, scenario.headers)
            if _found_no_way(measured.observation):
                await asyncio.sleep(NETWORK_PAUSE)
                measured = await measure_outbound(cell, endpoint, server, limit, scenario.headers)
            self.ended = time.monotonic()
            self.measured += 1
        return self._record_cell(measured)

    async def _measure_on(
        self, cell: Cell, endpoint: Endpoint, control: ControlEvidence
    ) -> Measured | None:
        """Measure one cell; None where its client is unavailable."""
        driver = await self._resources.driver(cell.client)
        if driver is None:
            return None
        async with endpoint.turn(cell.client), self._engine.slots:
            if self.began is None and not cell.is_control:
                self.began = time.monotonic()
            limit = self._engine.options.time_limit
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
        observation = self._add_origin(measured.observation)
        self._journal.append(observation, measured.evidence)
        self._listener(Seen(observation))
        return observation

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


def _found_no_way(observation: Observation) -> bool:
    """Whether a client found no way to the server at all, which is the network's doing.

    A bridge that is busy with starting containers may lose a first packet ("no route to host").
    """
    return observation.outcome is Outcome.ERROR and observation.stage is Stage.CONNECT
