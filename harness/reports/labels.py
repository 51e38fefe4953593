"""How reports show a cell's outcome: one glyph and a short label for each outcome and reason.

The glyphs differ in shape, so that no report needs colour to be read. A cell's label is at most
nine characters wide with its glyph, so that seven offers fit into 100 columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.images import labels as names
from harness.observations.record import Observation, Outcome
from harness.observations.run_json import ImageInfo
from harness.verdicts.observation_diff import (
    cipher_of,
    protocol_of,
    without_certificate,
)

#: A planned cell without an observation. It is not in the record's vocabulary of outcomes.
NOT_MEASURED = "not-measured"
DISAGREE = "≠"
#: On an accepted cell: the negotiated suite has no certificate.
ANONYMOUS = "°"
ANONYMOUS_MEANING = (
    "Without a certificate: an anonymous suite (aNULL) was negotiated. What is sent is encrypted, "
    "but any server that answers is trusted."
)


@dataclass(frozen=True, slots=True)
class Sign:
    """A glyph, a short label for a narrow cell, and its meaning in a sentence."""

    glyph: str
    word: str
    title: str
    meaning: str


SIGNS: dict[str, Sign] = {
    Outcome.ACCEPTED: Sign(
        "✓",
        "",
        "accepted",
        "TLS was negotiated, and the message queued where this client sends one. Under a single "
        "version that version was used; elsewhere the one negotiated is named.",
    ),
    Outcome.PLAINTEXT: Sign("○", "plain", "plaintext", "The message went through without TLS."),
    Outcome.REFUSED: Sign(
        "✗",
        "refused",
        "refused",
        "The server refused; the label says why. A refusal in the handshake counts only where the "
        "same client and offer worked on a control server.",
    ),
    Outcome.NOT_OFFERED: Sign(
        "∅", "no TLS", "not offered", "The server does not announce STARTTLS."
    ),
    Outcome.CLIENT_INCAPABLE: Sign(
        "–",
        "can't",
        "client incapable",
        "This client cannot make this offer: it failed on the permissive control server too. "
        "Says nothing about Postfix.",
    ),
    Outcome.CONFIG_REJECTED: Sign(
        "■", "config", "config rejected", "Postfix does not start, or disables the service."
    ),
    Outcome.HUNG_UP: Sign(
        "↩", "hung up", "hung up", "The client closed the connection where it was told to."
    ),
    Outcome.WOULD_NEGOTIATE: Sign(
        "◇",
        "",
        "would negotiate (simulated)",
        "Simulated: the server chose this for a client's recorded hello. No handshake was "
        "completed and no message sent, so it is not counted as accepted.",
    ),
    Outcome.WOULD_BE_REFUSED: Sign(
        "◆",
        "refused",
        "would be refused (simulated)",
        "Simulated: the server refuses the recorded hello, or what it chose is beyond the limits "
        "that the client is known to have.",
    ),
    Outcome.TIMEOUT: Sign("…", "timeout", "timeout", "No answer within the cell's time."),
    Outcome.ERROR: Sign(
        "!", "error", "error", "The harness itself failed. Never counted as a refusal."
    ),
    NOT_MEASURED: Sign(
        "?", "", "not measured", "There is no observation; the cell or row says why."
    ),
}

UNVERIFIED, FOREIGN = "unverified source", "own image"

#: Notes beside a build's name, and what they mean. The first two are warnings: this tool does not
#: vouch for the content of such a build, and no report shows its results unmarked.
BUILD_NOTES: dict[str, str] = {
    UNVERIFIED: "Built from a user's source (--source): no checksum of the catalog vouches for it.",
    FOREIGN: "A user's image (--image): not built by this tool, which has only read its versions.",
    "legacy flavour": "OpenSSL compiled with every old protocol and weak cipher that it supports, "
    "not as upstream configures it.",
    "Debian's OpenSSL": "Linked with Debian's packages of OpenSSL, not with one compiled from "
    "upstream's source.",
}
WARNINGS = frozenset({UNVERIFIED, FOREIGN})
_FLAVOURS = {"legacy": "legacy flavour", "debian": "Debian's OpenSSL"}

#: Headings of a cell's evidence, the same in the terminal and on the page.
SERVER_LOG = "What Postfix logged for this connection"
SENDER_LOG = "What Postfix logged for this message"
PEER_LOG = "What the peer logged for the session that brought it"
CONTROL_LOG = "What the control server logged (stunnel, and the Postfix behind it)"
DECIDING_REPLY = "The SMTP reply that decided it"
LAST_REPLY = "The last SMTP reply before QUIT"
CHECK = "Output of postfix check and postconf"
NOT_CHECKED = (
    "'postfix check' has not run: it follows an instance's last cell, and the run ended before."
)
NO_CONFIGURATION = (
    "The run folder has no configuration of this Postfix: the run was stopped before it was kept, "
    "or its file in instances/ is lost."
)
#: A line of theirs that reports a problem; msg(3) puts the severity before the text.
COMPLAINT = re.compile(r"\b(?:warning|error|fatal|panic):")

#: The labels of the record's reasons (design: "Outcomes"): short for a cell, and in full. A cell
#: does not show those of an incapable client, so these two may be longer.
REASONS: dict[str, tuple[str, str]] = {
    "protocol-version": ("version", "protocol version"),
    "no-protocols-available": ("version", "no protocols available"),
    "no-shared-cipher": ("cipher", "no shared cipher"),
    "no-ciphers-available": ("cipher", "no ciphers available"),
    "handshake-failure": ("failure", "handshake failure"),
    "no-renegotiation": ("reneg", "no second handshake (no_renegotiation)"),
    "inappropriate-fallback": ("SCSV", "inappropriate fallback (RFC 7507)"),
    "legacy-sigalg-disallowed": ("sigalg", "legacy signature algorithm disallowed"),
    "dh-key-too-small": ("DH size", "DH key too small"),
    "key-too-small": ("RSA key", "certificate's key too small"),
    "tls-disabled-bad-protocol-list": ("badlist", "TLS disabled: bad protocol list"),
    "tls-disabled-bad-cipher-list": ("badlist", "TLS disabled: bad cipher list"),
    "tls-disabled-no-certificate": ("no cert", "TLS disabled: no certificate"),
    "tls-disabled-ca-file": ("CA file", "TLS disabled: the CA file cannot be loaded"),
    "tls-disabled-key-mismatch": ("keypair", "TLS disabled: the key is not the certificate's"),
    "tls-disabled-chain-order": ("order", "TLS disabled: wrong order in the chain files"),
    "not-tls": ("not TLS", "one side speaks SMTP in the clear where TLS comes first"),
    "client-certificate-untrusted": ("bad cc", "the server does not trust the client certificate"),
    "client-certificate-required": ("ccert", "the server requires a client certificate"),
    "tls-not-available": ("no TLS", "TLS not available (454)"),
    "must-starttls": ("use TLS", "TLS is required (530)"),
    "auth-required-tls": ("use TLS", "TLS is required before login (538)"),
    "auth-not-enabled": ("no AUTH", "login not enabled (503)"),
    "auth-failed": ("login", "login failed (535)"),
    "auth-unavailable": ("login", "login unavailable (454)"),
    "access-denied": ("denied", "access denied"),
    "rejected": ("denied", "rejected by a restriction"),
    "service-unavailable": ("421", "service unavailable (421)"),
    "connection-refused": ("no port", "connection refused"),
    "closed": ("closed", "connection closed"),
    "tls-required": ("needTLS", "TLS is required, and the other side has none"),
    "no-tlsa": ("no TLSA", "no usable TLSA records"),
    "no-dnssec": ("DNSSEC", "the destination's domain is not signed (DNSSEC)"),
    "tlsa-lookup-error": ("TLSA", "the look-up of TLSA records failed"),
    "wrapper-mode-missing": ("wrapper", "port 465 needs smtp_tls_wrappermode = yes"),
    "tlsproxy-missing": ("tlsprox", "there is no tlsproxy(8) in master.cf"),
    "bad-policy-attribute": ("policy", "the TLS policy has an attribute that Postfix rejects"),
    "lab": ("network", "the network of the run's containers failed"),
    "no-route": ("no MX", "the recipient's domain was not found"),
    "policy": ("policy", "the TLS policy for the destination is not valid"),
    "unknown-parameter": ("config", "unknown parameter"),
    "fatal-parameter": ("config", "fatal parameter"),
    "certificate": ("cert", "the client does not trust the server's certificate"),
    "certificate-name-mismatch": ("name", "the server's certificate is for another name"),
    "certificate-untrusted-issuer": ("issuer", "the certificate's issuer is not trusted"),
    "certificate-expired": ("expired", "the server's certificate has expired"),
    "certificate-self-signed": ("selfsig", "the server's certificate is self-signed"),
    "version-not-built": ("not built", "the client's library was built without this version"),
    "unknown-option": ("no option", "the client has no option for it"),
    "no-implicit-tls": ("no 465", "the client has no TLS from the start (RFC 8314)"),
    "unrecognised": ("unclear", "an unknown error text; see the evidence"),
    "control-cannot-refuse": (
        "control",
        "the client reports TLS with a control server that refuses every handshake",
    ),
    "hello-retry-request": ("retry", "the server asks for another hello (HelloRetryRequest)"),
    "certificate-requested": ("asks cc", "the server asks for a client certificate"),
    "dh-key-too-large": ("DH size", "DH key larger than the client takes"),
    "key-too-large": ("RSA key", "certificate's key larger than the client takes"),
    "ignored-offer": ("ignored", "the client ignored the offer that it was told to make"),
    "no-control": ("control", "no control shows what this client can do"),
    "contradicts-control": ("control", "the control contradicts the client"),
    "driver": ("driver", "the client's driver failed"),
}

#: The labels of a cell's obstacles (``observations.obstacles``), as in "refused by ...".
OBSTACLES: dict[str, str] = {
    "protocol-list": "Postfix's protocol list",
    "cipher-list": "Postfix's cipher list or groups",
    "keys": "the server's certificates and keys",
    "security-level": "the TLS library's security level",
    "library": "the TLS library as it was built",
    "settings": "Postfix's other settings",
    "client": "the client",
    "unknown": "unknown: no control of this build shows it",
}


def obstacles_text(observation: Observation) -> str:
    """All obstacles of a cell; "" where there is none."""
    return "; ".join(OBSTACLES.get(obstacle, obstacle) for obstacle in observation.obstacles)


def build_notes(image: ImageInfo | None) -> tuple[str, ...]:
    """The keys of :data:`BUILD_NOTES` that apply to a build, warnings first.

    An image's label counts as much as the run's record: a mark may occur twice, but is not lost.
    """
    if image is None:
        return ()
    notes = {_FLAVOURS.get(image.flavour or image.labels.get(names.FLAVOUR, ""))}
    if image.unverified or names.UNVERIFIED in image.labels:
        notes.add(UNVERIFIED)
    if image.foreign:
        notes.add(FOREIGN)
    return tuple(note for note in BUILD_NOTES if note in notes)


def build_note(image: ImageInfo | None) -> str:
    """The same as one string, to be shown beside the build's name: ``unverified source``; or ""."""
    return ", ".join(build_notes(image))


