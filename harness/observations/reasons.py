"""One name for each cause, whatever a server, a client or a library called it.

A table, read from the top: the first pattern that occurs decides. What no pattern knows stays
visible as ``unrecognised`` beside the words themselves; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

UNRECOGNISED = "unrecognised"
#: The client would not take the server's certificate.
CERTIFICATE = "certificate"
#: Postfix's "454 4.7.0 TLS not available due to local problem", the cause of which is in its log.
TLS_NOT_AVAILABLE = "tls-not-available"

# In the server's log: Postfix's own words, and those of the OpenSSL it is linked to.
_SERVER = (
    ("tls-disabled-bad-protocol-list", r"Invalid TLS protocol list"),
    ("no-shared-cipher", r"no shared cipher"),
    ("no-protocols-available", r"no protocols available"),
    ("dh-key-too-small", r"dh key too small"),
    ("key-too-small", r"(?:ee|ca) key too small"),
    ("inappropriate-fallback", r"inappropriate fallback"),
    (
        "protocol-version",
        # 1.0.2 "unknown protocol", "unsupported protocol"; 1.1.1 and later "unsupported protocol",
        # "version too low"; "wrong version number" where the first record is of another version.
        r"unsupported protocol|unknown protocol|wrong version number|version too low"
        r"|unsupported SSL protocol|wrong ssl version",
    ),
    ("tls-disabled-bad-cipher-list", r"invalid cipher (?:grade|list)"),
    (
        "tls-disabled-no-certificate",
        r"No (?:server certs|TLS chains) available|disabling TLS support",
    ),
)
# In the client's own words.
_CLIENT = (
    (CERTIFICATE, r"certificate[ _]verify[ _]failed|CertificateError|alert[^:]*unknown[ _]ca\b"),
    ("no-protocols-available", r"no[ _]protocols[ _]available"),
    ("no-ciphers-available", r"no[ _]ciphers[ _]available|no[ _]cipher[ _]match"),
    ("legacy-sigalg-disallowed", r"legacy[ _]sigalg[ _]disallowed"),
    ("dh-key-too-small", r"dh[ _]key[ _]too[ _]small"),
    ("key-too-small", r"(?:ee|ca)[ _]key[ _]too[ _]small"),
    (
        "protocol-version",
        r"protocol[ _]version|unsupported[ _]protocol|wrong[ _]version[ _]number"
        r"|wrong[ _]ssl[ _]version|version[ _]too[ _]low|unknown[ _]protocol",
    ),
    # s_client has no such option, Python's ssl.TLSVersion no such member.
    ("unknown-option", r"unknown option|AttributeError: (?:SSL|TLS)v"),
    ("handshake-failure", r"handshake[ _]failure|insufficient security"),
    ("connection-refused", r"connection refused|ECONNREFUSED|Errno 111"),
    (
        "closed",
        r"\bclosed\b|unexpected[ _]eof|EOF occurred|connection reset|broken pipe"
        r"|ssl handshake failure|connection lost|errno=104|write:errno=0",
    ),
)
# SMTP replies (code and text).
_REPLY = (
    ("must-starttls", r"530 .*STARTTLS"),
    (TLS_NOT_AVAILABLE, r"454 .*TLS"),
    ("auth-required-tls", r"538 "),
    ("auth-not-enabled", r"503 .*authentication not enabled"),
    ("auth-failed", r"535 "),
    ("auth-unavailable", r"454 .*(?:auth|Temporary)"),
    ("access-denied", r"55[04] .*(?:Access denied|Relay access denied)"),
    ("service-unavailable", r"421 "),
    ("rejected", r"[45]\d\d .*(?:rejected|blocked|denied)"),
)


def reason_of(server_log: Iterable[str], client_error: str | None, reply: str | None) -> str:
    """The cause of a refusal: a reply counts first, then the server's log, then the client's words.

    ``reply`` is ``CODE TEXT``. What the client calls a handshake failure is often known better by
    the server, so only the server's silence lets the client speak.
    """
    told = _first(_REPLY, reply) if reply else None
    if reply and told != TLS_NOT_AVAILABLE:
        return told or UNRECOGNISED
    return (
        _first(_SERVER, "\n".join(server_log))
        or (_first(_CLIENT, client_error) if client_error else None)
        or told
        or UNRECOGNISED
    )


def _first(table: tuple[tuple[str, str], ...], text: str) -> str | None:
    for reason, pattern in table:
        if re.search(pattern, text, re.IGNORECASE):
            return reason
    return None
