"""What controls show of a client's offer: each is asked once, when it is first needed.

Which controls there are, and what their cells show, is decided elsewhere (``clients.controls``,
``observations``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from harness.catalog.cells import Cell, is_simulated
from harness.catalog.clients import Control, all_controls
from harness.clients.controls import FORBIDDING, control_cell, controls_for, forbidding_controls
from harness.errors import FaultError, HarnessError
from harness.observations.decide import CANNOT_REFUSE, ControlEvidence
from harness.observations.reasons import CLIENT_REPORTED
from harness.observations.record import Observation, Outcome
from harness.run.measure import Dialogue, Endpoint, Measured
from harness.run.run_resources import RunResources
from harness.run.shared_tasks import SharedTasks
from harness.targets.control import find_unsupported_suites
from harness.tls import Offer, Service

#: Measures a cell on an endpoint; None where its client is unavailable.
MeasureCell = Callable[[Cell, Endpoint, ControlEvidence], Awaitable[Measured | None]]
#: Records what was measured.
RecordCell = Callable[[Measured], Observation]
#: A control's cell that an earlier run measured, if it did.
FindKnown = Callable[[Cell], Observation | None]
#: The outcomes of a client at the control that forbids; one that is told to hang up may do so.
_WITHOUT_TLS = frozenset(
    {Outcome.REFUSED, Outcome.PLAINTEXT, Outcome.HUNG_UP, Outcome.WOULD_BE_REFUSED}
)
#: What a control's cell comes to where the client or the control did not answer.
_SHOWS_NOTHING = frozenset({Outcome.ERROR, Outcome.TIMEOUT})
#: With what a control's own cells are measured: nothing is shown of their client yet.
UNPROVED = ControlEvidence(None, None)


class ControlChecks:
    """The controls of a run; ``find_known`` finds cells that an earlier run measured."""

    def __init__(
        self,
        resources: RunResources,
        find_known: FindKnown,
        measure: MeasureCell,
        record: RecordCell,
    ) -> None:
        self._resources = resources
        self._find_known = find_known
        self._measure = measure
        self._record = record
        self._tasks = SharedTasks()
        #: What this run has recorded: it is not measured again where another control has a fault.
        self._observed: dict[Cell, Observation] = {}
        #: What came to nothing once.
        self._failed: set[Cell] = set()

    async def close(self) -> None:
        """Stop what is being measured."""
        await self._tasks.cancel()

    async def check(self, cell: Cell, dialogue: Dialogue) -> ControlEvidence:
        """What the controls show of the cell's client and offer, spoken to as the service is.

        Raises:
            FaultError: a control was ended or stopped as it was asked.
        """
        if cell.offer.plaintext:
            # There is nothing of TLS to be shown.
            return ControlEvidence(None, works=None, why="no control is asked to do without TLS")
        key = (cell.client, dialogue.service, cell.offer)
        try:
            evidence: ControlEvidence = await self._tasks.result(
                key, lambda: self._ask_permissive(*key)
            )
        except FaultError:
            # What shows nothing now may show something once another control is up.
            self._tasks.forget(key)
            raise
        return evidence

    async def _ask_permissive(self, client: str, service: Service, offer: Offer) -> ControlEvidence:
        """Ask one control after another until one accepts; all refusing proves inability.

        A client that is accepted must also be refused by the control that forbids. A control that
        lacks what is offered proves nothing: one that has it all must refuse.
        """
        refusing_cell: str | None = None
        unsettled: list[str] = []
        short: list[str] = []
        for control in controls_for(offer, all_controls()):
            observation, note = await self._observe_control(
                control_cell(control, service, client, offer)
            )
            if observation is not None and (
                observation.outcome in (Outcome.ACCEPTED, Outcome.HUNG_UP)
                or is_granted(observation)
            ):
                proof = await self._ask_forbidding(client, service, offer, observation.cell)
                return replace(proof, resumes=bool(observation.resumed))
            if observation is None or observation.outcome is not Outcome.CLIENT_INCAPABLE:
                unsettled.append(note)
            elif observation.reason in CLIENT_REPORTED:
                refusing_cell = observation.cell
            elif suites := await self._find_absent_suites(control, service, offer):
                short.append(f"{control.name} has not {', '.join(suites)}")
            else:
                refusing_cell = observation.cell
        if refusing_cell is not None and not unsettled:
            return ControlEvidence(refusing_cell, works=False)
        why = "; ".join([*unsettled, *short]) or "no control speaks this offer"
        return ControlEvidence(refusing_cell, works=None, why=why)

    async def _ask_forbidding(
        self, client: str, service: Service, offer: Offer, accepted: str
    ) -> ControlEvidence:
        """Whether a client that a permissive control accepted reports refusals as well.

        Left to itself it may do without TLS there; what it may not do is to report TLS.
        """
        for control in forbidding_controls(all_controls()):
            cell = control_cell(control, service, client, offer)
            observation, note = await self._observe_control(cell)
            if observation is not None and (
                observation.outcome is Outcome.ACCEPTED or is_granted(observation)
            ):
                why = f"{cell.id}: it reports TLS with a server that refuses every handshake"
                return ControlEvidence(cell.id, works=None, why=why, lack=CANNOT_REFUSE)
            if observation is None or observation.outcome not in _WITHOUT_TLS:
                return ControlEvidence(cell.id, works=None, why=note)
        return ControlEvidence(accepted, works=True)

    async def _find_absent_suites(
        self, control: Control, service: Service, offer: Offer
    ) -> tuple[str, ...]:
        """The suites of an offer that a control lacks, by the openssl of its own image."""
        endpoint = await self._resources.control(control.name)
        if endpoint is None:
            return ()
        target = endpoint.target
        suites: tuple[str, ...] = await self._tasks.result(
            ("absent suites", control.name, service, offer),
            lambda: asyncio.to_thread(find_unsupported_suites, target, offer, service),
        )
        return suites

    async def _observe_control(self, cell: Cell) -> tuple[Observation | None, str]:
        """A control's cell, measured once; and what to report where it settles nothing."""
        known = self._observed.get(cell) or self._find_known(cell)
        if known is not None:
            return known, f"{cell.id}: {known.outcome}"
        endpoint = await self._resources.control(cell.build)
        if endpoint is None:
            return None, f"{cell.build}: {self._resources.why_unavailable(cell.build)}"
        try:
            observation = await self._measure_control(cell, endpoint)
        except FaultError:
            raise
        except HarnessError as error:
            return None, f"{cell.id}: {error.what}"
        if observation is not None:
            self._observed[cell] = observation
        result = observation.outcome if observation else "the client is unavailable"
        return observation, f"{cell.id}: {result}"

    async def _measure_control(self, cell: Cell, endpoint: Endpoint) -> Observation | None:
        """Measure a control's cell; a failure must happen twice before it counts as inability."""
        expected = _expected_outcome(cell)
        measured = await self._measure(cell, endpoint, UNPROVED)
        if measured is not None and measured.observation.outcome is not expected:
            measured = await self._measure(cell, endpoint, UNPROVED)
        failed = measured is not None and measured.observation.outcome in _SHOWS_NOTHING
        if measured is not None and failed and cell not in self._failed:
            # Perhaps a fault; a second failure is recorded.
            self._failed.add(cell)
            raise FaultError(f"{cell.id}: {measured.observation.outcome}")
        return None if measured is None else self._record(measured)


def is_granted(observation: Observation) -> bool:
    """Whether the server chose something for a recorded hello, whatever its client would say."""
    by_client = observation.decided_by == "client"
    return observation.outcome is Outcome.WOULD_NEGOTIATE or (
        observation.outcome is Outcome.WOULD_BE_REFUSED and by_client
    )


def _expected_outcome(cell: Cell) -> Outcome:
    """The outcome of a control's cell with a client that can make the offer."""
    refuses = cell.scenario == FORBIDDING
    if is_simulated(cell.client):
        return Outcome.WOULD_BE_REFUSED if refuses else Outcome.WOULD_NEGOTIATE
    if cell.offer.extras.hangup:
        return Outcome.HUNG_UP
    return Outcome.REFUSED if refuses else Outcome.ACCEPTED
