"""Runs the parts of a scan over a few connections: plain sockets and one selector."""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import InfrastructureError
from harness.scan.client_hello import ClientHello
from harness.scan.concurrency import Concurrency
from harness.scan.coroutines import (
    Fork,
    NotMeasuredError,
    ScanPart,
    advance_part,
)
from harness.scan.dialogue import (
    ScanDialogue,
    ScanTarget,
)
from harness.scan.server_hello import Answer

#: Attempts of a probe before it counts as not measured, and seconds before each further one.
TRIES, PAUSES = 3, (0.2, 1.0)
#: This many failed probes end a scan in which no probe was answered yet.
HOPELESS = 4
#: Close a connection at once, without waiting for unsent data (SO_LINGER).
_ABORT = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class _Probe:
    """A hello of a part, and its attempts so far."""

    part: ScanPart
    hello: ClientHello
    tries: int = 0
    not_before: float = 0.0


@dataclass(slots=True, eq=False)
class _Connection:
    """A connection in use. ``sent``: when the last data was sent; 0: no answer is awaited.

    ``began``: when it was opened, until its server has greeted; 0: it is not known, or has.
    """

    sock: socket.socket
    probe: _Probe
    dialogue: ScanDialogue
    deadline: float
    opened: bool = False
    sent: float = 0.0
    began: float = 0.0


