"""One probe: connect, come to the point where TLS begins, say hello, hear the answer, hang up."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from harness.clients.scan.messages import Alert, Answer, answer
from harness.errors import InfrastructureError

EHLO, STARTTLS = b"EHLO client.test\r\n", b"STARTTLS\r\n"
#: A close where an alert is due says no as well; a time-out never does.
CLOSED = Alert(-1)


class NotMeasuredError(Exception):
    """A probe that came to nothing: it says nothing about what the server accepts."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server to scan. ``time_limit`` is of one probe, in seconds."""

    host: str
    port: int
    implicit: bool = False
    server_name: str = "mx.test"
    time_limit: float = 5.0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


async def reach(place: Place) -> None:
    """See that somebody listens, before a map of nothing is made.

    Raises:
        InfrastructureError: nobody does, or there is no way there.
    """
    try:
        async with asyncio.timeout(place.time_limit):
            _, writer = await asyncio.open_connection(place.host, place.port)
    except (OSError, TimeoutError) as error:
        raise InfrastructureError(
            f"{place} cannot be reached: {str(error) or 'no answer'}",
            cause="nobody listens there, or this machine has no way to it (a container's address "
            "is reached from the machine that the engine runs on, not through Docker Desktop)",
            next_step="check the address and the port",
        ) from error
    writer.transport.abort()


async def probe(place: Place, hello: bytes) -> Answer:
    """The server's answer to a ClientHello; CLOSED where it hangs up on it.

    Raises:
        NotMeasuredError: no connection, no answer in time, or not the answer of a TLS server.
        InfrastructureError: it announces no STARTTLS, or is no SMTP server.
    """
    try:
        async with asyncio.timeout(place.time_limit):
            reader, writer = await asyncio.open_connection(place.host, place.port)
            try:
                return await _ask(place, reader, writer, hello)
            finally:
                writer.transport.abort()
    except TimeoutError:
        raise NotMeasuredError(f"no answer in {place.time_limit:g} s") from None
    except OSError as error:
        raise NotMeasuredError(str(error)) from error


async def _ask(
    place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: bytes
) -> Answer:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not place.implicit:
        await _come_to_tls(place, reader, writer)
    writer.write(hello)
    heard = b""
    while True:
        try:
            data = await reader.read(4096)
        except ConnectionError:
            data = b""
        if not data:
            return CLOSED
        heard += data
        try:
            found = answer(heard)
        except ValueError as error:
            raise NotMeasuredError(str(error)) from error
        if found is not None:
            return found


async def _come_to_tls(
    place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await _reply(place, reader, "2")
    writer.write(EHLO)
    announced = await _reply(place, reader, "2")
    if b"STARTTLS" not in announced.upper():
        raise InfrastructureError(
            f"{place} announces no STARTTLS",
            cause="TLS is off there, or a bad setting disabled it (see its log)",
            next_step="scan a service with TLS, or add --implicit where TLS is from the start",
        )
    writer.write(STARTTLS)
    await _reply(place, reader, "2")


async def _reply(place: Place, reader: asyncio.StreamReader, wanted: str) -> bytes:
    """A whole SMTP reply (RFC 5321 4.2)."""
    whole = b""
    while True:
        line = await reader.readline()
        if not line:
            raise NotMeasuredError("the server closed the connection before TLS")
        whole += line
        if not line[:3].isdigit():
            raise InfrastructureError(
                f"{place} is no SMTP server: it says {line[:60]!r}",
                cause="another service listens there, or TLS is from the start",
                next_step="name another port, or add --implicit",
            )
        if line[3:4] != b"-":
            break
    if not whole.startswith(wanted.encode()):
        raise NotMeasuredError(f"the server says {line.decode(errors='replace').strip()}")
    return whole
