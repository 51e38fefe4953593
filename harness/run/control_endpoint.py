"""A control as an endpoint that cells are measured on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from harness.clients.contract import ClientResult
from harness.errors import InfrastructureError
from harness.observations.decide import ServerLog
from harness.run.instance_faults import check_sasl
from harness.run.measure import LOG_PATIENCE, Dialogue, DialogueTrace, ServerSide
from harness.targets.control import (
    FRONT_PORTS,
    PERMISSIVE,
    ControlServer,
    backend_peer,
    front_lines,
    is_front_closed,
)
from harness.targets.mail_log import LogLine
from harness.tls import Service

#: How long, in seconds, to wait for the end of a connection in stunnel's log.
CONTROL_PATIENCE = 2.0
#: What a client reports of a control that needs no further look.
_AS_A_CONTROL_SHOULD = frozenset({"accepted", "plaintext", "hung-up"})


class ControlEndpoint:
    """A control server: stunnel's log stands for the server's. It has no candidate to die of."""

    def __init__(self, server: ControlServer) -> None:
        self.server = server
        self.target = server.target
        #: Whether what it consists of was ended; then another one is to be started.
        self.is_lost = False

    @property
    def host(self) -> str:
        """The control's container."""
        return self.target.host

    def address(self, service: Service) -> tuple[str, int]:
        """The control's container and the registered port."""
        return self.host, FRONT_PORTS[service]

    @property
    def config_digest(self) -> str:
        """The control's own, the same in every run."""
        return PERMISSIVE.digest

    def dialogue(self, service: Service) -> Dialogue:
        """As the registered services are spoken to."""
        return Dialogue(service.implicit_tls, service.authenticates)

    def mark(self) -> int:
        """How far stunnel's log has come: what is before it is of earlier connections."""
        return len(self.target.join.log.other.get("stunnel", ()))

    def turn(self, _client: str) -> AbstractAsyncContextManager[object]:
        """Nothing to wait for: stunnel logs the ports of its clients."""
        return nullcontext()

    async def server_side(self, trace: DialogueTrace, result: ClientResult) -> ServerSide:
        """What stunnel logged of the connection, once it has logged its end."""
        if result.local_address is None:
            if result.stage == "connect":
                await self._check_processes()
            return ServerSide(ServerLog(), ())
        end = time.monotonic() + self.target.pace.stretch(CONTROL_PATIENCE)
        while True:
            log = self.target.join.log.other.get("stunnel", [])[trace.mark :]
            lines = front_lines(log, result.local_address)
            if is_front_closed(lines) or time.monotonic() > end:
                break
            await asyncio.sleep(0.01)
        log_lines = tuple(str(line) for line in lines)
        behind = await self._read_backend_log(lines, trace.since)
        if not is_front_closed(lines) or result.outcome not in _AS_A_CONTROL_SHOULD:
            await self._check_processes([*log_lines, *behind])
        return ServerSide(ServerLog(session=log_lines), [*log_lines, *behind])

    def known_deaths(self, _service: Service) -> Sequence[str]:
        """Nothing: what does not start is no control."""
        return ()

    async def await_death(self, _service: Service) -> Sequence[str]:
        """Wait without end: a dead control is its container's trouble."""
        await asyncio.Event().wait()
        return ()

    async def _check_processes(self, lines: Sequence[str] = ()) -> None:
        """Check that what a control consists of runs: only then a failure is the client's.

        Raises:
            FaultError: it does not.
        """
        try:
            self.target.check_alive()
            check_sasl(lines, self.target.host)
            await asyncio.to_thread(self.target.check_processes, {"stunnel": None, "master": None})
        except InfrastructureError:
            self.is_lost = True
            raise

    async def _read_backend_log(self, lines: list[LogLine], since: float) -> list[str]:
        """What the Postfix behind the front logged of the same dialogue."""
        peer = backend_peer(lines)
        limit = self.target.pace.stretch(LOG_PATIENCE)
        session = await self.target.join.session(peer, since, limit) if peer else None
        return [str(line) for line in session.lines] if session else []
