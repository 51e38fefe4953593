"""Runs the parts of a scan over a few connections at a time: plain sockets and one selector."""

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
from harness.scan.concurrency import Pace
from harness.scan.coroutines import (
    Fork,
    NotMeasuredError,
    Part,
    advance,
)
from harness.scan.dialogue import (
    ScanDialogue,
    ScanTarget,
)
from harness.scan.server_hello import Answer

#: Tries of one probe before it counts as not measured, and seconds before each further one.
TRIES, PAUSES = 3, (0.2, 1.0)
#: So many probes that came to nothing before a single one was answered end the scan.
HOPELESS = 4
#: Hang up at once: nobody waits for what is on its way.
_ABORT = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class _Probe:
    """A question on its way, for a part."""

    part: Part
    question: ClientHello
    tries: int = 0
    not_before: float = 0.0


@dataclass(slots=True, eq=False)
class _Lane:
    """A connection in use. ``sent``: when something was that awaits its answer; 0: nothing."""

    sock: socket.socket
    probe: _Probe
    dialogue: ScanDialogue
    deadline: float
    opened: bool = False
    sent: float = 0.0


class Lanes:
    """The connections to one server. A context manager; ``handshakes`` counts hellos' connections.

    Raises:
        InfrastructureError: on entering, nobody listens, or there is no way there.
    """

    def __init__(self, place: ScanTarget) -> None:
        self.place = place
        self.handshakes = 0
        self._selector = selectors.DefaultSelector()
        self._lanes: set[_Lane] = set()
        self._waiting: deque[_Probe] = deque()
        self._spare: socket.socket | None = None
        self._pace, self._free_at = Pace(), 0.0
        self._answered, self._failures = False, 0

    def __enter__(self) -> Lanes:
        self._spare = _reach(self.place)
        self._family, self._address = self._spare.family, self._spare.getpeername()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for lane in list(self._lanes):
            self._drop(lane)
        if self._spare is not None:
            self._spare.close()
        self._selector.close()

    def run(self, parts: Iterable[Part]) -> None:
        """Run parts, and what they fork, to their end.

        Raises:
            InfrastructureError: the server announces no STARTTLS, is no SMTP server, or answers
                nothing at all.
        """
        for part in parts:
            self._advance(part, None)
        while self._waiting or self._lanes:
            self._fill()
            self._wait()

    def _advance(self, part: Part, answer: Answer | NotMeasuredError | None) -> None:
        got = advance(part, answer)
        while isinstance(got, Fork):
            for one in got.parts:
                self._advance(one, None)
            got = advance(part, None)
        if got is not None:
            self._waiting.append(_Probe(part, got))

    def _fill(self) -> None:
        now = time.monotonic()
        for _ in range(len(self._waiting)):
            if len(self._lanes) >= self._pace.width or now < self._free_at:
                return
            probe = self._waiting.popleft()
            if probe.not_before > now:
                self._waiting.append(probe)
            else:
                self._open(probe, now)

    def _open(self, probe: _Probe, now: float) -> None:
        self.handshakes += 1
        probe.tries += 1
        sock, self._spare = self._spare, None
        if sock is None:
            sock = socket.socket(self._family, socket.SOCK_STREAM)
            _prepare(sock)
            sock.connect_ex(self._address)
        dialogue = ScanDialogue(self.place, probe.question)
        lane = _Lane(sock, probe, dialogue, now + self.place.time_limit)
        self._lanes.add(lane)
        # Where the client speaks first it waits for the connection, else for the greeting.
        waits_for = selectors.EVENT_WRITE if self.place.implicit else selectors.EVENT_READ
        self._selector.register(sock, waits_for, lane)

    def _wait(self) -> None:
        now = time.monotonic()
        until = [lane.deadline for lane in self._lanes]
        if len(self._lanes) < self._pace.width:
            until += [max(probe.not_before, self._free_at) for probe in self._waiting]
        for key, _ in self._selector.select(max(0.0, min(until) - now)):
            self._ready(key.data)
        now = time.monotonic()
        for lane in [lane for lane in self._lanes if lane.deadline <= now]:
            self._failed(lane, NotMeasuredError(f"no answer in {self.place.time_limit:g} s"))

    def _ready(self, lane: _Lane) -> None:
        try:
            got = self._hear(lane)
            if isinstance(got, bytes):
                lane.sock.sendall(got)
                lane.sent = time.monotonic()
                return
        except OSError as error:
            self._failed(lane, NotMeasuredError(error.strerror or str(error)))
        except NotMeasuredError as error:
            self._failed(lane, error)
        else:
            if got is not None:
                self._answered = True
                self._drop(lane)
                self._advance(lane.probe.part, got)

    def _hear(self, lane: _Lane) -> bytes | Answer | None:
        if not lane.opened and self.place.implicit:
            lane.opened = True
            if error := lane.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(error, "the connection is refused")
            self._selector.modify(lane.sock, selectors.EVENT_READ, lane)
            return lane.dialogue.opening
        try:
            data = lane.sock.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if lane.sent:
            self._pace.heard(time.monotonic() - lane.sent)
            lane.sent = 0.0
        return lane.dialogue.hear(data)

    def _failed(self, lane: _Lane, error: NotMeasuredError) -> None:
        """Try again later, with fewer connections at a time: the server may allow no more."""
        self._drop(lane)
        self._failures += 1
        if self._failures >= HOPELESS and not self._answered:
            raise InfrastructureError(
                f"{self.place} answers no hello: {error}",
                cause="TLS is from the start there and --implicit was not given, or the other way "
                "round; or the server is busy, or does not let this machine in",
                next_step="see the server's log; 'openssl s_client -starttls smtp' shows more",
            )
        probe = lane.probe
        self._pace.failed()
        self._free_at = time.monotonic() + self._pace.spacing
        if probe.tries >= TRIES:
            self._advance(probe.part, error)
            return
        probe.not_before = time.monotonic() + PAUSES[probe.tries - 1]
        self._waiting.appendleft(probe)

    def _drop(self, lane: _Lane) -> None:
        self._lanes.discard(lane)
        self._selector.unregister(lane.sock)
        lane.sock.close()
        self._free_at = time.monotonic() + self._pace.spacing


def _reach(place: ScanTarget) -> socket.socket:
    try:
        sock = socket.create_connection((place.host, place.port), place.time_limit)
    except (OSError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or str(error) or "no answer"
        raise InfrastructureError(
            f"{place} cannot be reached: {words}",
            cause="nobody listens there, or this machine has no way to it (a container's address "
            "is reached from the machine that the engine runs on, not through Docker Desktop)",
            next_step="check the address and the port",
        ) from error
    _prepare(sock)
    return sock


def _prepare(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
