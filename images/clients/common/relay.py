"""A relay between a client that cannot be looked into and the server.

The client connects to a port of this machine's own, the relay connects on to the server. So the
address that the server sees is known, and what goes over the wire in the clear is on record: the
SMTP dialogue up to STARTTLS, then the outside of the TLS records. Bytes pass unchanged.
"""

from __future__ import annotations

import asyncio
import copy
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from common.contract import Reply, Trace
from common.dial import acknowledge_at_once, connect_socket
from common.hello import Chosen, group_name
from common.wire import Records, Replies, announces_keyword, is_client_hello

#: The stage that a command leads to (RFC 5321 4.1, RFC 3207, RFC 4954).
STAGES = {
    "EHLO": "ehlo",
    "HELO": "ehlo",
    "STARTTLS": "starttls",
    "AUTH": "auth",
    "MAIL": "mail",
    "RCPT": "rcpt",
    "DATA": "data",
    "BDAT": "data",
    "QUIT": "quit",
}
#: What the client says after these replies is not shown (RFC 4954 4, RFC 5321 4.1.1.4).
WITHHELD = {334: "(credentials)", 354: "(message)"}
CHUNK = 65536


@dataclass
class Wire:
    """What both sides said in the clear. Filled by the relay, or by hand for a test.

    ``refusal`` is the last reply in the clear that says no, but of commands that were sent together
    (RFC 2920) the first: what comes after it follows from it. ``refused_at`` is the stage of it,
    ``last`` the last reply of all in the clear. ``first_bytes`` is what the client began TLS with.
    ``once``: there is nothing to be had of a dialogue without TLS, so it is ended there;
    ``needs_tls``: it is ended where there is no STARTTLS, for software that cannot be told to
    insist on TLS.
    ``hangup`` is where the relay closes both sides, as a client that is gone would: ``starttls``,
    once its 220 has come, or ``handshake``, once the hello has gone out. ``hung_up``: it did.
    ``earlier`` is the connection before this one, of a client that connected again; ``address`` is
    then that one's.
    """

    trace: Trace
    implicit_tls: bool
    once: bool = True
    needs_tls: bool = False
    ehlo: Reply | None = None
    refusal: Reply | None = None
    refused_at: str | None = None
    last: Reply | None = None
    first_bytes: bytes = b""
    connected: bool = False
    address: str | None = None
    server_closed: bool = False
    in_tls: bool = False
    earlier: Wire | None = None
    hangup: str | None = None
    hung_up: bool = False
    _replies: Replies = field(default_factory=Replies)
    _commands: bytes = b""
    _client_records: Records = field(default_factory=Records)
    _server_records: Records = field(default_factory=Records)
    _withheld: int = 0
    _pending: list[str | None] = field(default_factory=list)
    _consequences: int = 0

    def __post_init__(self) -> None:
        self.in_tls = self.implicit_tls

    @property
    def hello_sent(self) -> bool:
        """Whether the client has sent a ClientHello."""
        return is_client_hello(self.first_bytes)

    @property
    def is_ssl2(self) -> bool:
        """Whether the hello is of SSLv2 alone, not of a later version in its framing."""
        return bool(self.first_bytes[:1] >= b"\x80") and self.first_bytes[3:5] == b"\x00\x02"

    @property
    def offers_starttls(self) -> bool:
        """False only where EHLO's reply is there and has no STARTTLS."""
        return self.ehlo is None or announces_keyword(self.ehlo, "STARTTLS")

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to be learnt: no TLS will come of this dialogue."""
        if self.hung_up:
            return True
        if self.in_tls:
            return False
        refused = self.once and self.refusal is not None
        return refused or ((self.once or self.needs_tls) and not self.offers_starttls)

    @property
    def server_alert(self) -> str | None:
        """The last alert that the server sent in the clear."""
        return self._server_records.alert

    @property
    def client_alert(self) -> str | None:
        """The last alert that the client sent in the clear."""
        return self._client_records.alert

    @property
    def chosen(self) -> Chosen | None:
        """What the server chose, if its ServerHello came (none of SSLv2)."""
        return self._server_records.chosen

    @property
    def group(self) -> str | None:
        """The group of the key exchange; None where there is none, or none that is named."""
        number = self._server_records.curve
        if number is None and self.chosen is not None:
            number = self.chosen.group
        return None if number is None else group_name(number)

    @property
    def handshake_done(self) -> bool:
        """Whether the client went on after its own end of the handshake.

        What it sends of application data is SMTP; of TLSv1.3 its Finished looks like that too, and
        comes first. A client that turns away instead sends an alert, one record at most.
        """
        least = 2 if self.chosen is not None and self.chosen.version == "TLSv1.3" else 1
        return self.chosen is not None and self._client_records.data >= least

    def start_again(self) -> None:
        """The client connects once more; what it was refused before is kept in the dialogue."""
        self.trace.lines.append("[the client connects again]")
        self.address = self.trace.local_address
        self.earlier = copy.copy(self)
        fresh = Wire(self.trace, self.implicit_tls, self.once, self.needs_tls, hangup=self.hangup)
        for name in ("ehlo", "refusal", "refused_at", "last", "first_bytes", "server_closed"):
            setattr(self, name, getattr(fresh, name))
        for name in ("in_tls", "_replies", "_commands", "_client_records", "_server_records"):
            setattr(self, name, getattr(fresh, name))
        self._pending, self._consequences = fresh._pending, fresh._consequences
        self._withheld = 0

    def from_client(self, data: bytes) -> None:
        """Note bytes that the client sent."""
        if self.in_tls:
            self.first_bytes += data[: 16 - len(self.first_bytes)]
            self._show_records("C", self._client_records.feed(data))
        elif self._withheld:
            # Once for all that it sends, and never what it says.
            if self._withheld in WITHHELD:
                self.trace.note_line("C", WITHHELD[self._withheld])
            self._withheld = -1
        else:
            *lines, self._commands = (self._commands + data).split(b"\n")
            for line in lines:
                self._take_command(line.decode("utf-8", "replace").rstrip("\r"))

    def from_server(self, data: bytes) -> None:
        """Note bytes that the server sent."""
        if self.in_tls:
            self._show_records("S", self._server_records.feed(data))
            # The server has answered the hello: now it waits for the client's end of the handshake.
            if self.hangup == "handshake" and not (self.hung_up or self.server_alert):
                self._hang_up("handshake")
            return
        for reply in self._replies.feed(data):
            self._take_reply(reply)

    def _hang_up(self, stage: str) -> None:
        """The client is gone from here on."""
        self.hung_up = True
        self.trace.stage = stage
        self.trace.lines.append("[the client hangs up]")

    def _take_command(self, line: str) -> None:
        parts = line.split()
        verb = parts[0].upper() if parts else ""
        if verb == "AUTH":
            line = " ".join([*parts[:2], *["(credentials)"] * (len(parts) > 2)])
        self.trace.note_line("C", line)
        self.trace.stage = STAGES.get(verb, self.trace.stage)
        self._pending.append(self.trace.stage)

    def _take_reply(self, reply: Reply) -> None:
        self.trace.note_reply(reply)
        self.last = reply
        self._withheld = reply.code if reply.code in WITHHELD else 0
        stage = self._answered_stage(reply)
        consequence = self._consequences > 0
        self._consequences -= consequence
        if not 200 <= reply.code < 400:
            if not consequence:
                self.refusal, self.refused_at = reply, stage
                self._consequences = len(self._pending)
            return
        if stage in ("connect", "banner"):
            self.trace.stage = "ehlo"
        elif stage == "ehlo":
            self.ehlo = reply
        elif stage == "starttls":
            self.in_tls = True
            self.trace.stage = "handshake"
            if self.hangup == "starttls":
                self._hang_up("starttls")

    def _answered_stage(self, reply: Reply) -> str | None:
        """The stage of the command that a reply belongs to; a 334 or 354 leaves it unanswered."""
        if not self._pending:
            return self.trace.stage
        return self._pending[0] if reply.code in WITHHELD else self._pending.pop(0)

    def _show_records(self, who: str, names: list[str]) -> None:
        for name in names:
            self.trace.note_line(who, name)


class Relay:
    """A dialogue's relay. Use ``async with``: on entry it listens, on exit all is closed.

    It ends by itself where `Wire.is_over` says that nothing will come of it; the client then sees
    the connection closed. A client may connect again when its first connection has come to nothing
    (some go on without TLS), unless the wire is for ``once``: then the last connection counts.
    """

    def __init__(self, wire: Wire, host: str, port: int) -> None:
        self.wire = wire
        self._target = host, port
        self._loop = asyncio.get_running_loop()
        self._listener = socket.socket()
        self._inner: socket.socket | None = None
        self._outer: socket.socket | None = None
        self._again: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._client_ended = False

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
            await self._dial_server()
            self._listener.setblocking(False)
            self._listener.bind(("127.0.0.1", 0))
            self._listener.listen(1)
            self._loop.add_reader(self._listener, self._accept_client)
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
        if self._again is not None:
            self._again.cancel()
        for each in (self._listener, self._inner, self._outer):
            self._close_socket(each)

    def _close_socket(self, sock: socket.socket | None) -> None:
        if sock is not None and sock.fileno() >= 0:
            self._loop.remove_reader(sock)
            sock.close()

    async def _dial_server(self) -> None:
        self._outer = await connect_socket(*self._target, self.wire.trace, socket.socket)
        if self.wire.implicit_tls:
            self.wire.trace.stage = "handshake"

    def _accept_client(self) -> None:
        inner, _ = self._listener.accept()
        if self.wire.once:
            self._close_socket(self._listener)
        if not self.wire.connected:
            self.wire.connected = True
            self._join_sockets(inner)
        else:
            self._again = self._loop.create_task(self._reconnect_client(inner))

    async def _reconnect_client(self, inner: socket.socket) -> None:
        """Give a client's further connection one of its own to the server."""
        for each in (self._inner, self._outer):
            self._close_socket(each)
        self._inner = inner
        self._client_ended = False
        self.wire.start_again()
        try:
            await self._dial_server()
        except OSError:
            # As the client would have it from the server itself.
            self._close_socket(inner)
        else:
            self._join_sockets(inner)

    def _join_sockets(self, inner: socket.socket) -> None:
        assert self._outer is not None
        inner.setblocking(False)
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._inner = inner
        outer, wire = self._outer, self.wire
        self._loop.add_reader(inner, lambda: self._pass_data(inner, outer, wire.from_client))
        self._loop.add_reader(outer, lambda: self._pass_data(outer, inner, wire.from_server))

    def _pass_data(
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
            self._end_side(source, sink)

    def _hand_on(self, data: bytes, sink: socket.socket, note: Callable[[bytes], None]) -> None:
        note(data)
        if self.wire.is_over:
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

    def _end_side(self, source: socket.socket, sink: socket.socket) -> None:
        """One side has closed; the other may still have something to say."""
        self._loop.remove_reader(source)
        if source is self._inner:
            self._client_ended = True
        elif not self._client_ended:
            # A server that closes after its client did only answers: that is no refusal.
            self.wire.server_closed = True
        # A side that is gone already needs no telling.
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
