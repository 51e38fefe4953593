"""Where a configuration makes things worse than they are without it, and nobody claimed so. Pure.

Weaker: an older protocol, a cipher without forward secrecy or of fewer bits than before, plaintext
instead of TLS, or something old let in that was refused. Less deliverable: a client as its user
runs it (offer ``default``) got its mail through, and does not any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.observations.record import Observation, Outcome
from harness.scenarios.expectations import (
    DELIVERED,
    Expectation,
)
from harness.tls import DEFAULT, Protocol
from harness.verdicts.judging import (
    ComparedCell,
    contradiction,
    unsettled,
)
from harness.verdicts.observation_diff import (
    bits_of,
    cipher_of,
    protocol_of,
)

#: Bits that RFC 9325 (section 4.1) asks for; what changes above them makes nothing weaker.
STRONG = 112
#: The oldest version that RFC 8996 leaves in use.
_CURRENT = Protocol.TLSv1_2
_EPHEMERAL = ("ECDHE-", "DHE-", "EDH-", "AECDH-", "ADH-", "TLS_")


class HarmKind(StrEnum):
    """What became worse."""

    WEAKER = "weaker"
    LESS_DELIVERABLE = "less deliverable"


@dataclass(frozen=True, slots=True)
class Harm:
    """A cell that is worse than under the control configuration."""

    cell: str
    kind: HarmKind
    what: str


def harms(places: Iterable[ComparedCell], expectations: Iterable[Expectation]) -> tuple[Harm, ...]:
    """What became worse in cells where no expectation asks for just that."""
    asked = tuple(expectations)
    found = ((place, _harm(place)) for place in places)
    return tuple(harm for place, harm in found if harm is not None and not _claimed(place, asked))


def _harm(place: ComparedCell) -> Harm | None:
    seen, before = place.seen, place.control
    if seen is None or before is None or unsettled(place) is not None:
        return None
    if before.outcome in (Outcome.ERROR, Outcome.TIMEOUT) or before.agree is False:
        return None
    if what := _weaker(seen, before):
        return Harm(place.cell, HarmKind.WEAKER, what)
    if place.offer == DEFAULT and before.outcome in DELIVERED and seen.outcome not in DELIVERED:
        reason = f" ({seen.reason})" if seen.reason else ""
        what = f"{seen.outcome}{reason}; without it the mail gets through"
        return Harm(place.cell, HarmKind.LESS_DELIVERABLE, what)
    return None


def _weaker(seen: Observation, before: Observation) -> str | None:
    if seen.outcome is Outcome.PLAINTEXT and before.outcome is not Outcome.PLAINTEXT:
        return f"plaintext; without it {before.outcome}"
    if seen.outcome is not Outcome.ACCEPTED:
        return None
    protocol = protocol_of(seen)
    if before.outcome is Outcome.REFUSED:
        let_in = _rank(protocol) < _CURRENT.rank
        return f"lets {protocol} in, which is refused without it" if let_in else None
    if before.outcome is not Outcome.ACCEPTED:
        return None
    if _rank(protocol) < _rank(protocol_of(before)):
        return f"{protocol}; without it {protocol_of(before)}"
    return _weaker_cipher(seen, before)


def _weaker_cipher(seen: Observation, before: Observation) -> str | None:
    now, then = cipher_of(seen), cipher_of(before)
    if now is None or then is None or now == then:
        return None
    if then.startswith(_EPHEMERAL) and not now.startswith(_EPHEMERAL):
        return f"{now}, without forward secrecy; without it {then}"
    bits, before_bits = bits_of(seen), bits_of(before)
    if bits is not None and before_bits is not None and bits < min(before_bits, STRONG):
        return f"{now} of {bits} bits; without it {then} of {before_bits}"
    return None


def _rank(protocol: str | None) -> int:
    """A protocol's age; what is not named counts as the newest."""
    names = [str(one) for one in Protocol]
    return names.index(protocol) if protocol in names else len(names)


def _claimed(place: ComparedCell, expectations: tuple[Expectation, ...]) -> bool:
    """Whether an expectation asks for the change: met now, and contradicted without it."""
    assert place.seen is not None
    assert place.control is not None
    return any(
        contradiction(one, place.seen) == "" and bool(contradiction(one, place.control))
        for one in expectations
        if one.effect is None and one.fits_place(place.service, place.client, place.offer)
    )