def outcome_of(observation: Observation | None) -> str:
    """The outcome's name, or ``not-measured`` where there is no observation."""
    return observation.outcome.value if observation else NOT_MEASURED


def short_word(observation: Observation | None) -> str:
    """At most nine characters to follow the glyph; empty where the glyph is enough."""
    if observation is None:
        return SIGNS[NOT_MEASURED].word
    if observation.outcome in (Outcome.ACCEPTED, Outcome.WOULD_NEGOTIATE):
        return negotiated_beyond_offer(observation)
    if observation.outcome in (Outcome.REFUSED, Outcome.WOULD_BE_REFUSED):
        return _refused_word(observation)
    return SIGNS[observation.outcome].word


def _refused_word(observation: Observation) -> str:
    if observation.reason in REASONS:
        return REASONS[observation.reason][0]
    if observation.reason:
        return observation.reason
    return f"at {observation.stage}" if observation.stage else SIGNS[Outcome.REFUSED].word


def negotiated_beyond_offer(observation: Observation) -> str:
    """The negotiated protocol, unless the offer was that version alone (then empty).

    That the offer has only some ciphers, or extras, is in the column's head. Followed by the mark
    of a suite that has no certificate.
    """
    protocol = protocol_of(observation) or ""
    mark = ANONYMOUS if without_certificate(observation) else ""
    offered = observation.offer.partition("+")[0]
    return ("" if protocol == offered else protocol) + mark


def describe_result(observation: Observation | None, why: str | None = None) -> str:
    """A cell's result in one line: ``refused at handshake: protocol version``."""
    if observation is None:
        return f"not measured: {why}" if why else "not measured"
    text = SIGNS[observation.outcome].title
    if protocol := protocol_of(observation):
        text += f", {protocol}"
    if observation.outcome is Outcome.ACCEPTED and without_certificate(observation):
        text += f", without a certificate ({cipher_of(observation)})"
    if observation.stage:
        text += f" at {observation.stage}"
    if observation.reason:
        text += f": {REASONS.get(observation.reason, ('', observation.reason))[1]}"
    if observation.agree is False:
        text += " (client and server disagree)"
    return text
