"""Simulates a server far away: a relay that delays what is sent in both directions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from harness.errors import InfrastructureError

#: Its address; the port is the server's, since nmap uses STARTTLS on registered ports only.
ADDRESS = "127.0.0.25"


@asynccontextmanager
async def start_relay(host: str, port: int, seconds: float) -> AsyncIterator[str]:
    """Start a relay; gives an address from which a port has ``seconds`` of round trip.

    Raises:
        InfrastructureError: the port cannot be used.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await asyncio.sleep(seconds)
            inner, outer = await asyncio.open_connection(host, port)
            ways = (_pass_on(reader, outer, seconds / 2), _pass_on(inner, writer, seconds / 2))
            await asyncio.gather(*ways)

    try:
        server = await asyncio.start_server(serve, ADDRESS, port)
    except OSError as error:
        raise InfrastructureError(
            f"cannot listen on {ADDRESS}:{port}: {error.strerror}",
            cause="ports below 1024 need root, or another server has it",
            next_step="run as root, or leave --delay out",
        ) from error
    async with server:
        yield ADDRESS


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, after: float
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            await asyncio.sleep(after)
            writer.write(data)
    await asyncio.sleep(after)
    writer.transport.abort()
