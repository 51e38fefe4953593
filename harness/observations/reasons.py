"""One name for each cause, whatever a server, a client or a library called it.

The spellings are data (``spellings.toml``), each with where it was seen. Read from the top: the
first whose pattern occurs decides. What no pattern knows stays visible as ``unrecognised`` beside
the words themselves; nothing is guessed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

UNRECOGNISED = "unrecognised"
#: The client would not take the server's certificate, and its words do not tell why.
CERTIFICATE = "certificate"
#: The same, where they tell. Whoever expects ``certificate`` expects any of these: :func:`covers`.
NAME_MISMATCH = "certificate-name-mismatch"
UNTRUSTED_ISSUER = "certificate-untrusted-issuer"
KINDS_OF_CERTIFICATE = frozenset(
    {NAME_MISMATCH, UNTRUSTED_ISSUER, "certificate-expired", "certificate-self-signed"}
)
#: The other side spoke SMTP in the clear where TLS was to come first, or the other way round.
NOT_TLS = "not-tls"
#: Reasons by which a client says itself that it cannot, whatever the server has.
CLIENTS_OWN_WORDS = frozenset(
    {"no-ciphers-available", "no-protocols-available", "version-not-built", "unknown-option",
     "no-implicit-tls"}
)  # fmt: skip
#: A handshake that failed, in words that do not tell why.
HANDSHAKE_FAILURE = "handshake-failure"
#: What a library calls versions of which there is none in common.
OF_VERSIONS = frozenset({"protocol-version", "no-protocols-available"})
#: smtpd_tls_req_ccert: the reply is a 421, the cause stands in the log too.
CLIENT_CERTIFICATE = "client-certificate-required"
#: The key of a certificate, or the prime of a key exchange, is too short for a TLS library.
WEAK_KEYS = frozenset({"dh-key-too-small", "key-too-small"})
#: The server could do better than a client that says it fell back (RFC 7507).
INAPPROPRIATE_FALLBACK = "inappropriate-fallback"
#: Postfix's "454 4.7.0 TLS not available due to local problem", the cause of which is in its log.
TLS_NOT_AVAILABLE = "tls-not-available"

#: Who says it: the server's log, the client or its library, an SMTP reply (``CODE TEXT``); of mail
#: that Postfix sends, the text of its status, and what smtp(8) logged before it.
SIDES = ("server", "client", "reply", "sender", "sender-log")


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to put a cause: a regular expression, without regard to case, and who puts it so.

    ``seen`` says which software does, and which versions of it.
    """

    reason: str
    side: str
    pattern: str
    seen: str


@cache
def spellings() -> tuple[Spelling, ...]:
    """All that are known, in the order in which they decide."""
    text = resources.files(__package__).joinpath("spellings.toml").read_text("utf-8")
    return tuple(Spelling(**record) for record in tomllib.loads(text)["spelling"])


def reason_of(server_log: Iterable[str], client_error: str | None, reply: str | None) -> str:
    """The cause of a refusal: a reply counts first, then the server's log, then the client's words.

    ``reply`` is ``CODE TEXT``. What the client calls a handshake failure is often known better by
    the server, so only the server's silence lets the client speak.
    """
    told = first("reply", reply) if reply else None
    if reply and told != TLS_NOT_AVAILABLE:
        return told or UNRECOGNISED
    return (
        first("server", "\n".join(server_log))
        or (first("client", client_error) if client_error else None)
        or told
        or UNRECOGNISED
    )


def is_certificate(reason: str | None) -> bool:
    """Whether a client would not take the server's certificate, for whatever is wrong with it."""
    return reason == CERTIFICATE or reason in KINDS_OF_CERTIFICATE


def covers(expected: str, given: str | None) -> bool:
    """Whether a reason is the one that is expected, or a more telling one of the same kind."""
    return given == expected or (expected == CERTIFICATE and is_certificate(given))


def first(side: str, text: str) -> str | None:
    """The reason of the first spelling of a side that occurs in a text; None: there is none."""
    for reason, pattern in _compiled(side):
        if pattern.search(text):
            return reason
    return None


@cache
def _compiled(side: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (one.reason, re.compile(one.pattern, re.IGNORECASE | re.MULTILINE))
        for one in spellings()
        if one.side == side
    )
