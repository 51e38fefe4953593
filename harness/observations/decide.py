"""What came of a cell, decided once from both sides' evidence. Pure.

A refusal in the handshake, or later, is believed only where a control of the same run shows the
same client making the same offer with success; where the permissive control fails as well, it is
the client that cannot (design: "Outcomes").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.clients.contract import ClientResult
from harness.observations.reasons import (
    INAPPROPRIATE_FALLBACK,
    NOT_TLS,
    OF_VERSIONS,
    UNRECOGNISED,
    WEAK_KEYS,
    first,
    is_certificate,
    reason_of,
)
from harness.observations.record import Outcome, Stage, TlsView
from harness.observations.tls_line import find_tls_line
from harness.observations.within_offer import (
    common_name,
    outside,
)
from harness.tls import Offer

# stunnel 5, a control's front: "TLSv1.2 ciphersuite: AES256-SHA (256-bit encryption)"
_FRONT_ESTABLISHED = re.compile(
    r"LOG\d\[\d+\]: (?P<protocol>\S+) ciphersuite: (?P<cipher>\S+) \((?P<bits>\d+)-bit encryption\)"
)
#: "local error in processing" (RFC 5321, section 4.2.3).
_LOCAL_ERROR = 451
#: smtpd's words for a handshake that failed, and for a client that sent what is no command.
_TLS_FAILED = re.compile(r"SSL_accept error|TLS library problem")
_SPOKE_SMTP = re.compile(
    r"non-SMTP command|improper command pipelining|lost connection after (?:UNKNOWN|CONNECT) "
)
#: What a process says as it dies (util/msg.c), and master(8) of one that said nothing.
_DIES = re.compile(
    r"\[\d+\]: (?:fatal|panic): |master\[\d+\]: warning: process \S+ pid \d+ killed by signal"
)
#: Why a refusal is not believed: there was no control, or the client gets TLS from one that
#: refuses.
NO_CONTROL, CANNOT_REFUSE = "no-control", "control-cannot-refuse"
#: The relay's words for an alert that the client sent (images/clients/common/mailer.py).
_CLIENTS_ALERT = "client's alert:"
_BEFORE_TLS = frozenset({Stage.CONNECT, Stage.BANNER, Stage.EHLO, Stage.STARTTLS})


@dataclass(frozen=True, slots=True)
class ControlEvidence:
    """What the control showed of a client's offer on a kind of service.

    ``works`` is None where there was no control to be had, or none that can be believed; ``why``
    says so, and ``lack`` is its reason in the vocabulary. ``resumes``: of an offer to resume,
    whether the client took up a session there.
    """

    cell: str | None
    works: bool | None
    why: str = ""
    lack: str = NO_CONTROL
    resumes: bool = False


@dataclass(frozen=True, slots=True)
class ServerWords:
    """What the server logged: of this connection, or of processes that died before they took it."""

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


def decide(
    offer: Offer, result: ClientResult, server: ServerWords, control: ControlEvidence
) -> Decision:
    """Judge one cell's evidence."""
    base = _seen(result, server)
    match result.outcome:
        case "accepted":
            return _accepted(base, offer, control)
        case "plaintext":
            return replace(base, outcome=Outcome.PLAINTEXT, stage=None)
        case "hung-up":
            return replace(base, outcome=Outcome.HUNG_UP, decided_by="client")
        case "error":
            return replace(base, reason="driver", decided_by="harness", notes=(result.error or "",))
    died = _died_of(result, server)
    if died:
        return reject_config(died, base)
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
    return _refused(base, offer, result, server, control)


def resumed(
    offer: Offer, result: ClientResult, control: ControlEvidence, *, is_control: bool
) -> bool | None:
    """Whether a second connection took up the session of the first; None where nothing tells.

    That it did not says something of the server only where the same client does elsewhere.
    """
    if not offer.extras.resume or result.outcome != "accepted":
        return None
    if result.resumed or is_control or control.resumes:
        return bool(result.resumed)
    return None


def reject_config(deaths: Sequence[str], seen: Decision | None = None) -> Decision:
    """A process of Postfix's died of its configuration, by these lines of the log.

    At which stage the client was then is a matter of timing, and no part of it; the views of what
    was ``seen`` before stay.
    """
    return replace(
        seen or Decision(Outcome.CONFIG_REJECTED),
        outcome=Outcome.CONFIG_REJECTED,
        stage=None,
        reason=config_reason(deaths),
        decided_by="server",
    )


def _died_of(result: ClientResult, server: ServerWords) -> Sequence[str]:
    """The lines by which the server's process died, of itself or with this client."""
    with_client = [line for line in server.session if _DIES.search(line)]
    if with_client:
        return with_client
    # A server that asks a process of Postfix's that died keeps its client waiting, or says 451.
    puts_off = result.reply is not None and result.reply.code == _LOCAL_ERROR
    waits = not server.session or result.outcome == "timeout" or puts_off
    return server.deaths if waits else ()


def decide_control(
    offer: Offer, result: ClientResult, server: ServerWords, *, may_refuse: bool = False
) -> Decision:
    """Judge a control's cell: of a permissive server what fails is the client's doing.

    Of one that ``may_refuse``, as the forbidding one and a build's own, it is the server's.
    """
    # A permissive server cannot refuse an offer: whoever is refused by it could not make the offer.
    return decide(offer, result, server, ControlEvidence(None, works=may_refuse))


def server_view(lines: Sequence[str]) -> TlsView | None:
    """What the server logged of the session's TLS; None where it logged none."""
    own = find_tls_line(lines, outbound=False)
    if own is not None:
        return own.view
    for line in lines:
        match = _FRONT_ESTABLISHED.search(line)
        if match is not None:
            return TlsView(match["protocol"], match["cipher"], int(match["bits"]))
    return None


