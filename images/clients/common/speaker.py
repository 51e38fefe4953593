"""EHLO and QUIT through a program that is a pipe into TLS: ``openssl s_client``, ``gnutls-cli``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from common.contract import EHLO_NAME, Ending, Reply, Trace
from common.relay import Wire

EHLO = f"EHLO {EHLO_NAME}\r\n".encode()
QUIT = b"QUIT\r\n"
#: Small letters: a line that begins with Q ends s_client where it takes commands.
NOOP, SMALL_QUIT = b"noop\r\n", b"quit\r\n"


@dataclass
class Speaker:
    """The dialogue inside TLS: what comes out of the program, and what to put into it.

    ``replies`` are the server's: the banner (implicit TLS only), then EHLO's, then QUIT's.
    ``renegotiates``: after EHLO's the program is told to renegotiate (`wants_handshake`), and NOOP
    is said after that (`go_on`); its reply comes before QUIT's.
    """

    trace: Trace
    implicit_tls: bool
    replies: list[Reply]
    renegotiates: bool = False
    _rest: bytes = b""
    _lines: tuple[str, ...] = ()

    def first_input(self) -> bytes:
        """What lies in its standard input from the start; it reads after the handshake."""
        return b"" if self.implicit_tls else EHLO

    def take_output(self, output: bytes) -> bytes:
        """Take a piece of output; give what is to be said now.

        A program writes remarks of its own in between: only lines that are part of a reply count
        (RFC 5321 4.2).
        """
        *lines, self._rest = (self._rest + output).split(b"\n")
        answer = b""
        for line in lines:
            if re.match(rb"[2-5]\d\d[ -]", line):
                answer += self._reply_line(line.decode("utf-8", "replace").rstrip("\r"))
        return answer

    def _reply_line(self, line: str) -> bytes:
        self._lines = (*self._lines, line[4:])
        if line[3] == "-":
            return b""
        if not self.replies and not self.implicit_tls:
            self.trace.note_line("C", f"EHLO {EHLO_NAME}")
        reply = Reply(int(line[:3]), "\n".join(self._lines))
        self._lines = ()
        self.replies.append(reply)
        self.trace.note_reply(reply)
        return self._next_command()

    @property
    def _reply_count(self) -> int:
        """How many replies there are, with the banner that STARTTLS's side read in the clear."""
        return len(self.replies) + (not self.implicit_tls)

    @property
    def wants_handshake(self) -> bool:
        """Whether it is time for a second handshake."""
        return self.renegotiates and self._reply_count == 2

    def go_on(self) -> bytes:
        """What to say once the second handshake has been begun."""
        self.trace.note_line("C", NOOP.decode().rstrip())
        return NOOP

    def _next_command(self) -> bytes:
        """After the banner comes EHLO, after EHLO's reply QUIT, whatever they say."""
        steps = {1: (EHLO, "ehlo"), 2: (QUIT, "quit")}
        if self.renegotiates:
            steps = {1: (EHLO, "ehlo"), 2: (b"", "handshake"), 3: (SMALL_QUIT, "quit")}
        say, self.trace.stage = steps.get(self._reply_count, (b"", self.trace.stage))
        if say:
            self.trace.note_line("C", say.decode().rstrip())
        return say


def judge_program(wire: Wire, speaker: Speaker, output: str) -> Ending:
    """What an ended program comes to, from both sides of it: the wire, and its own ``output``.

    Where the wire alone decides, they are left out: they only tell of the relay's end.
    """
    if wire.hung_up:
        return Ending("hung-up", wire.trace.stage, "the client hung up, as it was told")
    if wire.refusal is not None:
        return Ending("refused", wire.refused_at, reply=wire.refusal)
    if not wire.offers_starttls:
        return Ending("not-offered", "ehlo", reply=wire.ehlo)
    if not wire.connected:
        return Ending("client-incapable", "handshake", output or "it did not connect")
    if not wire.in_tls:
        return Ending("refused", wire.trace.stage, "the server closed the connection")
    stages = ("banner", "ehlo") if wire.implicit_tls else ("ehlo",)
    for place, reply in enumerate(speaker.replies[: len(stages)]):
        if reply.code >= 400:
            return Ending("refused", stages[place], None, reply)
    if len(speaker.replies) == len(stages) and speaker.renegotiates:
        # It was told to renegotiate, and the dialogue ended with that.
        return Ending("refused", "handshake", _with_alert(output or "no second handshake", wire))
    if len(speaker.replies) >= len(stages):
        return Ending("accepted", reply=speaker.replies[len(stages) - 1])
    outcome = "refused" if wire.hello_sent else "client-incapable"
    return Ending(outcome, "handshake", _with_alert(output, wire))


def _with_alert(error: str, wire: Wire) -> str:
    """The error, and the alert that a program does not always name."""
    alerts = [f"server's alert: {wire.server_alert}"] if wire.server_alert else []
    alerts += [f"client's alert: {wire.client_alert}"] if wire.client_alert else []
    closed = ["the server closed the connection"] if wire.server_closed and not alerts else []
    return "\n".join([*([error] if error else []), *alerts, *closed])
