"""The protocols × ciphers of a server, by elimination: offer all, strike what it chose, go on.

That is a handshake for each accepted suite and a few more, not one for each suite that there is.
Whose preference counts is asked first: where it is the server's, one chain of questions a version
also tells its order; where it is the client's, parts of the version go side by side.

Nothing is assumed: each suite that is told as accepted was chosen in a ServerHello. And an alert is
not believed to speak for suites that a server may not have come to (old libraries choose one that
they then cannot do): what is left after it is offered once more in parts, by key exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.catalog.ciphers import Cipher, all_ciphers
from harness.scan.choice import Choice
from harness.scan.client_hello import ClientHello
from harness.scan.coroutines import (
    Fork,
    NotMeasuredError,
    Part,
    Steps,
    ask,
)
from harness.scan.server_hello import PROTOCOL_VERSION, Alert, Answer, Ssl2Choice
from harness.tls import Protocol

#: Suites whose registered names begin so are chosen by different parts of a server's configuration.
_PARTS = {
    "ECDHE": ("TLS_ECDHE_", "OLD_TLS_ECDHE_"),
    "DHE": ("TLS_DHE_", "OLD_TLS_DHE_"),
    "anonymous": ("TLS_DH_anon_", "TLS_ECDH_anon_"),
    "RSA": ("TLS_RSA_", "SSL_RSA_"),
}
#: PSK, SRP, Kerberos, GOST, static Diffie-Hellman.
_OTHER = "other"


@dataclass(slots=True)
class VersionSuites:
    """What was found of one version so far; ``order`` None: not known, or nothing to order."""

    protocol: Protocol
    suites: list[Cipher] = field(default_factory=list)
    order: str | None = None
    not_measured: dict[str, str] = field(default_factory=dict)

    @property
    def in_order(self) -> list[Cipher]:
        """In the server's order where its preference counts, else in that of their numbers."""
        if self.order == "server":
            return self.suites
        return sorted(self.suites, key=lambda one: one.code)


def eliminate(version: VersionSuites) -> Part:
    """Find a version's suites."""
    protocol = version.protocol
    left = {cipher.code: cipher for cipher in all_ciphers() if cipher.speaks(protocol)}
    try:
        last = yield from _whole(version, left)
    except NotMeasuredError as error:
        # A hello with all that there is came to nothing; smaller ones may do better.
        version.not_measured[f"{protocol} order"] = str(error)
        last = None
    if last == PROTOCOL_VERSION or isinstance(last, Ssl2Choice):
        return
    parts = parts_of(protocol, left.values())
    if isinstance(last, Alert) and len(parts) == 1:
        # Just these were refused.
        return
    yield Fork(tuple(_strike_part(version, name, part) for name, part in parts.items()))


def parts_of(protocol: Protocol, ciphers: Iterable[Cipher]) -> dict[str, list[Cipher]]:
    """Suites of a version, by the part of a server's configuration that chooses them."""
    found: dict[str, list[Cipher]] = {}
    whole = protocol in (Protocol.SSLv2, Protocol.TLSv1_3)
    for cipher in ciphers:
        found.setdefault("all" if whole else _part(cipher.iana), []).append(cipher)
    return found


def _part(name: str) -> str:
    if "PSK" in name:
        return _OTHER
    return next((part for part, starts in _PARTS.items() if name.startswith(starts)), _OTHER)


def _whole(version: VersionSuites, left: dict[int, Cipher]) -> Steps[Answer]:
    """All suites forth, then back, and if the server's preference counts all the rest.

    What is found leaves ``left``. Gives the last answer.
    """
    every = list(left)
    forth = yield from _offer(version.protocol, every)
    if isinstance(forth, Ssl2Choice):
        version.suites += [left.pop(code) for code in forth.ciphers if code in left]
    if not _take(version, left, forth):
        return forth
    back = yield from _offer(version.protocol, every[::-1])
    if not isinstance(back, Choice) or back.cipher not in every:
        return back
    if _take(version, left, back):
        version.order = "client"
        return back
    version.order = "server"
    return (yield from _strike(version, left))


def _strike_part(version: VersionSuites, name: str, part: list[Cipher]) -> Part:
    try:
        yield from _strike(version, {cipher.code: cipher for cipher in part})
    except NotMeasuredError as error:
        version.not_measured[f"{version.protocol} {name}"] = str(error)


def _strike(version: VersionSuites, left: dict[int, Cipher]) -> Steps[Answer]:
    """Offer what is left and strike what was chosen, until the server says no."""
    got: Answer = PROTOCOL_VERSION
    while left:
        got = yield from _offer(version.protocol, list(left))
        if not _take(version, left, got):
            break
    return got


def _take(version: VersionSuites, left: dict[int, Cipher], got: Answer) -> bool:
    """Strike what was chosen; False where nothing of what is left was.

    A choice of another version than the one that was offered refuses this one, in its own way.
    """
    if not isinstance(got, Choice) or got.version is not version.protocol:
        return False
    if got.cipher not in left:
        return False
    version.suites.append(left.pop(got.cipher))
    return True


def _offer(protocol: Protocol, codes: Sequence[int]) -> Steps[Answer]:
    return ask(ClientHello(protocol, tuple(codes)))
