"""A server far away: a relay that holds back whatever goes either way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from harness.errors import InfrastructureError

#: Where it listens, on the server's own port: nmap looks for STARTTLS on the registered ones alone.
ADDRESS = "127.0.0.25"


@asynccontextmanager
async def relay(host: str, port: int, seconds: float) -> AsyncIterator[str]:
    """An address by which a host's port is ``seconds`` away, there and back again.

    Raises:
        InfrastructureError: the port cannot be had.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await asyncio.sleep(seconds)
            inner, outer = await asyncio.open_connection(host, port)
            ways = (_pass(reader, outer, seconds / 2), _pass(inner, writer, seconds / 2))
            await asyncio.gather(*ways)

    try:
        server = await asyncio.start_server(serve, ADDRESS, port)
    except OSError as error:
        raise InfrastructureError(
            f"cannot listen on {ADDRESS}:{port}: {error.strerror}",
            cause="ports below 1024 are root's, or another server has it",
            next_step="run as root, or leave --delay out",
        ) from error
    async with server:
        yield ADDRESS


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, after: float) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            await asyncio.sleep(after)
            writer.write(data)
    await asyncio.sleep(after)
    writer.transport.abort()
