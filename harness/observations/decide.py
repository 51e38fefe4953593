"""Decide the outcome of a cell once, from both sides' evidence.

A refusal in the handshake, or later, is believed only where a control of the same run shows the
same client making the same offer with success. Where the permissive control fails as well, the
client is incapable (design: "Outcomes").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.clients.contract import BY_CLIENT, ClientResult
from harness.observations.groups import comparable_group
from harness.observations.reasons import (
    INAPPROPRIATE_FALLBACK,
    NOT_TLS,
    OF_VERSIONS,
    UNRECOGNISED,
    WEAK_KEYS,
    first_reason,
    is_certificate,
    reason_of,
)
from harness.observations.record import BEFORE_HANDSHAKE, Outcome, Stage, TlsView
from harness.observations.tls_line import find_tls_line
from harness.observations.within_offer import outside_offer
from harness.tls import Offer

# stunnel 5, a control's front: "TLSv1.2 ciphersuite: AES256-SHA (256-bit encryption)"
_FRONT_ESTABLISHED = re.compile(
    r"LOG\d\[\d+\]: (?P<protocol>\S+) ciphersuite: (?P<cipher>\S+) \((?P<bits>\d+)-bit encryption\)"
)
#: "local error in processing" (RFC 5321, section 4.2.3).
_LOCAL_ERROR = 451
#: What smtpd logs for a handshake that failed, and for a client that sent what is no command.
_TLS_FAILED = re.compile(r"SSL_accept error|TLS library problem")
_SPOKE_SMTP = re.compile(
    r"non-SMTP command|improper command pipelining|lost connection after (?:UNKNOWN|CONNECT) "
)
#: What a process logs as it dies (util/msg.c), and what master(8) logs if it died silently.
_DIES = re.compile(
    r"\[\d+\]: (?:fatal|panic): |master\[\d+\]: warning: process \S+ pid \d+ killed by signal"
)
#: Why a refusal is not believed: there was no control, or the client gets TLS from a control that
#: refuses every offer.
NO_CONTROL, CANNOT_REFUSE = "no-control", "control-cannot-refuse"
#: How the relay reports an alert that the client sent (images/clients/common/mailer.py).
_CLIENTS_ALERT = "client's alert:"


@dataclass(frozen=True, slots=True)
class ControlEvidence:
    """What the control showed about a client's offer on a kind of service.

    ``works`` is None where no control was available, or none that can be believed; ``why`` explains
    it, and ``lack`` is the reason in the vocabulary. ``resumes``: for an offer to resume, whether
    the client resumed a session there.
    """

    cell: str | None
    works: bool | None
    why: str = ""
    lack: str = NO_CONTROL
    resumes: bool = False


@dataclass(frozen=True, slots=True)
class ServerLog:
    """What the server logged: lines of this connection, and of processes that died before it."""

    session: Sequence[str] = ()
    deaths: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The part of an observation that is a judgement on evidence."""

    outcome: Outcome
    stage: Stage | None = None
    reason: str | None = None
    decided_by: str | None = None
    client_saw: TlsView | None = None
    server_saw: TlsView | None = None
    agree: bool | None = None
    control: str | None = None
    notes: tuple[str, ...] = ()


def decide_cell(
    offer: Offer, result: ClientResult, server: ServerLog, control: ControlEvidence
) -> Decision:
    """Judge one cell's evidence."""
    base = _combine_views(result, server)
    match result.outcome:
        case "accepted":
            return _decide_accepted(base, offer, control)
        case "plaintext":
            return replace(base, outcome=Outcome.PLAINTEXT, stage=None)
        case "hung-up":
            return replace(base, outcome=Outcome.HUNG_UP, decided_by="client")
        case "would-negotiate":
            return _decide_negotiation(base, result)
        case "error":
            return replace(base, reason="driver", decided_by="harness", notes=(result.error or "",))
    fatal = _fatal_lines(result, server)
    if fatal:
        return reject_config(fatal, base)
    match result.outcome:
        case "timeout":
            return replace(base, outcome=Outcome.TIMEOUT)
        case "not-offered":
            reason = reason_of(server.session, None, None)
            return replace(
                base,
                outcome=Outcome.NOT_OFFERED,
                reason=None if reason == "unrecognised" else reason,
                decided_by="server",
            )
    if result.outcome == "would-be-refused":
        return _decide_simulated_refusal(base, offer, result, server, control)
    return _decide_refused(base, offer, result, server, control)


def session_resumed(
    offer: Offer, result: ClientResult, control: ControlEvidence, *, is_control: bool
) -> bool | None:
    """Whether a second connection resumed the first one's session; None where this is unknown.

    A failure to resume counts against the server only if the same client resumes at a control.
    """
    if not offer.extras.resume or result.outcome != "accepted":
        return None
    if result.resumed or is_control or control.resumes:
        return bool(result.resumed)
    return None


