"""Clients that are driven from outside: a program or a library's worker behind the relay.

A mailer knows how to have one message sent to a port of this machine, and what its software says of
it. What happened is then judged from both: the wire, which does not lie, and the software's report.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Protocol

from common.contract import Ending, Reply, Request, Trace, find_queue_id, make_message_id
from common.hello import cipher_name
from common.relay import Relay, Wire
from common.wire import announces_keyword

_CODES = {"530": "mail", "534": "auth", "535": "auth", "538": "auth", "503": "auth"}


class Incapable(Exception):
    """The software cannot be told to make this offer; its message, or why there is no way."""


@dataclass(frozen=True)
class Report:
    """What the client's software says came of its message.

    ``sent``: it believes that the server took the message. ``reply`` is the server's, where it
    passes it on: the one that refused, else the last. ``stage`` is where it says it was. The rest
    is of TLS, for software that tells; what it does not tell is read off the wire. ``queue_id`` is
    for software that tells that of the last reply and nothing else. ``peer_certificate`` is the
    server's own, PEM. ``resumed`` is of a second connection, where that was asked for. ``hung_up``:
    it closed the connection where it was told to.
    """

    sent: bool
    error: str | None = None
    reply: Reply | None = None
    stage: str | None = None
    protocol: str | None = None
    cipher: str | None = None
    bits: int | None = None
    group: str | None = None
    queue_id: str | None = None
    peer_certificate: str | None = None
    resumed: bool | None = None
    hung_up: bool = False


#: What the relay does for any client: it closes the connection in the client's place.
RELAYS = frozenset({"hangup=starttls", "hangup=handshake"})


class Mailer(Protocol):
    """One client's software."""

    async def describe(self) -> dict[str, Any]:
        """What ``driver --describe`` prints."""
        ...

    async def send_message(self, request: Request, port: int) -> Report:
        """Have the request's message sent to ``request.server_name``, which is here, at ``port``.

        Raises:
            Incapable: it cannot be told to make the offer.
        """
        ...


class Relayed:
    """A client of the contract (common/contract.py) made of a mailer and the relay."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer
        self.plaintext = bool(getattr(mailer, "plaintext", False))
        self.extras = frozenset(getattr(mailer, "extras", ())) | RELAYS

    async def describe(self) -> dict[str, Any]:
        """The mailer's."""
        return await self._mailer.describe()

    async def run(self, request: Request, trace: Trace) -> Ending:
        """One dialogue, judged by what was said on the wire and by the software."""
        needs_tls = request.offer is not None
        wire = Wire(
            trace,
            request.implicit_tls,
            once=False,
            needs_tls=needs_tls,
            hangup=request.extras.hangup,
        )
        try:
            async with Relay(wire, request.host, request.port) as relay:
                report = await self._mailer.send_message(request, relay.port)
        except ConnectionRefusedError as exc:
            return Ending("refused", "connect", f"ConnectionRefusedError: {exc}")
        except Incapable as exc:
            return Ending("client-incapable", "handshake", str(exc))
        note_negotiated(trace, report, wire)
        return judge_dialogue(request, wire, report)


def note_negotiated(trace: Trace, report: Report, wire: Wire) -> None:
    """Put into the trace what was negotiated: as the software says, else as the wire shows."""
    trace.peer_certificate = report.peer_certificate
    if not (report.sent or wire.handshake_done) or not wire.in_tls:
        return
    trace.resumed = report.resumed
    chosen = wire.chosen
    if chosen is not None:
        trace.protocol = chosen.version
        trace.cipher, trace.bits = cipher_name(chosen.cipher)
        trace.group = wire.group
    elif wire.is_ssl2:
        trace.protocol = "SSLv2"
    trace.protocol = report.protocol or trace.protocol
    trace.cipher = report.cipher or trace.cipher
    trace.bits = report.bits if report.bits is not None else trace.bits
    trace.group = report.group or trace.group


def judge_dialogue(request: Request, wire: Wire, report: Report) -> Ending:
    """What a dialogue comes to, once the software has given up or is through.

    Raises:
        RuntimeError: it failed, and nothing on the wire says why: the driver's trouble, nobody's
            refusal.
    """
    if wire.hung_up or report.hung_up:
        stage = wire.trace.stage if wire.hung_up else "data"
        return Ending("hung-up", stage, "the client hung up, as it was told")
    if report.sent:
        return _judge_sent(wire, report)
    if wire.earlier is not None and wire.earlier.hello_sent and not wire.hello_sent:
        # It was turned away in the handshake, and came again for nothing: the first tells why.
        wire = wire.earlier
        wire.trace.local_address = wire.address
    if not wire.connected:
        return _judge_unconnected(request, report)
    if wire.in_tls:
        return _judge_failure_in_tls(wire, report)
    return _judge_failure_in_the_clear(request, wire, report)


