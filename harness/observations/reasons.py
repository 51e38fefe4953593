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
#: The client would not take the server's certificate.
CERTIFICATE = "certificate"
#: The key of a certificate, or the prime of a key exchange, is too short for a TLS library.
WEAK_KEYS = frozenset({"dh-key-too-small", "key-too-small"})
#: The server could do better than a client that says it fell back (RFC 7507).
INAPPROPRIATE_FALLBACK = "inappropriate-fallback"
#: Postfix's "454 4.7.0 TLS not available due to local problem", the cause of which is in its log.
TLS_NOT_AVAILABLE = "tls-not-available"

#: Who says it: the server's log, the client or its library, an SMTP reply (``CODE TEXT``).
SIDES = ("server", "client", "reply")


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


def first(side: str, text: str) -> str | None:
    """The reason of the first spelling of a side that occurs in a text; None: there is none."""
    for reason, pattern in _compiled(side):
        if pattern.search(text):
            return reason
    return None


@cache
def _compiled(side: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (one.reason, re.compile(one.pattern, re.IGNORECASE))
        for one in spellings()
        if one.side == side
    )
