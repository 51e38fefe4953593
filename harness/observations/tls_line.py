"""Postfix's one log line about a TLS session, in the form of every release.

``tls_log_summary()`` in src/tls/tls_misc.c, and before 3.4 tls_server.c and tls_client.c:

- 2.2: ``TLS connection established from x[1.2.3.4]: TLSv1 with cipher AES256-SHA (256/256 bits)``
- 2.5: the trust level before it; the address with a port
- 3.4: ``reused`` instead of ``established``; ``to NAME`` after the address, where a name of the SNI
  map was requested; `` key-exchange ECDHE (P-256) server-signature ...`` at its end
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.observations.record import TlsView

_LINE = re.compile(
    r"(?:(?P<trust>Anonymous|Untrusted|Trusted|Verified) )?TLS connection (?:established|reused) "
    r"(?P<direction>from|to) (?P<peer>\S+?)(?: to (?P<sni>\S+?))?: "
    r"(?P<protocol>\S+) with cipher (?P<cipher>\S+) \((?P<bits>\d+)/\d+ bits\)"
    r"(?: key-exchange (?P<exchange>\S+)(?: \((?P<curve>[^)]+)\))?)?"
)


@dataclass(frozen=True, slots=True)
class TlsLine:
    """A TLS session as Postfix logged it.

    ``outbound``: Postfix was the client. ``trust`` is how it rated the other side's certificate,
    None before 2.5; ``sni`` the name that the client requested, where it decided the certificate.
    """

    outbound: bool
    trust: str | None
    sni: str | None
    view: TlsView


def read_tls_line(line: str) -> TlsLine | None:
    """The session that a log line reports; None where it reports none."""
    match = _LINE.search(line)
    if match is None:
        return None
    # "ECDHE (P-256)" and "DHE (2048 bits)" name the group in brackets, "X25519" is one.
    group = match["curve"] or match["exchange"]
    view = TlsView(match["protocol"], match["cipher"], int(match["bits"]), group)
    return TlsLine(match["direction"] == "to", match["trust"], match["sni"], view)


def find_tls_line(lines: Iterable[str], *, outbound: bool) -> TlsLine | None:
    """The first session of one direction that these lines report."""
    sessions = (read_tls_line(line) for line in lines)
    return next((s for s in sessions if s is not None and s.outbound == outbound), None)
