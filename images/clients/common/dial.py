"""Connecting, and looking names up no more often than need be."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

from common.contract import Trace

Socket = TypeVar("Socket", bound=socket.socket)

#: Seconds that an address is remembered. Short: a container that is started anew has another.
REMEMBER = 5.0
_addresses: dict[tuple[str, int], tuple[float, tuple[int, int, int], Any]] = {}


def acknowledge_at_once(sock: socket.socket) -> None:
    """Have the kernel acknowledge what comes next without delay. To be called after each send.

    A server that has two small things to say (its end of the handshake, then the banner) holds the
    second back until the first is acknowledged, and Linux would take 40 ms for that (tcp(7),
    TCP_QUICKACK: not permanent).
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def _look_up(host: str, port: int) -> tuple[tuple[int, int, int], Any]:
    known = _addresses.get((host, port))
    if known is not None and time.monotonic() < known[0]:
        return known[1], known[2]
    loop = asyncio.get_running_loop()
    family, kind, number, _, address = (
        await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )[0]
    _addresses[host, port] = time.monotonic() + REMEMBER, (family, kind, number), address
    return (family, kind, number), address


async def connect_socket(
    host: str, port: int, trace: Trace, make: Callable[[int, int, int], Socket]
) -> Socket:
    """Connect; the trace's clock starts, and its local address is known afterwards.

    Raises:
        OSError: no such host, nothing listens there, or no way to it.
    """
    trace.stage = "connect"
    trace.start_clock()
    kind, address = await _look_up(host, port)
    made = make(*kind)
    made.setblocking(False)
    # SMTP is a dialogue of small pieces; waiting to fill a segment only slows it.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # connect() by itself may take one port for two servers at a time; the harness finds a dialogue
    # in the server's log by its port, so it has to be this one's alone.
    made.bind(("", 0))
    try:
        await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        _addresses.pop((host, port), None)
        made.close()
        raise
    name, number = made.getsockname()[:2]
    trace.local_address = f"{name}:{number}"
    trace.stage = "banner"
    return made
