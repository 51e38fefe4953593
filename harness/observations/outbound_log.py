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
from harness.observations.reasons import UNRECOGNISED, reason_of
from harness.observations.record import Outcome, Stage, TlsView

# "Trusted TLS connection established to mx.test[172.18.0.5]:25: TLSv1.2 with cipher
# ECDHE-RSA-AES128-GCM-SHA256 (128/128 bits) key-exchange X25519 server-signature ..."
_ESTABLISHED = re.compile(
    r"(?P<trust>Anonymous|Untrusted|Trusted|Verified) TLS connection established to \S+: "
    r"(?P<protocol>\S+) with cipher (?P<cipher>\S+) \((?P<bits>\d+)/\d+ bits\)"
    r"(?: key-exchange (?P<exchange>\S+)(?: \((?P<curve>[^)]+)\))?)?"
)
#: The lab's own network failed, not the build.
LAB = "lab"
_LOST = re.compile(r"try again|No route to host|Network is unreachable|Connection timed out")
#: Why smtp(8) did not deliver, in its own words (src/smtp/smtp_proto.c, smtp_connect.c).
_WHY = (
    (r"TLS is required, but was not offered|STARTTLS (?:is|was) required", "starttls",
     "tls-required"),
    (r"TLS is required, but our TLS engine is unavailable", "starttls", "tls-not-available"),
    (r"no TLSA records|non DNSSEC destination|TLSA lookup error|no usable TLSA", "connect",
     "no-tlsa"),
    (r"Server certificate not (?:trusted|verified)|certificate verification failed", "handshake",
     "certificate"),
    (r"Cannot start TLS: handshake failure", "handshake", None),
    (r"(?:Host or domain name not found|unable to look up host|type=MX:)", "connect", "no-route"),
    (r"Connection refused", "connect", "connection-refused"),
    (r"lost connection", "handshake", "closed"),
    (r"invalid|unknown TLS|bad (?:value|policy)", "connect", "policy"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery: its ``status`` and text, and what the process said of it, in order."""

    status: str
    text: str
    lines: Sequence[str]


def trust_of(lines: Sequence[str]) -> tuple[str | None, TlsView | None]:
    """The last TLS session that the sender logged: its word for the certificate, and its view."""
    for line in reversed(lines):
        match = _ESTABLISHED.search(line)
        if match is not None:
            group = match["curve"] or match["exchange"]
            view = TlsView(match["protocol"], match["cipher"], int(match["bits"]), group)
            return match["trust"], view
    return None, None


def decide_sent(sent: Sent | None, peer_saw: TlsView | None) -> tuple[Decision, str | None]:
    """What came of a message, and the sender's word for the peer's certificate.

    The sender decides: it is Postfix's own client that will not deliver, whatever the peer has.

    Args:
        sent: None where the message had no outcome in its time.
        peer_saw: what the peer's own log says of the session in which it took the message.
    """
    if sent is None:
        return Decision(Outcome.TIMEOUT), None
    trust, view = trust_of(sent.lines)
    if sent.status != "sent":
        return _refused(sent, view), trust if view else None
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


def _refused(sent: Sent, view: TlsView | None) -> Decision:
    said = "\n".join([*sent.lines, sent.text])
    if _LOST.search(sent.text):
        # The name server and the peers are ours; what does not reach them is no word of Postfix's.
        return Decision(Outcome.ERROR, Stage.CONNECT, reason=LAB, decided_by="harness")
    for pattern, stage, reason in _WHY:
        if re.search(pattern, sent.text, re.IGNORECASE):
            found = reason or reason_of(sent.lines, said, None)
            return Decision(
                Outcome.REFUSED,
                Stage(stage),
                reason=found,
                decided_by="client",
                client_saw=view if stage == "handshake" else None,
            )
    return Decision(Outcome.REFUSED, Stage.CONNECT, reason=UNRECOGNISED, decided_by="client")
