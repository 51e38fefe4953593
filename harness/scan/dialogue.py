"""The SMTP dialogue of a probe, from the greeting to the server's answer to our ClientHello.

A client waits for the greeting, sends EHLO, waits, sends STARTTLS, waits, and sends its ClientHello
(RFC 3207). EHLO must be the last command of a pipeline (RFC 2920 3.1), so nothing is sent ahead:
Postfix 3.9 disconnects clients that do (``smtpd_forbid_unauth_pipelining``, postconf(5)).
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import InfrastructureError
from harness.scan.client_hello import (
    ClientHello,
    encode_client_hello,
)
from harness.scan.coroutines import NotMeasuredError
from harness.scan.server_hello import (
    CLOSED,
    Answer,
    parse_answer,
)

EHLO, STARTTLS = b"EHLO client.test\r\n", b"STARTTLS\r\n"
#: No SMTP reply and no first flight has more bytes than this.
_TOO_MUCH = 1 << 18


@dataclass(frozen=True, slots=True)
class ScanTarget:
    """A server to scan. ``time_limit`` is for one probe, in seconds."""

    host: str
    port: int
    implicit: bool = False
    server_name: str = "mx.test"
    time_limit: float = 5.0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class ScanDialogue:
    """Decides what to send next, by what was received."""

    def __init__(self, target: ScanTarget, hello: ClientHello) -> None:
        self._target = target
        self._client_hello = hello
        self._received = b""
        self._hello = encode_client_hello(hello, target.server_name)
        self._sends = [self._hello] if target.implicit else [EHLO, STARTTLS, self._hello]

    @property
    def first_data(self) -> bytes:
        """What the client sends before it has received anything."""
        return self._sends.pop(0) if self._target.implicit else b""

    def take_data(self, data: bytes) -> bytes | Answer | None:
        """Take received data (b"": the end); gives what to send, or the answer, or None to wait.

        Raises:
            NotMeasuredError: it is not the answer of a TLS server, or the server is busy.
            InfrastructureError: the server announces no STARTTLS, or is not an SMTP server.
        """
        if not data:
            if self._sends:
                raise NotMeasuredError("the server closed the connection before TLS")
            return CLOSED
        self._received += data
        if len(self._received) > _TOO_MUCH:
            raise NotMeasuredError("the server sends too much")
        if not self._sends:
            try:
                return parse_answer(self._received, self._client_hello, self._hello)
            except ValueError as error:
                raise NotMeasuredError(str(error)) from error
        return self._next_command() if self._has_reply() else None

    def _has_reply(self) -> bool:
        """Whether a complete SMTP reply was received (RFC 5321 4.2)."""
        first = self._received[:3]
        if len(first) == 3 and not first.isdigit():
            raise InfrastructureError(
                f"{self._target} is not an SMTP server: it sends {self._received[:60]!r}",
                cause="another service listens there, or TLS is from the start",
                next_step="name another port, or add --implicit",
            )
        last = self._received.splitlines(keepends=True)[-1]
        return last.endswith(b"\n") and last[3:4] != b"-" and last[:3].isdigit()

    def _next_command(self) -> bytes:
        reply, self._received = self._received, b""
        if not reply.startswith(b"2"):
            message = reply.decode(errors="replace").strip()
            raise NotMeasuredError(f"the server replies {message[:200]!r}")
        send = self._sends.pop(0)
        if send is STARTTLS and b"STARTTLS" not in reply.upper():
            raise InfrastructureError(
                f"{self._target} announces no STARTTLS",
                cause="TLS is off there, or a bad setting disabled it (see its log)",
                next_step="scan a service with TLS, or add --implicit where TLS is from the start",
            )
        return send
