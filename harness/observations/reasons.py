"""One name for each cause, whatever a server, a client or a library calls it.

The spellings are data (``spellings.toml``), each with where it was observed. They are read
from the top: the first pattern that occurs decides. A text that no pattern matches is reported as
``unrecognised``, together with the text; nothing is guessed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

UNRECOGNISED = "unrecognised"
#: The client would not take the server's certificate, and its error text does not say why.
CERTIFICATE = "certificate"
#: The same, with a known cause. ``certificate`` as an expectation covers all: :func:`covers`.
NAME_MISMATCH = "certificate-name-mismatch"
UNTRUSTED_ISSUER = "certificate-untrusted-issuer"
KINDS_OF_CERTIFICATE = frozenset(
    {NAME_MISMATCH, UNTRUSTED_ISSUER, "certificate-expired", "certificate-self-signed"}
)
#: The other side spoke SMTP in the clear where TLS was to come first, or the other way round.
NOT_TLS = "not-tls"
#: Reasons by which a client reports that it is incapable, whatever the server supports.
CLIENT_REPORTED = frozenset(
    {"no-ciphers-available", "no-protocols-available", "version-not-built", "unknown-option",
     "no-implicit-tls"}
)  # fmt: skip
#: A handshake that failed, with an error text that does not say why.
HANDSHAKE_FAILURE = "handshake-failure"
#: What a library reports where no protocol version is shared.
OF_VERSIONS = frozenset({"protocol-version", "no-protocols-available"})
#: smtpd_tls_req_ccert: the reply is a 421, the cause stands in the log too.
CLIENT_CERTIFICATE = "client-certificate-required"
#: The key of a certificate, or the prime of a key exchange, is too short for a TLS library.
WEAK_KEYS = frozenset({"dh-key-too-small", "key-too-small"})
#: The server supports better than a client that says it fell back (RFC 7507).
INAPPROPRIATE_FALLBACK = "inappropriate-fallback"
#: Postfix's "454 4.7.0 TLS not available due to local problem", the cause of which is in its log.
TLS_NOT_AVAILABLE = "tls-not-available"

#: Where the text comes from: the server's log, the client or its library, an SMTP reply (``CODE
#: TEXT``); for mail that Postfix sends, the text of its status, and what smtp(8) logged before it.
SIDES = ("server", "client", "reply", "sender", "sender-log")


@dataclass(frozen=True, slots=True)
class Spelling:
    """One spelling of a cause: a regular expression that ignores case, and the side that uses it.

    ``seen`` names the software, and its versions.
    """

    reason: str
    side: str
    pattern: str
    seen: str


@cache
def read_spellings() -> tuple[Spelling, ...]:
    """All known spellings, in the order in which they decide."""
    text = resources.files(__package__).joinpath("spellings.toml").read_text("utf-8")
    return tuple(Spelling(**record) for record in tomllib.loads(text)["spelling"])


def reason_of(server_log: Iterable[str], client_error: str | None, reply: str | None) -> str:
    """The cause of a refusal: by a reply, then by the server's log, then by the client's error.

    ``reply`` is ``CODE TEXT``. The server often knows more about what the client calls a handshake
    failure, so the client's error counts only where the server's log has no cause.
    """
    by_reply = first_reason("reply", reply) if reply else None
    if reply and by_reply != TLS_NOT_AVAILABLE:
        return by_reply or UNRECOGNISED
    return (
        first_reason("server", "\n".join(server_log))
        or (first_reason("client", client_error) if client_error else None)
        or by_reply
        or UNRECOGNISED
    )


def is_certificate(reason: str | None) -> bool:
    """Whether a client rejected the server's certificate, whatever is wrong with it."""
    return reason == CERTIFICATE or reason in KINDS_OF_CERTIFICATE


def covers(expected: str, given: str | None) -> bool:
    """Whether a reason is the expected one, or a more specific one of the same kind."""
    return given == expected or (expected == CERTIFICATE and is_certificate(given))


def first_reason(side: str, text: str) -> str | None:
    """The reason of the first spelling of a side that occurs in a text; None: there is none."""
    for reason, pattern in _compile_patterns(side):
        if pattern.search(text):
            return reason
    return None


@cache
def _compile_patterns(side: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (spelling.reason, re.compile(spelling.pattern, re.IGNORECASE | re.MULTILINE))
        for spelling in read_spellings()
        if spelling.side == side
    )
