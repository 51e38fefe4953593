"""What a scan found: frozen, and the same whether a page, a script or a test reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.catalog.ciphers import Cipher

if TYPE_CHECKING:
    from harness.clients.scan.suites import Suite
from harness.tls import Protocol

CLASSES = ("key exchange", "cipher", "MAC")


@dataclass(frozen=True, slots=True)
class Accepted:
    """One suite that a server accepts in one version."""

    protocol: Protocol
    suite: Cipher

    @property
    def cipher(self) -> str:
        """Its name."""
        return self.suite.name

    @property
    def bits(self) -> int | None:
        """Its key's bits, where they are known."""
        return self.suite.bits

    @property
    def parts(self) -> Suite:
        """What it is made of."""
        from harness.clients.scan.suites import suite

        return suite(self.suite)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's own certificate; ``bits`` of its key. ``seen`` in which versions."""

    key: str
    bits: int | None
    signature: str
    subject: str
    expires: str
    sha256: str
    seen: tuple[Protocol, ...] = ()


@dataclass(frozen=True, slots=True)
class Map:
    """What a server accepts; ``handshakes`` is how many it took, ``seconds`` how long.

    ``order`` tells of each version with two suites or more whose preference counts: the server's
    (``accepted`` then has them in its order) or the client's. ``groups`` are those of key exchange
    by version; ``dh_bits`` the sizes of DHE's primes by kind of suite. ``not_measured`` has what
    came to nothing: it is no refusal.
    """

    accepted: tuple[Accepted, ...]
    order: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    dh_bits: dict[str, int] = field(default_factory=dict)
    certificates: tuple[Certificate, ...] = ()
    not_measured: dict[str, str] = field(default_factory=dict)
    handshakes: int = 0
    seconds: float = 0.0

    def of(self, protocol: Protocol) -> tuple[Accepted, ...]:
        """The suites of one version."""
        return tuple(one for one in self.accepted if one.protocol is protocol)

    def weakest(self, protocol: Protocol | None = None) -> dict[str, frozenset[str]]:
        """By class, the suites of the weakest kind among a version's, or among all.

        A class whose suites are all alike in it is left out.
        """
        return weakest(self.accepted if protocol is None else self.of(protocol))


def weakest(accepted: Iterable[Accepted]) -> dict[str, frozenset[str]]:
    """By class, the names of the suites that are weakest in it."""
    strengths = {one.cipher: one.parts.strengths for one in accepted}
    found = {}
    for name in CLASSES:
        ranks = {cipher: ranks[name] for cipher, ranks in strengths.items()}
        if len(set(ranks.values())) > 1:
            least = min(ranks.values())
            found[name] = frozenset(cipher for cipher, rank in ranks.items() if rank == least)
    return found
