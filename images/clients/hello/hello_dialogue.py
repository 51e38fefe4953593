"""One dialogue with a recorded hello: to STARTTLS, the hello, the server's choice, a close."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Any

from common.contract import EHLO_NAME, Ending, Reply, Request, Trace
from common.dial import connect_socket
from common.hello import cipher_name, group_name
from common.wire import Replies, announces_keyword
from server_flight import NotTls, ServerFlight

CHUNK = 65536
_CLOSED = "[the client closes the connection: a recorded hello completes no handshake]"


class RecordedClient:
    """A client of the contract (common/contract.py) that sends these bytes as its first flight."""

    def __init__(self, hello: bytes) -> None:
        self._hello = hello
        self.flight = ServerFlight()

    async def describe(self) -> dict[str, Any]:
        """Not used: the driver describes itself."""
        return {}

    @property
    def prime_bits(self) -> int | None:
        """The size of the prime that the server chose for a Diffie-Hellman exchange."""
        chosen = self.flight.chosen
        return None if chosen is None else self.flight.prime_bits(cipher_name(chosen.cipher)[0])

    async def run(self, request: Request, trace: Trace) -> Ending:
        """The dialogue."""
        try:
            made = await connect_socket(request.host, request.port, trace, socket.socket)
        except ConnectionRefusedError as exc:
            return Ending("would-be-refused", "connect", f"ConnectionRefusedError: {exc}")
        reader, writer = await asyncio.open_connection(sock=made)
        try:
            dialogue = _Dialogue(reader, writer, trace)
            if not request.implicit_tls and (ending := await dialogue.start_tls()) is not None:
                return ending
            await self._shake_hands(dialogue)
        except (ConnectionError, NotTls) as exc:
            return Ending("would-be-refused", trace.stage, f"{type(exc).__name__}: {exc}")
        finally:
            writer.close()
        return self._judge_flight(trace)

    async def _shake_hands(self, dialogue: _Dialogue) -> None:
        trace = dialogue.trace
        trace.stage = "handshake"
        trace.note_line("C", f"[recorded ClientHello, {len(self._hello)} bytes]")
        dialogue.writer.write(self._hello)
        while not self.flight.is_done:
            data = await dialogue.reader.read(CHUNK)
            if not data:
                break
            self.flight.feed(data)
        for name in self.flight.messages:
            trace.note_line("S", name)
        trace.lines.append(_CLOSED)

    def _judge_flight(self, trace: Trace) -> Ending:
        flight, chosen = self.flight, self.flight.chosen
        if flight.ssl2_ciphers is not None:
            return _judge_ssl2(flight.ssl2_ciphers, trace)
        if flight.alert is not None:
            error = f"server's alert: {flight.alert}"
            return Ending("would-be-refused", "handshake", error)
        if chosen is None or not flight.is_done:
            return Ending("would-be-refused", "handshake", "the server closed the connection")
        trace.protocol = chosen.version
        trace.cipher, trace.bits = cipher_name(chosen.cipher)
        group = flight.curve if flight.curve is not None else chosen.group
        trace.group = None if group is None else group_name(group)
        trace.peer_certificate = flight.certificate
        return Ending("would-negotiate", None, self._describe_requests(trace.group))

    def _describe_requests(self, group: str | None) -> str | None:
        """What the server asks for beyond the hello; a recording does not show the answer."""
        if self.flight.chosen is not None and self.flight.chosen.retry:
            return f"the server asks for another hello, with a key of {group} (HelloRetryRequest)"
        if self.flight.requests_certificate:
            return "the server asks for a client certificate (CertificateRequest)"
        return None


def _judge_ssl2(ciphers: tuple[int, ...], trace: Trace) -> Ending:
    if not ciphers:
        return Ending("would-be-refused", "handshake", "no shared cipher in SSLv2")
    trace.protocol = "SSLv2"
    return Ending("would-negotiate")


@dataclass
class _Dialogue:
    """A connection, and what was said on it in the clear."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    trace: Trace
    _replies: Replies = field(default_factory=Replies)
    _ready: list[Reply] = field(default_factory=list)

    async def start_tls(self) -> Ending | None:
        """Go as far as the reply to STARTTLS; how it ended where TLS was not granted."""
        for stage, command in (
            ("banner", ""),
            ("ehlo", f"EHLO {EHLO_NAME}"),
            ("starttls", "STARTTLS"),
        ):
            self.trace.stage = stage
            reply = await self._ask_server(command)
            if not 200 <= reply.code < 300:
                return Ending("would-be-refused", stage, None, reply)
            if stage == "ehlo" and not announces_keyword(reply, "STARTTLS"):
                return Ending("not-offered", "ehlo", "the server does not offer STARTTLS", reply)
        return None

    async def _ask_server(self, command: str) -> Reply:
        if command:
            self.trace.note_line("C", command)
            self.writer.write(f"{command}\r\n".encode())
        while not self._ready:
            data = await self.reader.read(CHUNK)
            if not data:
                raise ConnectionResetError("the server closed the connection")
            self._ready += self._replies.feed(data)
        reply = self._ready.pop(0)
        self.trace.note_reply(reply)
        return reply
