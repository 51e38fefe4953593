"""One cell measured: the client's dialogue, the server's log, and the observation they make."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from harness.adaptation.harness_settings import (
    LOGGED_IN_SENDER,
    SENDER,
    SINK_DOMAIN,
)
from harness.catalog.cells import Cell
from harness.clients.contract import ClientResult, Credentials, Message, Request
from harness.clients.controls import PERMISSIVE
from harness.clients.driver import CA_FILE, Driver
from harness.clients.recorded_driver import RecordedDriver
from harness.observations.certificates import certificate_view, client_trust
from harness.observations.decide import (
    ControlEvidence,
    Decision,
    ServerLog,
    decide_cell,
    decide_control,
    reject_config,
    session_resumed,
)
from harness.observations.evidence_names import evidence_path
from harness.observations.record import Observation
from harness.targets.pki import SERVER_NAME
from harness.targets.postfix import PostfixTarget
from harness.tls import Service

#: Of services of the user's own that begin with TLS; the registered one has no such cells.
NO_PLAINTEXT = "the service begins with TLS, so there is no offer to do without it"
#: How long, in seconds, to wait for the server's log and for a delivery. Both come in milliseconds;
#: the limits are for a machine that is busy with something else.
LOG_PATIENCE = 4.0
BANNER_PATIENCE = 0.5
DELIVERY_PATIENCE = 8.0


@dataclass(frozen=True, slots=True)
class ServerSide:
    """What the server logged of one dialogue, and delivered."""

    server_log: ServerLog
    log: Sequence[str]
    received: str | None = None


@dataclass(frozen=True, slots=True)
class DialogueTrace:
    """What an endpoint must know of a dialogue to find its traces.

    ``token`` is the recipient's; ``since`` a time of the monotonic clock, and ``mark`` a place in
    the server's log (:meth:`Endpoint.mark`), both from before the dialogue began.
    """

    cell: Cell
    token: str
    since: float
    mark: int


@dataclass(frozen=True, slots=True)
class Dialogue:
    """How a service is spoken to: with TLS from the start or not, with a log-in or not."""

    implicit_tls: bool
    authenticates: bool

    @property
    def service(self) -> Service:
        """The registered service that is spoken to in this way; a control has these alone."""
        if self.implicit_tls:
            return Service.SUBMISSIONS
        return Service.SUBMISSION if self.authenticates else Service.SMTP


class Endpoint(Protocol):
    """Something that cells are measured on: an instance of a build, or a control."""

    target: PostfixTarget

    @property
    def host(self) -> str:
        """The name of its container."""

    def address(self, service: Service) -> tuple[str, int]:
        """The host name and TCP port that a service's clients connect to."""

    @property
    def config_digest(self) -> str:
        """What the observation names as its config."""

    def dialogue(self, service: Service) -> Dialogue:
        """How a service is spoken to."""

    def mark(self) -> int:
        """Where the server's log is now, before a dialogue begins."""

    def turn(self, client: str) -> AbstractAsyncContextManager[object]:
        """What a client holds during a dialogue, so that its log lines are found afterwards."""

    async def server_side(self, trace: DialogueTrace, result: ClientResult) -> ServerSide:
        """Wait for what the server logged of a dialogue, and for the message it delivered."""

    def known_deaths(self, service: Service) -> Sequence[str]:
        """The log of why no process takes a client of a service; empty where one may."""

    async def await_death(self, service: Service) -> Sequence[str]:
        """Wait, without limit, until it is logged that no process will take a client."""


@dataclass(frozen=True, slots=True)
class Measured:
    """An observation, the evidence that goes with it, and the decision that it is made of."""

    observation: Observation
    evidence: dict[str, Any]
    decision: Decision

    def explained(
        self, obstacles: Sequence[str], grounds: Mapping[str, Any] | None = None
    ) -> Measured:
        """With its obstacles, and what they rest on (docs/run-folder.md)."""
        more = {} if grounds is None else {"grounds": dict(grounds)}
        return replace(
            self,
            observation=replace(self.observation, obstacles=tuple(obstacles)),
            evidence={**self.evidence, **more},
        )


