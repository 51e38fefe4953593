"""One probe's dialogue, from the greeting to the server's answer to our hello. No input or output.

In SMTP one waits for the greeting, sends EHLO, waits, sends STARTTLS, waits, and says hello
(RFC 3207). EHLO must be the last of a pipeline (RFC 2920 3.1), so nothing is sent ahead: Postfix
3.9 hangs up on who does (``smtpd_forbid_unauth_pipelining``, postconf(5)).
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import InfrastructureError
from harness.scan.client_hello import (
    ClientHello,
    client_hello,
)
from harness.scan.coroutines import NotMeasuredError
from harness.scan.server_hello import (
    CLOSED,
    Answer,
    answer,
)

EHLO, STARTTLS = b"EHLO client.test\r\n", b"STARTTLS\r\n"
#: More than this of an SMTP reply, or of a first flight, is nobody's.
_TOO_MUCH = 1 << 18


@dataclass(frozen=True, slots=True)
class ScanTarget:
    """A server to scan. ``time_limit`` is of one probe, in seconds."""

    host: str
    port: int
    implicit: bool = False
    server_name: str = "mx.test"
    time_limit: float = 5.0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class ScanDialogue:
    """What to send next, by what came."""

    def __init__(self, place: ScanTarget, question: ClientHello) -> None:
        self._place = place
        self._question = question
        self._heard = b""
        self._hello = client_hello(question, place.server_name)
        self._sends = [self._hello] if place.implicit else [EHLO, STARTTLS, self._hello]

    @property
    def opening(self) -> bytes:
        """What the client says before it has heard anything."""
        return self._sends.pop(0) if self._place.implicit else b""

    def hear(self, data: bytes) -> bytes | Answer | None:
        """Given what came (b"": the end), what to send, or the answer; None: wait for more.

        Raises:
            NotMeasuredError: not the answer of a TLS server, or a server that is busy.
            InfrastructureError: it announces no STARTTLS, or is no SMTP server.
        """
        if not data:
            if self._sends:
                raise NotMeasuredError("the server closed the connection before TLS")
            return CLOSED
        self._heard += data
        if len(self._heard) > _TOO_MUCH:
            raise NotMeasuredError("the server says too much")
        if not self._sends:
            try:
                return answer(self._heard, self._question, self._hello)
            except ValueError as error:
                raise NotMeasuredError(str(error)) from error
        return self._command() if self._replied() else None

    def _replied(self) -> bool:
        """Whether a whole SMTP reply is there (RFC 5321 4.2)."""
        first = self._heard[:3]
        if len(first) == 3 and not first.isdigit():
            raise InfrastructureError(
                f"{self._place} is no SMTP server: it says {self._heard[:60]!r}",
                cause="another service listens there, or TLS is from the start",
                next_step="name another port, or add --implicit",
            )
        last = self._heard.splitlines(keepends=True)[-1]
        return last.endswith(b"\n") and last[3:4] != b"-" and last[:3].isdigit()

    def _command(self) -> bytes:
        reply, self._heard = self._heard, b""
        if not reply.startswith(b"2"):
            words = reply.decode(errors="replace").strip()
            raise NotMeasuredError(f"the server says {words[:200]!r}")
        send = self._sends.pop(0)
        if send is STARTTLS and b"STARTTLS" not in reply.upper():
            raise InfrastructureError(
                f"{self._place} announces no STARTTLS",
                cause="TLS is off there, or a bad setting disabled it (see its log)",
                next_step="scan a service with TLS, or add --implicit where TLS is from the start",
            )
        return send
