"""The result of a scan, frozen: reports, scripts and tests read the same."""

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
        """The suite's name."""
        return self.suite.name

    @property
    def bits(self) -> int | None:
        """The bits of the suite's key, where they are known."""
        return self.suite.bits

    @property
    def parts(self) -> Suite:
        """The parts of the suite."""
        from harness.scan.suites import suite_parts

        return suite_parts(self.suite)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server certificate. ``bits``: of its key; ``expires``: the day, in UTC.

    ``seen``: the versions in which it was received, of those that were tried.
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
class ScanResult:
    """What a server accepts; the scan took ``handshakes`` in ``seconds``.

    ``order``: for each version with two suites or more, whose preference counts, the "server"'s
    (``accepted`` is then in its order) or the "client"'s. ``groups``: the groups of the key
    exchange by version. ``dh_bits``: the sizes of DHE's primes by kind of suite.
    ``not_measured``: the failed probes, which are no refusals.
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
        return tuple(suite for suite in self.accepted if suite.protocol is protocol)

    def weakest(self, protocol: Protocol) -> dict[str, frozenset[str]]:
        """For each class, the weakest suites of a version."""
        return find_weakest(self.of(protocol))

    def weakest_of_all(self) -> dict[str, tuple[str, ...]]:
        """For each class and for "protocol", the weakest parts of all accepted suites."""
        if not self.accepted:
            return {}
        oldest = min(self.accepted, key=lambda suite: suite.protocol.rank)
        parts_by_class: dict[str, tuple[str, ...]] = {"protocol": (oldest.protocol.value,)}
        for name in CLASSES:
            least = min(suite.parts.strengths[name] for suite in self.accepted)
            parts = [suite.parts for suite in self.accepted if suite.parts.strengths[name] == least]
            parts_by_class[name] = tuple(sorted({part.part[name] for part in parts}))
        return parts_by_class


def find_weakest(accepted: Iterable[Accepted]) -> dict[str, frozenset[str]]:
    """For each class, the names of the suites that are weakest in it.

    A class in which all suites are equally strong is left out.
    """
    strengths = {suite.cipher: suite.parts.strengths for suite in accepted}
    weakest_by_class = {}
    for name in CLASSES:
        ranks = {cipher: ranks[name] for cipher, ranks in strengths.items()}
        if len(set(ranks.values())) > 1:
            least = min(ranks.values())
            weakest_by_class[name] = frozenset(
                cipher for cipher, rank in ranks.items() if rank == least
            )
    return weakest_by_class