async def measure(
    cell: Cell,
    endpoint: Endpoint,
    driver: Driver | RecordedDriver,
    control: ControlEvidence,
    credentials: Credentials,
    time_limit: float,
) -> Measured:
    """Have the cell's dialogue and judge it. ``time_limit`` is the client's, in seconds.

    Where the server's process dies before it takes any client, there is no dialogue to wait for:
    the log of its death decides, at once.
    """
    dialogue = endpoint.dialogue(cell.service)
    logs_in = dialogue.authenticates and _may_log_in(cell)
    host, port = endpoint.address(cell.service)
    trace = DialogueTrace(cell, recipient_token(cell), time.monotonic(), endpoint.mark())
    request = Request(
        id=cell.id,
        host=host,
        port=port,
        server_name=SERVER_NAME,
        implicit_tls=dialogue.implicit_tls,
        offer=cell.offer,
        ca_file=CA_FILE,
        message=Message(
            LOGGED_IN_SENDER if logs_in else SENDER,
            f"{trace.token}@{SINK_DOMAIN}",
            cell.id,
        ),
        credentials=credentials if logs_in else None,
        time_limit=time_limit,
    )
    result = await _race_dialogue(endpoint, driver, request, cell.service)
    if not isinstance(result, ClientResult):
        decision = reject_config(result)
        side = ServerSide(ServerLog(deaths=result), result)
        return Measured(
            make_observation(cell, endpoint.config_digest, decision, None),
            cell_evidence(cell, request, None, side, decision),
            decision,
        )
    side = await endpoint.server_side(trace, result)
    if cell.is_control:
        may_refuse = cell.scenario != PERMISSIVE
        decision = decide_control(cell.offer, result, side.server_log, may_refuse=may_refuse)
    else:
        decision = decide_cell(cell.offer, result, side.server_log, control)
    observation = replace(
        make_observation(cell, endpoint.config_digest, decision, result.seconds),
        trust=client_trust(side.server_log.session) if cell.offer.extras.cert else None,
        certificate=certificate_view(result.peer_certificate),
        resumed=session_resumed(cell.offer, result, control, is_control=cell.is_control),
    )
    return Measured(
        observation,
        cell_evidence(cell, request, result, side, decision),
        decision,
    )


def _may_log_in(cell: Cell) -> bool:
    """Whether the client logs in where it can: not where its certificate is to permit relaying.

    A control permits relaying by the login alone.
    """
    return cell.is_control or not cell.offer.extras.presents_certificate


async def _race_dialogue(
    endpoint: Endpoint,
    driver: Driver | RecordedDriver,
    request: Request,
    service: Service,
) -> ClientResult | Sequence[str]:
    """The client's result of a request, or the log lines of why the server cannot take it.

    master(8) keeps the socket of a process that died, so that clients wait in vain: whichever comes
    first decides, the end of the dialogue or the log of the death.
    """
    if known := endpoint.known_deaths(service):
        return known
    if request.offer.plaintext and request.implicit_tls:
        # A client that waits for a greeting and a server that waits for a hello wait for ever.
        return ClientResult(request.id, "client-incapable", "handshake", error=NO_PLAINTEXT)
    talk = asyncio.ensure_future(driver.ask(request))
    death = asyncio.ensure_future(endpoint.await_death(service))
    try:
        await asyncio.wait({talk, death}, return_when=asyncio.FIRST_COMPLETED)
        return talk.result() if talk.done() else death.result()
    finally:
        for task in (talk, death):
            task.cancel()


def recipient_token(cell: Cell) -> str:
    """The local part of a cell's recipient: letters and digits, one cell's alone."""
    return "c" + hashlib.sha256(cell.id.encode()).hexdigest()[:15]


def make_observation(
    cell: Cell, config: str, decision: Decision, seconds: float | None
) -> Observation:
    """A cell's decision as the record has it; ``config`` is the candidate's digest."""
    return Observation(
        cell=cell.id,
        build=cell.build,
        scenario=cell.scenario,
        config=config,
        service=str(cell.service),
        client=cell.client,
        offer=str(cell.offer),
        outcome=decision.outcome,
        stage=decision.stage,
        reason=decision.reason,
        decided_by=decision.decided_by,
        client_saw=decision.client_saw,
        server_saw=decision.server_saw,
        agree=decision.agree,
        control=decision.control,
        seconds=seconds,
        evidence=evidence_path(cell.id),
    )


def cell_evidence(
    cell: Cell, request: Request, result: ClientResult | None, side: ServerSide, decision: Decision
) -> dict[str, Any]:
    return {
        "cell": cell.id,
        "request": request.to_dict(secret=False),
        "client": result.to_dict() if result else None,
        "log": list(side.log),
        "received": side.received,
        "notes": list(decision.notes),
    }


class MailCollector:
    """Hands out trace headers of delivered messages; callers share one look into the mailbox."""

    def __init__(self, collect: Callable[[], dict[str, str]]) -> None:
        self._collect = collect
        self._found: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def header(self, token: str) -> str | None:
        """The ``Received:`` field of the message for a token, once it has been delivered."""
        if token not in self._found:
            async with self._lock:
                # Another caller's look may have brought it while this one waited for its turn.
                if token not in self._found:
                    self._found |= await asyncio.to_thread(self._collect)
        return self._found.pop(token, None)