def reject_config(deaths: Sequence[str], views: Decision | None = None) -> Decision:
    """A process of Postfix died because of its configuration, according to these log lines.

    The stage that the client had reached by then is a matter of timing and is dropped; ``views``,
    what both sides reported before, stay.
    """
    return replace(
        views or Decision(Outcome.CONFIG_REJECTED),
        outcome=Outcome.CONFIG_REJECTED,
        stage=None,
        reason=config_reason(deaths),
        decided_by="server",
    )


def _fatal_lines(result: ClientResult, server: ServerLog) -> Sequence[str]:
    """The lines by which the server's process died, before this client came or with it."""
    with_client = [line for line in server.session if _DIES.search(line)]
    if with_client:
        return with_client
    # If a process that a server depends on dies, its client waits, or gets a 451.
    puts_off = result.reply is not None and result.reply.code == _LOCAL_ERROR
    waits = not server.session or result.outcome == "timeout" or puts_off
    return server.deaths if waits else ()


def decide_control(
    offer: Offer, result: ClientResult, server: ServerLog, *, may_refuse: bool = False
) -> Decision:
    """Decide a control's cell: what fails at a permissive server is the client's doing.

    At one that ``may_refuse``, as the refusing control and a permissive copy, it is the server's.
    """
    # A permissive server refuses no offer: a client that fails there could not make the offer.
    return decide_cell(offer, result, server, ControlEvidence(None, works=may_refuse))


def server_view(lines: Sequence[str]) -> TlsView | None:
    """What the server logged of the session's TLS; None where it logged none."""
    tls_line = find_tls_line(lines, outbound=False)
    if tls_line is not None:
        return tls_line.view
    for line in lines:
        match = _FRONT_ESTABLISHED.search(line)
        if match is not None:
            return TlsView(match["protocol"], match["cipher"], int(match["bits"]))
    return None


def config_reason(deaths: Sequence[str]) -> str:
    """Why one of Postfix's processes would not run with a configuration."""
    text = "\n".join(deaths)
    if re.search(r"fatal: .*(?:unknown|bad|invalid|malformed|unsupported)", text):
        return "fatal-parameter"
    return "fatal" if "fatal:" in text else "died"


def views_agree(client: TlsView, server: TlsView) -> bool:
    """Whether both views match; fields other than the protocol only where both sides have them."""
    pairs = (
        (client.protocol, server.protocol),
        (client.cipher or server.cipher, server.cipher or client.cipher),
        (
            _key_strength(client) or _key_strength(server),
            _key_strength(server) or _key_strength(client),
        ),
        (
            comparable_group(client.group) or comparable_group(server.group),
            comparable_group(server.group) or comparable_group(client.group),
        ),
    )
    return all(client_value == server_value for client_value, server_value in pairs)


def _key_strength(view: TlsView) -> int | None:
    """A cipher's strength: triple DES has keys of 168 bits and a strength of 112, and libraries
    report either (OpenSSL before 1.0.2 the first, after it the second).
    """
    return 112 if view.bits == 168 else view.bits


def _combine_views(result: ClientResult, server: ServerLog) -> Decision:
    """Both sides' views, without a decision."""
    client = None
    if result.protocol is not None:
        client = TlsView(result.protocol, result.cipher, result.bits, result.group)
    logged = server_view(server.session)
    agree = None
    if client is not None and logged is not None:
        agree = views_agree(client, logged)
    stage = Stage(result.stage) if result.stage else None
    return Decision(Outcome.ERROR, stage, client_saw=client, server_saw=logged, agree=agree)


def _decide_accepted(base: Decision, offer: Offer, control: ControlEvidence) -> Decision:
    view = _merge_views(base)
    ignored = outside_offer(offer, view)
    if offer.plaintext:
        ignored = (view and view.protocol) or "TLS"
    if ignored is not None:
        # A client that ignores its pin "succeeds": it did not make the requested offer.
        return replace(
            base,
            outcome=Outcome.CLIENT_INCAPABLE,
            reason="ignored-offer",
            decided_by="client",
            control=control.cell,
            notes=(f"told to offer {offer}, negotiated {ignored}",),
        )
    return replace(base, outcome=Outcome.ACCEPTED, stage=None)


def _decide_negotiation(base: Decision, result: ClientResult) -> Decision:
    """What a server chose for a recorded hello; the reason is what it asks for beyond that."""
    reason = first_reason("client", result.error) if result.error else None
    notes = (result.error,) if result.error else ()
    return replace(
        base,
        outcome=Outcome.WOULD_NEGOTIATE,
        stage=None,
        reason=reason,
        server_saw=None,
        agree=None,
        notes=notes,
    )


