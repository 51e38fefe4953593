"""One dialogue as it is seen from outside of the library: socket, lines, first refusal."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

from common.contract import Reply, Request, Trace
from common.dial import acknowledge_at_once, connect_socket
from common.relay import STAGES
from common.tuned import read_certificate
from common.wire import is_client_hello

#: What the client says after these replies is not shown (RFC 4954 4, RFC 5321 4.1.1.4).
_WITHHELD = {334: "(credentials)", 354: "({} bytes of message)"}


class WatchedSocket(socket.socket):
    """A TCP socket that keeps the first bytes sent since TLS was begun."""

    tls_begun = False
    first_bytes = b""

    def send(self, data: Any, flags: int = 0, /) -> int:
        """As socket.send."""
        sent = super().send(data, flags)
        acknowledge_at_once(self)
        if self.tls_begun and len(self.first_bytes) < 16:
            self.first_bytes += bytes(data[:sent])[: 16 - len(self.first_bytes)]
        return sent


class Dialogue:
    """One request's dialogue: where to dial, and what was seen."""

    def __init__(self, request: Request, trace: Trace) -> None:
        self.request = request
        self.trace = trace
        self.socket: WatchedSocket | None = None
        self.transport: asyncio.WriteTransport | None = None
        self.over_tls = False
        self._tls: ssl.SSLObject | None = None
        self.replies_over_tls = 0
        self.last_ehlo: Reply | None = None
        self.refusal: tuple[str | None, Reply] | None = None

    @property
    def hello_sent(self) -> bool:
        """Whether a ClientHello left this machine."""
        return self.socket is not None and is_client_hello(self.socket.first_bytes)

    @property
    def session(self) -> ssl.SSLSession | None:
        """What a later connection can take up; None: no TLS, or no session yet."""
        return self._tls.session if self._tls is not None else None

    async def connect_to_server(self) -> WatchedSocket:
        """Connect to the request's host and port."""
        request = self.request
        self.socket = await connect_socket(request.host, request.port, self.trace, WatchedSocket)
        return self.socket

    def close(self) -> None:
        """Leave nothing open, however the dialogue ended."""
        if self.transport is not None:
            self.transport.abort()
        elif self.socket is not None:
            self.socket.close()

    def begin_tls(self) -> None:
        """The next bytes sent are the handshake's."""
        self.trace.stage = "handshake"
        if self.socket is not None:
            self.socket.tls_begun = True

    def note_handshake(self, transport: asyncio.BaseTransport, stage: str) -> None:
        """The handshake is done, as far as the client can tell."""
        session: ssl.SSLObject = transport.get_extra_info("ssl_object")
        self._tls = session
        self.trace.peer_certificate = read_certificate(session)
        if self.request.extras.resume:
            self.trace.resumed = bool(session.session_reused)
        cipher = session.cipher()
        self.trace.protocol = postfix_spelling(session.version())
        if cipher is not None:
            self.trace.cipher, _, self.trace.bits = cipher
        self.trace.stage = stage
        self.trace.lines.append(f"[{session.version()}, {self.trace.cipher}]")
        self.over_tls = True

    def note_sent(self, data: bytes) -> None:
        """Note what the client says, but for credentials: what AUTH carries, or answers a 334."""
        asked_for = self.trace.reply.code if self.trace.reply is not None else 0
        if asked_for in (334, 354):
            self.trace.note_line("C", _WITHHELD[asked_for].format(len(data)))
            return
        line = data.split(b"\r\n", 1)[0].decode("utf-8", "replace")
        parts = line.split()
        verb = parts[0].upper() if parts else ""
        if verb == "AUTH":
            line = " ".join([*parts[:2], *["(credentials)"] * (len(parts) > 2)])
        self.trace.note_line("C", line)
        self.trace.stage = STAGES.get(verb, self.trace.stage)

    def note_reply(self, reply: Reply) -> None:
        """Note what the server says, and the first time that it says no."""
        self.trace.note_reply(reply)
        self.replies_over_tls += self.over_tls
        if self.trace.stage == "ehlo":
            self.last_ehlo = reply
        if reply.code >= 400 and self.refusal is None:
            self.refusal = (self.trace.stage, reply)


def postfix_spelling(version: str | None) -> str | None:
    """Python writes Postfix's spelling already, but for TLSv1.0 in some builds of OpenSSL."""
    return "TLSv1" if version == "TLSv1.0" else version