class Connections:
    """The connections to one server. A context manager; ``handshakes`` counts its connections.

    Raises:
        InfrastructureError: on entering, if the server cannot be reached.
    """

    def __init__(self, target: ScanTarget) -> None:
        self.target = target
        self.handshakes = 0
        self._selector = selectors.DefaultSelector()
        self._connections: set[_Connection] = set()
        self._waiting: deque[_Probe] = deque()
        self._spare: socket.socket | None = None
        self._concurrency, self._free_at = Concurrency(), 0.0
        self._answered, self._failures = False, 0

    def __enter__(self) -> Connections:
        self._spare = _connect_first(self.target)
        self._family, self._address = self._spare.family, self._spare.getpeername()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for connection in list(self._connections):
            self._close_connection(connection)
        if self._spare is not None:
            self._spare.close()
        self._selector.close()

    def run(self, parts: Iterable[ScanPart]) -> None:
        """Run parts, and what they fork, to their end.

        Raises:
            InfrastructureError: the server announces no STARTTLS, is not an SMTP server, or gives
                no answer at all.
        """
        for part in parts:
            self._advance_part(part, None)
        while self._waiting or self._connections:
            self._open_waiting()
            self._wait_for_events()

    def _advance_part(self, part: ScanPart, answer: Answer | NotMeasuredError | None) -> None:
        got = advance_part(part, answer)
        while isinstance(got, Fork):
            for forked in got.parts:
                self._advance_part(forked, None)
            got = advance_part(part, None)
        if got is not None:
            self._waiting.append(_Probe(part, got))

    def _open_waiting(self) -> None:
        now = time.monotonic()
        for _ in range(len(self._waiting)):
            if len(self._connections) >= self._concurrency.width or now < self._free_at:
                return
            probe = self._waiting.popleft()
            if probe.not_before > now:
                self._waiting.append(probe)
            else:
                self._open_connection(probe, now)

    def _open_connection(self, probe: _Probe, now: float) -> None:
        self.handshakes += 1
        probe.tries += 1
        sock, self._spare = self._spare, None
        # The first one was opened earlier; where the client speaks first, no greeting comes.
        began = 0.0 if sock or self.target.implicit else now
        if sock is None:
            sock = socket.socket(self._family, socket.SOCK_STREAM)
            _set_options(sock)
            sock.connect_ex(self._address)
        dialogue = ScanDialogue(self.target, probe.hello)
        deadline = now + self.target.time_limit
        connection = _Connection(sock, probe, dialogue, deadline, began=began)
        self._connections.add(connection)
        # Where the client speaks first, we wait for the connection, else for the greeting.
        waits_for = selectors.EVENT_WRITE if self.target.implicit else selectors.EVENT_READ
        self._selector.register(sock, waits_for, connection)

    def _wait_for_events(self) -> None:
        now = time.monotonic()
        until = [connection.deadline for connection in self._connections]
        if len(self._connections) < self._concurrency.width:
            until += [max(probe.not_before, self._free_at) for probe in self._waiting]
        for key, _ in self._selector.select(max(0.0, min(until) - now)):
            self._handle_event(key.data)
        now = time.monotonic()
        for connection in [
            connection for connection in self._connections if connection.deadline <= now
        ]:
            self._handle_failure(
                connection, NotMeasuredError(f"no answer in {self.target.time_limit:g} s")
            )

    def _handle_event(self, connection: _Connection) -> None:
        try:
            got = self._receive_bytes(connection)
            if isinstance(got, bytes):
                connection.sock.sendall(got)
                connection.sent = time.monotonic()
                return
        except OSError as error:
            self._handle_failure(connection, NotMeasuredError(error.strerror or str(error)))
        except NotMeasuredError as error:
            self._handle_failure(connection, error)
        else:
            if got is not None:
                self._answered = True
                self._close_connection(connection)
                self._advance_part(connection.probe.part, got)

    def _receive_bytes(self, connection: _Connection) -> bytes | Answer | None:
        if not connection.opened and self.target.implicit:
            connection.opened = True
            if error := connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(error, "the connection is refused")
            self._selector.modify(connection.sock, selectors.EVENT_READ, connection)
            return connection.dialogue.first_data
        try:
            data = connection.sock.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if connection.sent:
            self._concurrency.note_reply(time.monotonic() - connection.sent)
            connection.sent = 0.0
        answer = connection.dialogue.take_data(data)
        # postscreen(8) sends the first line of its greeting at once, and the last one later.
        if connection.began and isinstance(answer, bytes):
            self._concurrency.note_greeting(time.monotonic() - connection.began)
            connection.began = 0.0
        return answer

    def _handle_failure(self, connection: _Connection, error: NotMeasuredError) -> None:
        """Try again later, with fewer connections: the server may not allow more."""
        self._close_connection(connection)
        self._failures += 1
        if self._failures >= HOPELESS and not self._answered:
            raise InfrastructureError(
                f"{self.target} answers no hello: {error}",
                cause="TLS is from the start there and --implicit was not given, or the other way "
                "round; or the server is busy, or refuses this machine",
                next_step="see the server's log; 'openssl s_client -starttls smtp' shows more",
            )
        probe = connection.probe
        self._concurrency.note_failure()
        self._free_at = time.monotonic() + self._concurrency.spacing
        if probe.tries >= TRIES:
            self._advance_part(probe.part, error)
            return
        probe.not_before = time.monotonic() + PAUSES[probe.tries - 1]
        self._waiting.appendleft(probe)

    def _close_connection(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        self._selector.unregister(connection.sock)
        connection.sock.close()
        self._free_at = time.monotonic() + self._concurrency.spacing


def _connect_first(target: ScanTarget) -> socket.socket:
    try:
        sock = socket.create_connection((target.host, target.port), target.time_limit)
    except (OSError, UnicodeError) as error:
        message = getattr(error, "strerror", None) or str(error) or "no answer"
        cause, next_step = _explain_failure(error)
        raise InfrastructureError(
            f"{target} cannot be reached: {message}", cause=cause, next_step=next_step
        ) from error
    _set_options(sock)
    return sock


def _explain_failure(error: OSError | UnicodeError) -> tuple[str, str]:
    """The likely cause of a first connection that failed, and the next step."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return (
            "DNS has no address for this name, or this machine's name server does not answer",
            "check the name, or give the server's address",
        )
    if isinstance(error, TimeoutError):
        return (
            "a firewall drops the connection; many networks let no connection to port 25 out",
            "try it from another machine, or on the server itself",
        )
    return (
        "no server listens there, or this machine has no route to it (a container's "
        "address is reached from the engine's machine, not through Docker Desktop)",
        "check the address and the port",
    )


def _set_options(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