def _decide_simulated_refusal(
    base: Decision,
    offer: Offer,
    result: ClientResult,
    server: ServerLog,
    control: ControlEvidence,
) -> Decision:
    """As a refusal, by the same proof; but no client was refused, so it has a name of its own."""
    error = result.error or ""
    if error.startswith(BY_CLIENT):
        reason = first_reason("client", error) or UNRECOGNISED
        return replace(base, outcome=Outcome.WOULD_BE_REFUSED, reason=reason,
                       decided_by="client", notes=(error,))  # fmt: skip
    refused = _decide_refused(base, offer, result, server, control)
    if refused.outcome is Outcome.REFUSED:
        return replace(refused, outcome=Outcome.WOULD_BE_REFUSED)
    return refused


def _merge_views(base: Decision) -> TlsView | None:
    """What was negotiated: as the server logged it, completed with what the client reported."""
    server, client = base.server_saw, base.client_saw
    if server is None or client is None:
        return server or client
    return TlsView(
        protocol=server.protocol or client.protocol,
        cipher=server.cipher or client.cipher,
        bits=server.bits or client.bits,
        group=server.group or client.group,
    )


def _negotiated_within(base: Decision, offer: Offer) -> bool:
    """Whether TLS was negotiated within the offer, whatever came after it."""
    view = _merge_views(base)
    return view is not None and outside_offer(offer, view) is None


def _is_not_tls(base: Decision, offer: Offer, server: ServerLog) -> bool:
    """Whether one side spoke SMTP where the other had TLS from the start.

    A TLS library calls the first bytes of such a peer a wrong version, which is misleading: the
    client had not begun TLS when the server's library complained, or the server read TLS as
    commands.
    """
    if offer.plaintext or base.stage in BEFORE_HANDSHAKE:
        return any(_TLS_FAILED.search(line) for line in server.session)
    return any(_SPOKE_SMTP.search(line) for line in server.session) and not any(
        _TLS_FAILED.search(line) for line in server.session
    )


def _failed_before_hello(base: Decision, result: ClientResult, server: ServerLog) -> bool:
    """Whether STARTTLS was granted, and the server's library failed before the client's hello came.

    A library without any version left fails at once: whether the hello has passed the relay by then
    is a matter of timing, and must not decide the cell.
    """
    granted = base.stage is Stage.STARTTLS and result.reply is None
    return granted and any("SSL_accept error" in line for line in server.session)


def _decide_refused(
    base: Decision,
    offer: Offer,
    result: ClientResult,
    server: ServerLog,
    control: ControlEvidence,
) -> Decision:
    if _failed_before_hello(base, result, server):
        base = replace(base, stage=Stage.HANDSHAKE)
    # A client may give up after a positive reply, such as an EHLO reply without AUTH.
    rejection = result.reply if result.reply and result.reply.code >= 400 else None
    reply = f"{rejection.code} {rejection.text}" if rejection else None
    reason = reason_of(server.session, result.error, reply)
    if reason in OF_VERSIONS and _is_not_tls(base, offer, server):
        reason = NOT_TLS
    refused = replace(base, outcome=Outcome.REFUSED, reason=reason, decided_by="server")
    incapable = result.outcome == "client-incapable"
    server_reason = first_reason("server", "\n".join(server.session))
    weak = reason in WEAK_KEYS and server_reason is None
    if server_reason == INAPPROPRIATE_FALLBACK:
        # This log line proves the offer; a control that can do better logs the same.
        return refused
    # An alert that the client sent is the client's, even where no spelling matches its text.
    alerted = reason == UNRECOGNISED and _CLIENTS_ALERT in (result.error or "")
    if is_certificate(reason) or ((weak or alerted) and not incapable):
        # Both sides can make the offer; the client objects to the server's identity, or to the
        # length of its keys.
        return replace(refused, decided_by="client", control=control.cell)
    if offer.plaintext:
        # No TLS was requested, so a control cannot show anything about it.
        outcome, who = (
            (Outcome.CLIENT_INCAPABLE, "client") if incapable else (Outcome.REFUSED, "server")
        )
        return replace(refused, outcome=outcome, decided_by=who)
    if not incapable and (base.stage in BEFORE_HANDSHAKE or _negotiated_within(base, offer)):
        # The server replied before the client's offer, or after the offer was granted: no control
        # can add to either.
        return refused
    if control.works is None:
        note = f"no control shows what this client can do: {control.why}"
        return replace(base, reason=control.lack, decided_by="harness", notes=(note,))
    if not control.works:
        return replace(
            base,
            outcome=Outcome.CLIENT_INCAPABLE,
            reason=reason,
            decided_by="client",
            control=control.cell,
        )
    if incapable and server_reason is None:
        note = "the client reported that it cannot make an offer that it made to the control"
        return replace(
            base,
            reason="contradicts-control",
            decided_by="harness",
            control=control.cell,
            notes=(note,),
        )
    return replace(refused, control=control.cell)
