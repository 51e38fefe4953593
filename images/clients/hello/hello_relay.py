"""Records the ClientHello of another client, which connects here instead of to the server.

Bytes pass unchanged in both directions. The first flight is what the client sends once TLS begins:
with the connection, or after the reply 220 to STARTTLS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

CHUNK = 65536
_HANDSHAKE, _CLIENT_HELLO = 22, 1


class HelloCapture:
    """Finds the ClientHello in what both sides say; ``hello`` is whole, or b"" as yet."""

    def __init__(self, *, implicit_tls: bool) -> None:
        self.hello = b""
        self._in_tls = implicit_tls
        self._command = b""
        self._asked = False
        self._flight = b""

    def take_from_client(self, data: bytes) -> None:
        """Take bytes that the client sent."""
        if self._in_tls:
            if not self.hello:
                self._flight += data
                self.hello = cut_client_hello(self._flight)
            return
        *lines, self._command = (self._command + data).split(b"\n")
        self._asked = self._asked or any(line.strip().upper() == b"STARTTLS" for line in lines)

    def take_from_server(self, data: bytes) -> None:
        """Take bytes that the server sent."""
        if self._asked and not self._in_tls and data.startswith(b"220"):
            self._in_tls = True


def cut_client_hello(flight: bytes) -> bytes:
    """The records of the ClientHello at the start of a flight; b"": it is not whole, or none."""
    if len(flight) >= 3 and flight[0] & 0x80 and flight[2] == _CLIENT_HELLO:
        end = 2 + (int.from_bytes(flight[:2], "big") & 0x7FFF)
        return flight[:end] if len(flight) >= end else b""
    message, at = b"", 0
    while len(flight) >= at + 5 and flight[at] == _HANDSHAKE:
        end = at + 5 + int.from_bytes(flight[at + 3 : at + 5], "big")
        if len(flight) < end:
            return b""
        message, at = message + flight[at + 5 : end], end
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big"):
            return flight[:at]
    return b""


class RecordingRelay:
    """Listens on a port of its own and passes each connection on to the server."""

    def __init__(self, host: str, port: int, *, implicit_tls: bool) -> None:
        self._target = host, port
        self._implicit_tls = implicit_tls
        self._captures: list[HelloCapture] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; the port."""
        self._server = await asyncio.start_server(self._serve_client, "0.0.0.0", 0)
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    @property
    def hellos(self) -> list[bytes]:
        """The whole ClientHellos of the connections so far, in order."""
        return [capture.hello for capture in self._captures if capture.hello]

    def close(self) -> None:
        """Stop listening; what is connected goes on to its end."""
        if self._server is not None:
            self._server.close()

    async def _serve_client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        capture = HelloCapture(implicit_tls=self._implicit_tls)
        self._captures.append(capture)
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            _pass_on(reader, server_writer, capture.take_from_client),
            _pass_on(server_reader, writer, capture.take_from_server),
        )


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[bytes], None]
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            note(data)
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()
