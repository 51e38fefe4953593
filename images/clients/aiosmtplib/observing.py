"""Watching aiosmtplib at work without changing what it does.

The event loop dials for it, so that the socket, its address and the first bytes of TLS are known,
and the wire's protocol class notes what it writes and reads. The library itself is untouched.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import aiosmtplib.smtp
from aiosmtplib.protocol import SMTPProtocol
from common.contract import Reply
from dialogue import Dialogue

#: The dialogue that the running task holds; tasks that the library starts inherit it.
CURRENT: contextvars.ContextVar[Dialogue] = contextvars.ContextVar("dialogue")


class ObservedProtocol(SMTPProtocol):
    """aiosmtplib's wire protocol, which also notes what passes through it."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._dialogue = CURRENT.get()

    def write(self, data: bytes) -> None:
        """As SMTPProtocol.write."""
        self._dialogue.note_sent(data)
        super().write(data)

    async def read_response(self, timeout: float | None = None) -> Any:
        """As SMTPProtocol.read_response."""
        response = await super().read_response(timeout)
        self._dialogue.note_reply(Reply(response.code, response.message))
        return response


class DiallingLoop(asyncio.SelectorEventLoop):
    """An event loop whose connections go where the request says, whatever name they are made for.

    As an entry in /etc/hosts would do it: the library connects to the server's name, which is the
    one in the certificate, and the loop knows its address.
    """

    async def create_connection(  # type: ignore[override]
        self, factory: Any, *_args: Any, **keywords: Any
    ) -> Any:
        """As loop.create_connection, for the dialogue of the running task."""
        dialogue = CURRENT.get()
        connected = await dialogue.connect_to_server()
        context = keywords.get("ssl")
        if context is None:
            made = await super().create_connection(factory, sock=connected)
            dialogue.transport = made[0]
            return made
        dialogue.begin_tls()
        made = await super().create_connection(
            factory,
            sock=connected,
            ssl=context,
            server_hostname=keywords["host"],
            ssl_handshake_timeout=keywords.get("ssl_handshake_timeout"),
        )
        dialogue.transport = made[0]
        dialogue.note_handshake(made[0], "banner")
        return made

    async def start_tls(self, *args: Any, **keywords: Any) -> Any:
        """As loop.start_tls."""
        dialogue = CURRENT.get()
        dialogue.begin_tls()
        transport = await super().start_tls(*args, **keywords)
        if transport is not None:
            dialogue.note_handshake(transport, "ehlo")
        return transport


def install_protocol() -> None:
    """Have aiosmtplib make its connections with the protocol that notes."""
    vars(aiosmtplib.smtp)["SMTPProtocol"] = ObservedProtocol
