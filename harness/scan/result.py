"""What a scan found: frozen, and the same whether a page, a script or a test reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.catalog.ciphers import Cipher

if TYPE_CHECKING:
    from harness.scan.suites import Suite
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
        from harness.scan.suites import suite

        return suite(self.suite)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's own certificate. ``bits`` of its key; ``expires``: the day, in UTC.

    ``seen`` in which versions, of those that were asked.
    """

    key: str
    bits: int | None
    signature: str
    subject: str
    issuer: str
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
    dh_bits: dict[str, tuple[int, ...]] = field(default_factory=dict)
    certificates: tuple[Certificate, ...] = ()
    not_measured: dict[str, str] = field(default_factory=dict)
    handshakes: int = 0
    seconds: float = 0.0

    def of(self, protocol: Protocol) -> tuple[Accepted, ...]:
        """The suites of one version."""
        return tuple(one for one in self.accepted if one.protocol is protocol)

    def weakest(self, protocol: Protocol) -> dict[str, frozenset[str]]:
        """By class, the suites of the weakest kind among a version's."""
        return weakest(self.of(protocol))

    def weakest_of_all(self) -> dict[str, tuple[str, ...]]:
        """By class, "protocol" too, the weakest parts of all that is accepted."""
        if not self.accepted:
            return {}
        oldest = min(self.accepted, key=lambda one: one.protocol.rank)
        found: dict[str, tuple[str, ...]] = {"protocol": (oldest.protocol.value,)}
        for name in CLASSES:
            least = min(one.parts.strengths[name] for one in self.accepted)
            parts = [one.parts for one in self.accepted if one.parts.strengths[name] == least]
            found[name] = tuple(sorted({one.part[name] for one in parts}))
        return found


def weakest(accepted: Iterable[Accepted]) -> dict[str, frozenset[str]]:
    """By class, the names of the suites that are weakest in it.

    A class whose suites are all alike in it is left out.
    """
    strengths = {one.cipher: one.parts.strengths for one in accepted}
    found = {}
    for name in CLASSES:
        ranks = {cipher: ranks[name] for cipher, ranks in strengths.items()}
        if len(set(ranks.values())) > 1:
            least = min(ranks.values())
            found[name] = frozenset(cipher for cipher, rank in ranks.items() if rank == least)
    return found
