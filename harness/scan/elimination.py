"""Finds a server's protocols and ciphers by elimination: offer all, remove the choice, repeat.

That takes a handshake for each accepted suite and a few more, not one for each known suite. The
first hellos show whose preference counts: where it is the server's, one sequence of hellos per
version also shows its order; where it is the client's, parts of a version run concurrently.

Nothing is assumed: each accepted suite was chosen in a ServerHello. And an alert does not count as
a refusal of every suite that was offered, since old libraries choose a suite that they then cannot
use: what is left after an alert is offered once more in parts, by key exchange.
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
    ScanCoroutine,
    ScanPart,
    send_hello,
)
from harness.scan.server_hello import PROTOCOL_VERSION, Alert, Answer, Ssl2Choice
from harness.tls import Protocol

#: Different parts of a server's configuration choose suites by these beginnings of their names.
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
    """The results for a version so far; ``order`` None: unknown, or there is nothing to order."""

    protocol: Protocol
    suites: list[Cipher] = field(default_factory=list)
    order: str | None = None
    not_measured: dict[str, str] = field(default_factory=dict)

    @property
    def in_order(self) -> list[Cipher]:
        """The suites in the server's order where its preference counts, else by their numbers."""
        if self.order == "server":
            return self.suites
        return sorted(self.suites, key=lambda suite: suite.code)


def find_suites(version: VersionSuites) -> ScanPart:
    """Find a version's suites."""
    protocol = version.protocol
    left = {cipher.code: cipher for cipher in all_ciphers() if cipher.belongs_to(protocol)}
    try:
        last = yield from _offer_all(version, left)
    except NotMeasuredError as error:
        # The hello with all suites failed; smaller ones may not.
        version.not_measured[f"{protocol} order"] = str(error)
        last = None
    if last == PROTOCOL_VERSION or isinstance(last, Ssl2Choice):
        return
    parts = parts_of(protocol, left.values())
    if isinstance(last, Alert) and len(parts) == 1:
        # Exactly these suites were refused.
        return
    yield Fork(tuple(_strike_part(version, name, part) for name, part in parts.items()))


def parts_of(protocol: Protocol, ciphers: Iterable[Cipher]) -> dict[str, list[Cipher]]:
    """The suites of a version, by the part of a server's configuration that chooses them."""
    parts: dict[str, list[Cipher]] = {}
    whole = protocol in (Protocol.SSLv2, Protocol.TLSv1_3)
    for cipher in ciphers:
        parts.setdefault("all" if whole else _part_of(cipher.iana), []).append(cipher)
    return parts


def _part_of(name: str) -> str:
    if "PSK" in name:
        return _OTHER
    return next((part for part, starts in _PARTS.items() if name.startswith(starts)), _OTHER)


def _offer_all(version: VersionSuites, left: dict[int, Cipher]) -> ScanCoroutine[Answer]:
    """Offer all suites forwards, then backwards; if the server's preference counts, all the rest.

    Suites that are found are removed from ``left``. Gives the last answer.
    """
    all_codes = list(left)
    forwards = yield from _offer_suites(version.protocol, all_codes)
    if isinstance(forwards, Ssl2Choice):
        version.suites += [left.pop(code) for code in forwards.ciphers if code in left]
    if not _strike_choice(version, left, forwards):
        return forwards
    backwards = yield from _offer_suites(version.protocol, all_codes[::-1])
    if not isinstance(backwards, Choice) or backwards.cipher not in all_codes:
        return backwards
    if _strike_choice(version, left, backwards):
        version.order = "client"
        return backwards
    version.order = "server"
    return (yield from _strike_chosen(version, left))


def _strike_part(version: VersionSuites, name: str, part: list[Cipher]) -> ScanPart:
    try:
        yield from _strike_chosen(version, {cipher.code: cipher for cipher in part})
    except NotMeasuredError as error:
        version.not_measured[f"{version.protocol} {name}"] = str(error)


def _strike_chosen(version: VersionSuites, left: dict[int, Cipher]) -> ScanCoroutine[Answer]:
    """Offer what is left and remove what was chosen, until the server refuses."""
    answer: Answer = PROTOCOL_VERSION
    while left:
        answer = yield from _offer_suites(version.protocol, list(left))
        if not _strike_choice(version, left, answer):
            break
    return answer


def _strike_choice(version: VersionSuites, left: dict[int, Cipher], answer: Answer) -> bool:
    """Remove the chosen suite from ``left``; False where none of them was chosen.

    A choice of another version than the offered one is a refusal of the offered one.
    """
    if not isinstance(answer, Choice) or answer.version is not version.protocol:
        return False
    if answer.cipher not in left:
        return False
    version.suites.append(left.pop(answer.cipher))
    return True


def _offer_suites(protocol: Protocol, codes: Sequence[int]) -> ScanCoroutine[Answer]:
    return send_hello(ClientHello(protocol, tuple(codes)))