def _judge_sent(wire: Wire, report: Report) -> Ending:
    reply = report.reply if wire.in_tls else _final_reply(wire) or report.reply
    wire.trace.queue_id = report.queue_id or (find_queue_id(reply.text) if reply else None)
    return Ending("accepted" if wire.in_tls else "plaintext", reply=reply)


def _final_reply(wire: Wire) -> Reply | None:
    """The reply that took the message, of a dialogue in the clear."""
    replies = re.findall(r"^S: 250 (.*queued as .*)$", "\n".join(wire.trace.lines), re.M)
    return Reply(250, replies[-1]) if replies else None


def _judge_unconnected(request: Request, report: Report) -> Ending:
    if request.offer is None:
        raise RuntimeError(f"the client did not connect: {report.error}")
    return Ending("client-incapable", "handshake", report.error or "it did not connect")


def _judge_failure_in_tls(wire: Wire, report: Report) -> Ending:
    if not wire.hello_sent:
        return Ending("client-incapable", "handshake", report.error)
    if wire.handshake_done:
        stage = (
            report.stage if report.stage not in (None, "handshake") else find_stage(report.reply)
        )
        return Ending("refused", stage, report.error, report.reply)
    return Ending("refused", "handshake", add_alerts(report.error, wire))


def _judge_failure_in_the_clear(request: Request, wire: Wire, report: Report) -> Ending:
    if request.offer is not None and not wire.offers_starttls:
        return Ending("not-offered", "ehlo", report.error, wire.ehlo)
    if wire.refusal is not None:
        return Ending("refused", wire.refused_at, report.error, wire.refusal)
    if wire.server_closed:
        return Ending(
            "refused", wire.trace.stage, report.error or "the server closed the connection"
        )
    if request.offer is not None:
        return Ending("client-incapable", "handshake", report.error)
    if not wire.offers_starttls and report.stage != "auth":
        # Left to itself this client wants TLS, too.
        return Ending("not-offered", "ehlo", report.error, wire.ehlo)
    ehlo = wire.ehlo
    if request.username is not None and ehlo is not None and not announces_keyword(ehlo, "AUTH"):
        # It will not go on where it cannot log in; no client is told that by a reply.
        return Ending("refused", "auth", report.error, ehlo)
    raise RuntimeError(f"the client gave up by itself: {report.error}")


def find_stage(reply: Reply | None) -> str:
    """Where a reply belongs that came inside TLS, by its code (RFC 4954 6, RFC 5321 4.2.3)."""
    if reply is None:
        return "ehlo"
    if re.match(r"5\.7\.[08]|4\.7\.0", reply.text) and reply.code in (454, 535):
        return "auth"
    return _CODES.get(str(reply.code), "rcpt" if reply.code in (450, 550, 554) else "mail")


def add_alerts(error: str | None, wire: Wire) -> str:
    """The software's error, and the alert that it may not name."""
    lines = [error] if error else []
    lines += [f"server's alert: {wire.server_alert}"] if wire.server_alert else []
    lines += [f"client's alert: {wire.client_alert}"] if wire.client_alert else []
    if wire.server_closed and not (wire.server_alert or wire.client_alert):
        lines.append("the server closed the connection")
    return "\n".join(lines)


def format_message(request: Request) -> bytes:
    """The message for a program that takes one as it is to be sent (RFC 5322), with CRLF."""
    lines = (
        f"From: {request.sender}",
        f"To: {request.recipient}",
        f"Subject: {request.subject}",
        f"Date: {formatdate()}",
        f"Message-ID: {make_message_id(request.id)}",
        "",
        request.id,
        "",
    )
    return "\r\n".join(lines).encode()


def find_refusal(text: str) -> Reply | None:
    """The last SMTP reply that refuses, in a program's output: ``535 5.7.8 Error: ...``."""
    replies = re.findall(r"(?<![\d.])([45]\d\d)[ -]([245]\.\d{1,3}\.\d{1,3} [^\r\n]*)", text)
    return Reply(int(replies[-1][0]), replies[-1][1].strip()) if replies else None
