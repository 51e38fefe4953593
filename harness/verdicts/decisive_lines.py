"""Which line of Postfix's log decided a cell.

A session leaves a dozen lines, one of which explains how it ended. The search begins with the
events that nothing can follow: a process that died, then TLS that was not set up, then a command
that was refused, then a handshake that failed, then the session that was established.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum

#: In the order in which they decide. The texts are Postfix's: msg(3), src/tls/tls_server.c,
#: src/smtpd/smtpd_check.c, src/tls/tls_misc.c (tls_log_summary).
_DIED = re.compile(r"\b(?:fatal|panic): ")
_STOPPED = re.compile(r"warning: process \S+ pid \d+ (?:exit|killed)|bad command startup")
_NO_TLS = re.compile(
    r"warning: (?!TLS library problem)(?!.*overriding earlier entry)"
    r".*(?:TLS|SSL|certificate|cert |private key|cipher|protocol)"
)
_REJECTED = re.compile(r"(?:NOQUEUE|[0-9A-Za-z]+): reject: |SASL \S+ authentication failed")
_LIBRARY = re.compile(r"TLS library problem|SSL_(?:accept|connect)[: ]error|SSL_(?:accept|connect)")
_ESTABLISHED = re.compile(r"TLS connection established")
_ORDER = (_DIED, _STOPPED, _NO_TLS, _REJECTED, _LIBRARY, _ESTABLISHED)


class DecisiveQuestion(Enum):
    """The question about a session's log; ``ENDED``, why it ended as it did, is the default.

    ``NEGOTIATED``: what was negotiated, which one line reports whatever came after it. ``REFUSED``:
    why a command after the handshake was refused.
    """

    ENDED = ()
    NEGOTIATED = (_ESTABLISHED,)
    REFUSED = (_DIED, _REJECTED)


#: "Nov 30 01:45:29 " of a line in syslog's format.
_TIMESTAMP = re.compile(r"^[A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d ")


def decisive_line(
    log: Iterable[str], question: DecisiveQuestion = DecisiveQuestion.ENDED
) -> str | None:
    """The line that answers a question about a session, without its time; None: there is none."""
    lines = list(log)
    for pattern in (*question.value, *_ORDER):
        line = _first_match(lines, pattern)
        if line is not None:
            return _TIMESTAMP.sub("", line)
    return None


def _first_match(lines: Sequence[str], pattern: re.Pattern[str]) -> str | None:
    """The first matching line; for a failed handshake, the TLS library's error where logged."""
    matching = [line for line in lines if pattern.search(line)]
    from_library = [line for line in matching if "TLS library problem" in line]
    return next(iter(from_library or matching), None)
