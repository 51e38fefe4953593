"""A relay between a client that cannot be looked into and the server.

The client connects to a port of this machine's own, the relay connects on to the server. So the
address that the server sees is known, and what goes over the wire in the clear is on record: the
SMTP dialogue up to STARTTLS, then the outside of the TLS records. Bytes pass unchanged.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from common.contract import Reply, Trace
from common.dial import acknowledge_at_once, dial
from common.wire import Records, Replies, announces, is_client_hello

#: Replies of the dialogue in the clear, in their order, are replies to these.
STAGES = ("banner", "ehlo", "starttls")
CHUNK = 65536


@dataclass(slots=True)
class Wire:
    """What both sides said in the clear. Filled by the relay, or by hand for a test.

    ``refusal`` is the first reply in the clear that says no, ``first_bytes`` what the client began
    TLS with.
    """

    trace: Trace
    implicit_tls: bool
    ehlo: Reply | None = None
    refusal: Reply | None = None
    first_bytes: bytes = b""
    connected: bool = False
    server_closed: bool = False
    _replies: Replies = field(default_factory=Replies)
    _commands: bytes = b""
    _client_records: Records = field(default_factory=Records)
    _server_records: Records = field(default_factory=Records)
    _count: int = 0

    def __post_init__(self) -> None:
        if self.implicit_tls:
            self._count = len(STAGES)

    @property
    def in_tls(self) -> bool:
        """Whether what is sent from here on is TLS."""
        return self._count >= len(STAGES) and self.refusal is None

    @property
    def hello_sent(self) -> bool:
        """Whether the client has sent a ClientHello."""
        return is_client_hello(self.first_bytes)

    @property
    def offered(self) -> bool:
        """False only where EHLO's reply is there and has no STARTTLS."""
        return self.ehlo is None or announces(self.ehlo, "STARTTLS")

    @property
    def over(self) -> bool:
        """Whether there is nothing more to be learnt: no TLS will come of this dialogue."""
        return self.refusal is not None or not self.offered

    @property
    def server_alert(self) -> str | None:
        """The last alert that the server sent in the clear."""
        return self._server_records.alert

    @property
    def client_alert(self) -> str | None:
        """The last alert that the client sent in the clear."""
        return self._client_records.alert

    def from_client(self, data: bytes) -> None:
        """Note bytes that the client sent."""
        if self.in_tls:
            self.first_bytes += data[: 16 - len(self.first_bytes)]
            self._show("C", self._client_records.feed(data))
            return
        *lines, self._commands = (self._commands + data).split(b"\n")
        self._show("C", [line.decode("utf-8", "replace").rstrip("\r") for line in lines])

    def from_server(self, data: bytes) -> None:
        """Note bytes that the server sent."""
        if self.in_tls:
            self._show("S", self._server_records.feed(data))
            return
        for reply in self._replies.feed(data):
            self._reply(reply)

    def _reply(self, reply: Reply) -> None:
        self.trace.replied(reply)
        if self._count == STAGES.index("ehlo"):
            self.ehlo = reply
        if not 200 <= reply.code < 400:
            self.refusal = self.refusal or reply
            return
        self._count += 1
        self.trace.stage = STAGES[self._count] if self._count < len(STAGES) else "handshake"

    def _show(self, who: str, names: list[str]) -> None:
        for name in names:
            self.trace.said(who, name)


class Relay:
    """One connection's relay. Use ``async with``: on entry it listens, on exit all is closed.

    It ends by itself where `Wire.over` says that nothing will come of it; the client then sees the
    connection closed.
    """

    def __init__(self, wire: Wire, host: str, port: int) -> None:
        self.wire = wire
        self._target = host, port
        self._loop = asyncio.get_running_loop()
        self._listener = socket.socket()
        self._inner: socket.socket | None = None
        self._outer: socket.socket | None = None
        self._failure: Exception | None = None

    @property
    def port(self) -> int:
        """Where the client is to connect to, on 127.0.0.1."""
        number: int = self._listener.getsockname()[1]
        return number

    async def __aenter__(self) -> Relay:
        """Connect to the server, then listen for the client.

        Raises:
            OSError: the server cannot be reached.
        """
        try:
            self._outer = await dial(*self._target, self.wire.trace, socket.socket)
            if self.wire.implicit_tls:
                self.wire.trace.stage = "handshake"
            self._listener.setblocking(False)
            self._listener.bind(("127.0.0.1", 0))
            self._listener.listen(1)
            self._loop.add_reader(self._listener, self._accept)
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything.

        Raises:
            RuntimeError: the relay itself failed on the way.
        """
        self.close()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Close every socket; the server sees the end of the connection."""
        for each in (self._listener, self._inner, self._outer):
            if each is not None and each.fileno() >= 0:
                self._loop.remove_reader(each)
                each.close()

    def _accept(self) -> None:
        assert self._outer is not None
        inner, _ = self._listener.accept()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        inner.setblocking(False)
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._inner = inner
        self.wire.connected = True
        outer, wire = self._outer, self.wire
        self._loop.add_reader(inner, lambda: self._pass(inner, outer, wire.from_client))
        self._loop.add_reader(outer, lambda: self._pass(outer, inner, wire.from_server))

    def _pass(
        self, source: socket.socket, sink: socket.socket, note: Callable[[bytes], None]
    ) -> None:
        try:
            data = source.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            # A reset says no more than an end does.
            data = b""
        if data:
            self._hand_on(data, sink, note)
        else:
            self._end(source, sink)

    def _hand_on(self, data: bytes, sink: socket.socket, note: Callable[[bytes], None]) -> None:
        note(data)
        if self.wire.over:
            self.close()
            return
        try:
            sent = sink.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # Closed on that side; its own end tells.
        acknowledge_at_once(sink)
        if sent < len(data):
            # Handshakes fit into the kernel's buffers many times over; this is no place for more.
            self._failure = RuntimeError(f"the relay could pass on {sent} of {len(data)} bytes")
            self.close()

    def _end(self, source: socket.socket, sink: socket.socket) -> None:
        """One side has closed; the other may still have something to say."""
        self._loop.remove_reader(source)
        if source is self._outer:
            self.wire.server_closed = True
        # A side that is gone already needs no telling.
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