def config_reason(deaths: Sequence[str]) -> str:
    """Why Postfix's own process would not run with a config."""
    text = "\n".join(deaths)
    if re.search(r"fatal: .*(?:unknown|bad|invalid|malformed|unsupported)", text):
        return "fatal-parameter"
    return "fatal" if "fatal:" in text else "died"


def views_agree(client: TlsView, server: TlsView) -> bool:
    """Whether both sides saw the same; of all but the protocol, where both said it."""
    pairs = (
        (client.protocol, server.protocol),
        (client.cipher or server.cipher, server.cipher or client.cipher),
        (_bits(client) or _bits(server), _bits(server) or _bits(client)),
        (
            common_name(client.group) or common_name(server.group),
            common_name(server.group) or common_name(client.group),
        ),
    )
    return all(one == other for one, other in pairs)


def _bits(view: TlsView) -> int | None:
    """A cipher's strength: triple DES has keys of 168 bits and a strength of 112, and libraries say
    either (OpenSSL before 1.0.2 the first, after it the second).
    """
    return 112 if view.bits == 168 else view.bits


def _seen(result: ClientResult, server: ServerWords) -> Decision:
    """Both sides' views, and no judgement yet."""
    client = None
    if result.protocol is not None:
        client = TlsView(result.protocol, result.cipher, result.bits, result.group)
    logged = server_view(server.session)
    agree = None
    if client is not None and logged is not None:
        agree = views_agree(client, logged)
    stage = Stage(result.stage) if result.stage else None
    return Decision(Outcome.ERROR, stage, client_saw=client, server_saw=logged, agree=agree)


def _accepted(base: Decision, offer: Offer, control: ControlEvidence) -> Decision:
    seen = _known(base)
    ignored = outside(offer, seen)
    if offer.plaintext:
        ignored = (seen and seen.protocol) or "TLS"
    if ignored is not None:
        # A client that ignores its pin "succeeds": it did not make the offer it was told to make.
        return replace(
            base,
            outcome=Outcome.CLIENT_INCAPABLE,
            reason="ignored-offer",
            decided_by="client",
            control=control.cell,
            notes=(f"told to offer {offer}, negotiated {ignored}",),
        )
    return replace(base, outcome=Outcome.ACCEPTED, stage=None)


def _known(base: Decision) -> TlsView | None:
    """What was negotiated: the server's word, and the client's where the server has none."""
    server, client = base.server_saw, base.client_saw
    if server is None or client is None:
        return server or client
    return TlsView(
        protocol=server.protocol or client.protocol,
        cipher=server.cipher or client.cipher,
        bits=server.bits or client.bits,
        group=server.group or client.group,
    )


def _made_offer(base: Decision, offer: Offer) -> bool:
    """Whether TLS was negotiated within the offer, before whatever came then."""
    seen = _known(base)
    return seen is not None and outside(offer, seen) is None


def _is_no_tls(base: Decision, offer: Offer, server: ServerWords) -> bool:
    """Whether one side spoke SMTP where the other had TLS from the start.

    A TLS library calls the first bytes of such a peer a wrong version. It is none: the client had
    not begun TLS when the server's library complained, or the server took TLS for commands.
    """
    if offer.plaintext or base.stage in _BEFORE_TLS:
        return any(_TLS_FAILED.search(line) for line in server.session)
    return any(_SPOKE_SMTP.search(line) for line in server.session) and not any(
        _TLS_FAILED.search(line) for line in server.session
    )


def _refused(
    base: Decision,
    offer: Offer,
    result: ClientResult,
    server: ServerWords,
    control: ControlEvidence,
) -> Decision:
    # A client may give up over what a good reply lacks, such as EHLO's without AUTH.
    no = result.reply if result.reply and result.reply.code >= 400 else None
    reply = f"{no.code} {no.text}" if no else None
    reason = reason_of(server.session, result.error, reply)
    if reason in OF_VERSIONS and _is_no_tls(base, offer, server):
        reason = NOT_TLS
    refused = replace(base, outcome=Outcome.REFUSED, reason=reason, decided_by="server")
    incapable = result.outcome == "client-incapable"
    servers_own = first("server", "\n".join(server.session))
    weak = reason in WEAK_KEYS and servers_own is None
    if servers_own == INAPPROPRIATE_FALLBACK:
        # What the server says proves the offer; a control that can do better says the same.
        return refused
    # An alert of its own that no spelling knows is still its own.
    alerted = reason == UNRECOGNISED and _CLIENTS_ALERT in (result.error or "")
    if is_certificate(reason) or ((weak or alerted) and not incapable):
        # Both can make the offer; it is the client that says no, to who the server is or to how
        # short its keys are.
        return replace(refused, decided_by="client", control=control.cell)
    if offer.plaintext:
        # No TLS is asked for, so there is nothing of it that a control could show.
        outcome, who = (
            (Outcome.CLIENT_INCAPABLE, "client") if incapable else (Outcome.REFUSED, "server")
        )
        return replace(refused, outcome=outcome, decided_by=who)
    if not incapable and (base.stage in _BEFORE_TLS or _made_offer(base, offer)):
        # The server's word came before the client's offer, or after the offer was granted: no
        # control can add to either.
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
    if incapable and servers_own is None:
        note = "the client calls itself incapable of an offer that it made to the control"
        return replace(
            base,
            reason="contradicts-control",
            decided_by="harness",
            control=control.cell,
            notes=(note,),
        )
    return replace(refused, control=control.cell)
