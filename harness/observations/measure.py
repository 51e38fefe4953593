"""One cell measured: the client's dialogue, the server's words, and the observation they make."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from harness.catalog.cells import Cell
from harness.clients.contract import Credentials, Message, Request, Result
from harness.clients.controls import PERMISSIVE
from harness.clients.driver import CA_FILE, Driver
from harness.observations.certificates import certificate_view, client_trust
from harness.observations.decide import (
    Control,
    Decision,
    ServerWords,
    decide,
    decide_control,
    resumed,
)
from harness.observations.journal import evidence_path
from harness.observations.record import Observation
from harness.targets.pki import SERVER_NAME
from harness.tls import Service

#: How long, in seconds, to wait for the server's log and for a delivery. Both come in milliseconds;
#: the limits are for a machine that is busy with something else.
LOG_PATIENCE = 4.0
BANNER_PATIENCE = 0.5
DELIVERY_PATIENCE = 8.0


@dataclass(frozen=True, slots=True)
class ServerSide:
    """What the server had to say of one dialogue."""

    words: ServerWords
    log: Sequence[str]
    received: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a bench must know of a dialogue to find its traces.

    ``token`` is the recipient's; ``since`` a time of the monotonic clock, and ``mark`` a place in
    the server's log (:meth:`Bench.mark`), both from before the dialogue began.
    """

    cell: Cell
    token: str
    since: float
    mark: int


class Bench(Protocol):
    """Something that cells are measured on: an instance of a build, or a control."""

    @property
    def host(self) -> str:
        """The name that clients connect to."""

    @property
    def ports(self) -> Mapping[Service, int]:
        """The TCP port of each service."""

    @property
    def config_digest(self) -> str:
        """What the observation names as its config."""

    def mark(self) -> int:
        """Where the server's log is now, before a dialogue begins."""

    async def server_side(self, asked: Asked, result: Result) -> ServerSide:
        """Wait for what the server logged of a dialogue, and for the message it delivered."""


@dataclass(frozen=True, slots=True)
class Measured:
    """An observation, the evidence that goes with it, and the decision that it is made of."""

    observation: Observation
    evidence: dict[str, Any]
    decision: Decision

    def explained(self, found: Sequence[str], grounds: Mapping[str, Any] | None = None) -> Measured:
        """With what stood in its way, and what tells so (docs/run-folder.md)."""
        more = {} if grounds is None else {"grounds": dict(grounds)}
        return replace(
            self,
            observation=replace(self.observation, obstacles=tuple(found)),
            evidence={**self.evidence, **more},
        )


async def measure(
    cell: Cell,
    bench: Bench,
    driver: Driver,
    control: Control,
    credentials: Credentials,
    time_limit: float,
) -> Measured:
    """Have the cell's dialogue and judge it. ``time_limit`` is the client's, in seconds."""
    asked = Asked(cell, recipient_token(cell), time.monotonic(), bench.mark())
    request = Request(
        id=cell.id,
        host=bench.host,
        port=bench.ports[cell.service],
        server_name=SERVER_NAME,
        implicit_tls=cell.service.implicit_tls,
        offer=cell.offer,
        ca_file=CA_FILE,
        message=Message("shop@webshop.test", f"{asked.token}@sink.test", cell.id),
        credentials=credentials if _logs_in(cell) else None,
        time_limit=time_limit,
    )
    result = await driver.ask(request)
    side = await bench.server_side(asked, result)
    if cell.is_control:
        may_refuse = cell.scenario != PERMISSIVE
        decision = decide_control(cell.offer, result, side.words, may_refuse=may_refuse)
    else:
        decision = decide(cell.offer, result, side.words, control)
    observation = replace(
        _observation(cell, bench.config_digest, decision, result),
        trust=client_trust(side.words.session) if cell.offer.extras.cert else None,
        certificate=certificate_view(result.peer_certificate),
        resumed=resumed(cell.offer, result, control, is_control=cell.is_control),
    )
    return Measured(
        observation,
        _evidence(cell, request, result, side, decision),
        decision,
    )


def _logs_in(cell: Cell) -> bool:
    """Whether the client logs in: not where its certificate is to open the door.

    A control's door is opened by the log-in alone.
    """
    if not cell.service.authenticates:
        return False
    return cell.is_control or not cell.offer.extras.presents_certificate


def recipient_token(cell: Cell) -> str:
    """The local part of a cell's recipient: letters and digits, one cell's alone."""
    return "c" + hashlib.sha256(cell.id.encode()).hexdigest()[:15]


def _observation(cell: Cell, config: str, decision: Decision, result: Result) -> Observation:
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
        seconds=result.seconds,
        evidence=evidence_path(cell.id),
    )


def _evidence(
    cell: Cell, request: Request, result: Result, side: ServerSide, decision: Decision
) -> dict[str, Any]:
    return {
        "cell": cell.id,
        "request": request.to_dict(secret=False),
        "client": result.to_dict(),
        "log": list(side.log),
        "received": side.received,
        "notes": list(decision.notes),
    }


class MailCollector:
    """Hands out trace headers of delivered messages; many askers share one look."""

    def __init__(self, collect: Callable[[], dict[str, str]]) -> None:
        self._collect = collect
        self._found: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def header(self, token: str) -> str | None:
        """The ``Received:`` field of the message for a token, once it has been delivered."""
        if token not in self._found:
            async with self._lock:
                # Another asker's look may have brought it while this one waited for its turn.
                if token not in self._found:
                    self._found |= await asyncio.to_thread(self._collect)
        return self._found.pop(token, None)
