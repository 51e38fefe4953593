"""Decide the outcome of a message that Postfix sent, from its log.

The trust levels are TLS_README's ("Server-side ... TLS connection established to"). Anonymous: no
certificate was requested or presented. Untrusted: it was not issued by a known CA. Trusted: it was.
Verified: its name matches, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.observations.decide import Decision, views_agree
from harness.observations.reasons import (
    CERTIFICATE,
    HANDSHAKE_FAILURE,
    NAME_MISMATCH,
    NOT_TLS,
    OF_VERSIONS,
    TLS_NOT_AVAILABLE,
    UNRECOGNISED,
    first_reason,
    is_certificate,
    reason_of,
)
from harness.observations.record import Outcome, Stage, TlsView
from harness.observations.tls_line import find_tls_line

#: The test network failed, not the build.
LAB = "lab"
_UNREACHABLE = re.compile(r"try again|No route to host|Network is unreachable|Connection timed out")
#: How far smtp(8) had come, by why it did not deliver (src/smtp/smtp_proto.c, smtp_connect.c).
_STAGES = {
    "tls-required": Stage.STARTTLS,
    TLS_NOT_AVAILABLE: Stage.STARTTLS,
    CERTIFICATE: Stage.HANDSHAKE,
    HANDSHAKE_FAILURE: Stage.HANDSHAKE,
    "closed": Stage.HANDSHAKE,
}
#: Reasons that smtp(8) gives for a message, where its log may be more specific.
_VAGUE = frozenset({CERTIFICATE, HANDSHAKE_FAILURE, TLS_NOT_AVAILABLE, "policy"})
#: What smtp(8) reports for a certificate that was issued by a known CA for another host.
NAMES_NO_HOST = re.compile(r"Server certificate not verified", re.IGNORECASE)
#: What qmgr(8) reports for a message whose smtp(8) died (src/qmgr/qmgr_defer.c).
TRANSPORT_DIED = re.compile(r"(?:unknown mail transport error|mail transport unavailable)")


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A delivery: its ``status`` and text, and what the process logged about it, in order."""

    status: str
    text: str
    lines: Sequence[str]


def trust_of(lines: Sequence[str]) -> tuple[str | None, TlsView | None]:
    """The last TLS session that the sender logged: its trust level and the sender's view."""
    session = find_tls_line(reversed(lines), outbound=True)
    return (session.trust, session.view) if session else (None, None)


def decide_sent(
    sent: SentMessage | None,
    peer_saw: TlsView | None,
    *,
    wrapper: bool = False,
    unfinished: Sequence[str] = (),
) -> tuple[Decision, str | None]:
    """The outcome of a message, and how the sender rated the peer's certificate.

    The sender decides: Postfix's own client refuses to deliver, whatever the peer supports.

    Args:
        sent: None where the message had no outcome within its time.
        peer_saw: the view of the session in which the peer took the message, by the peer's log.
        wrapper: the sender begins with TLS (smtp_tls_wrappermode).
        unfinished: what the sender logged until the time was up.
    """
    if sent is None:
        return Decision(
            Outcome.TIMEOUT, reason=first_reason("sender-log", "\n".join(unfinished))
        ), None
    trust, view = trust_of(sent.lines)
    if sent.status != "sent":
        return _decide_refused(sent, view, trust, wrapper=wrapper), trust if view else None
    if view is None and peer_saw is None:
        return Decision(Outcome.PLAINTEXT), None
    agree = views_agree(view, peer_saw) if view and peer_saw else None
    if peer_saw is None and _fell_back(sent.lines):
        return Decision(Outcome.PLAINTEXT, notes=("it fell back to plaintext",)), None
    decision = Decision(Outcome.ACCEPTED, client_saw=view, server_saw=peer_saw, agree=agree)
    return decision, trust


def _fell_back(lines: Sequence[str]) -> bool:
    """Whether TLS failed after the last logged session, and the mail was sent without it."""
    text = "\n".join(lines)
    return text.rfind("Cannot start TLS") > text.rfind("TLS connection established to")


def _stage_of_reply(text: str) -> Stage | None:
    """The command that a peer replied to, "(in reply to DATA command)"; None: not stated."""
    match = re.search(r"in reply to (?:end of )?(EHLO|MAIL FROM|RCPT TO|DATA)\b", text)
    stages = {"EHLO": Stage.EHLO, "MAIL FROM": Stage.MAIL, "RCPT TO": Stage.RCPT}
    return stages.get(match[1], Stage.DATA) if match else None


def _decide_refused(
    sent: SentMessage, view: TlsView | None, trust: str | None, *, wrapper: bool
) -> Decision:
    if _UNREACHABLE.search(sent.text):
        # The name server and the peers are ours: failing to reach them says nothing of Postfix.
        return Decision(Outcome.ERROR, Stage.CONNECT, reason=LAB, decided_by="harness")
    by_status = first_reason("sender", sent.text)
    reason = _refusal_reason(by_status, sent, trust, wrapper=wrapper)
    stage = _stage_of_reply(sent.text) or _STAGES.get(by_status or "", Stage.CONNECT)
    return Decision(
        Outcome.REFUSED,
        stage,
        reason=reason,
        decided_by="client",
        client_saw=view if stage is Stage.HANDSHAKE else None,
    )


def _refusal_reason(
    by_status: str | None, sent: SentMessage, trust: str | None, *, wrapper: bool
) -> str:
    """Why a message was not sent: by its status, or, where that is vague, by earlier log lines."""
    if by_status is not None and by_status not in _VAGUE:
        return by_status
    by_log = first_reason("sender-log", "\n".join(sent.lines))
    if by_status == CERTIFICATE:
        # "Trusted" and not sent: the issuer is known, so the name does not match.
        mismatch = trust == "Trusted" and NAMES_NO_HOST.search(sent.text)
        if mismatch:
            return NAME_MISMATCH
        return by_log if by_log is not None and is_certificate(by_log) else CERTIFICATE
    if by_log is not None and not is_certificate(by_log):
        return by_log
    if by_status == HANDSHAKE_FAILURE:
        reason = reason_of(sent.lines, "\n".join([*sent.lines, sent.text]), None)
        return NOT_TLS if wrapper and reason in OF_VERSIONS else reason
    return by_status or UNRECOGNISED
