"""What came of a message that Postfix sent, by its own log. Pure.

The trust words are TLS_README's ("Server-side ... TLS connection established to"): Anonymous, no
certificate was asked for or given; Untrusted, it is not of a CA that is known; Trusted, it is;
Verified, it is the right one too.
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
    first,
    is_certificate,
    reason_of,
)
from harness.observations.record import Outcome, Stage, TlsView
from harness.observations.tls_line import find_tls_line

#: The lab's own network failed, not the build.
LAB = "lab"
_LOST = re.compile(r"try again|No route to host|Network is unreachable|Connection timed out")
#: How far smtp(8) had come, by why it did not deliver (src/smtp/smtp_proto.c, smtp_connect.c).
_STAGES = {
    "tls-required": Stage.STARTTLS,
    TLS_NOT_AVAILABLE: Stage.STARTTLS,
    CERTIFICATE: Stage.HANDSHAKE,
    HANDSHAKE_FAILURE: Stage.HANDSHAKE,
    "closed": Stage.HANDSHAKE,
}
#: Reasons that smtp(8) gives for a message, where its log may tell more.
_VAGUE = frozenset({CERTIFICATE, HANDSHAKE_FAILURE, TLS_NOT_AVAILABLE, "policy"})
#: What smtp(8) says of a certificate that is of a known CA and of another host.
NAMES_NO_HOST = re.compile(r"Server certificate not verified", re.IGNORECASE)
#: qmgr(8)'s words for a message whose smtp(8) died (src/qmgr/qmgr_defer.c).
TRANSPORT_DIED = re.compile(r"(?:unknown mail transport error|mail transport unavailable)")


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery: its ``status`` and text, and what the process said of it, in order."""

    status: str
    text: str
    lines: Sequence[str]


def trust_of(lines: Sequence[str]) -> tuple[str | None, TlsView | None]:
    """The last TLS session that the sender logged: its word for the certificate, and its view."""
    found = find_tls_line(reversed(lines), outbound=True)
    return (found.trust, found.view) if found else (None, None)


def decide_sent(
    sent: Sent | None,
    peer_saw: TlsView | None,
    *,
    wrapper: bool = False,
    unfinished: Sequence[str] = (),
) -> tuple[Decision, str | None]:
    """What came of a message, and the sender's word for the peer's certificate.

    The sender decides: it is Postfix's own client that will not deliver, whatever the peer has.

    Args:
        sent: None where the message had no outcome in its time.
        peer_saw: what the peer's own log says of the session in which it took the message.
        wrapper: the sender begins with TLS (smtp_tls_wrappermode).
        unfinished: what the sender logged until the time was up.
    """
    if sent is None:
        return Decision(Outcome.TIMEOUT, reason=first("sender-log", "\n".join(unfinished))), None
    trust, view = trust_of(sent.lines)
    if sent.status != "sent":
        return _refused(sent, view, trust, wrapper=wrapper), trust if view else None
    if view is None and peer_saw is None:
        return Decision(Outcome.PLAINTEXT), None
    agree = views_agree(view, peer_saw) if view and peer_saw else None
    if peer_saw is None and _fell_back(sent.lines):
        return Decision(Outcome.PLAINTEXT, notes=("it fell back to plaintext",)), None
    decision = Decision(Outcome.ACCEPTED, client_saw=view, server_saw=peer_saw, agree=agree)
    return decision, trust


def _fell_back(lines: Sequence[str]) -> bool:
    """Whether TLS failed after the last session was logged, and the mail went on without."""
    text = "\n".join(lines)
    return text.rfind("Cannot start TLS") > text.rfind("TLS connection established to")


def _stage_of_reply(text: str) -> Stage | None:
    """The command that a peer's reply was to, "(in reply to DATA command)"; None: no such words."""
    found = re.search(r"in reply to (?:end of )?(EHLO|MAIL FROM|RCPT TO|DATA)\b", text)
    stages = {"EHLO": Stage.EHLO, "MAIL FROM": Stage.MAIL, "RCPT TO": Stage.RCPT}
    return stages.get(found[1], Stage.DATA) if found else None


def _refused(sent: Sent, view: TlsView | None, trust: str | None, *, wrapper: bool) -> Decision:
    if _LOST.search(sent.text):
        # The name server and the peers are ours; what does not reach them is no word of Postfix's.
        return Decision(Outcome.ERROR, Stage.CONNECT, reason=LAB, decided_by="harness")
    by_status = first("sender", sent.text)
    reason = _reason(by_status, sent, trust, wrapper=wrapper)
    stage = _stage_of_reply(sent.text) or _STAGES.get(by_status or "", Stage.CONNECT)
    return Decision(
        Outcome.REFUSED,
        stage,
        reason=reason,
        decided_by="client",
        client_saw=view if stage is Stage.HANDSHAKE else None,
    )


def _reason(by_status: str | None, sent: Sent, trust: str | None, *, wrapper: bool) -> str:
    """Why a message was not sent: by its status, and where that is vague by the lines before it."""
    if by_status is not None and by_status not in _VAGUE:
        return by_status
    by_log = first("sender-log", "\n".join(sent.lines))
    if by_status == CERTIFICATE:
        # "Trusted" and not sent: the issuer is known, so it is the name that does not match.
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
