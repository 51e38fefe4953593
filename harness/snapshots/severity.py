"""Whether a change makes a cell worse: the rules of regressions, for what a snapshot keeps.

``verdicts.regressions`` has the rules for observations; a test holds both to the same answers. Here
a cell may also lose delivery that only an offer of TLSv1.2 or newer shows, and mail that Postfix
sends may lose trust in its destination.
"""

from __future__ import annotations

from harness.observations.record import Outcome
from harness.scenarios.expectations import DELIVERED, Trust
from harness.snapshots.values import CellValues, PolicyResult, Strength
from harness.tls import Offer, Protocol
from harness.verdicts.regressions import protocol_rank

_BROKEN_STRENGTHS = (Strength.NONE, Strength.WEAK)


def is_worse(offer: str, before: CellValues, after: CellValues) -> bool:
    """Whether a cell with this offer became weaker, or no longer delivers what it should."""
    if before.policy is not None or after.policy is not None:
        return before.policy is PolicyResult.MET and after.policy is PolicyResult.NOT_MET
    return _is_weaker(before, after) or _delivers_less(offer, before, after)


def is_better(offer: str, before: CellValues, after: CellValues) -> bool:
    """Whether the reverse change would be worse, and the change itself is not."""
    return is_worse(offer, after, before) and not is_worse(offer, before, after)


def _is_weaker(before: CellValues, after: CellValues) -> bool:
    if after.outcome is Outcome.PLAINTEXT:
        return before.outcome is not Outcome.PLAINTEXT
    if after.outcome is not Outcome.ACCEPTED:
        return False
    if before.outcome is Outcome.REFUSED:
        return protocol_rank(after.protocol) < Protocol.TLSv1_2.rank
    if before.outcome is not Outcome.ACCEPTED:
        return False
    return (
        protocol_rank(after.protocol) < protocol_rank(before.protocol)
        or (before.forward_secrecy is True and after.forward_secrecy is False)
        or _is_weaker_cipher(before.strength, after.strength)
        or _trust_rank(after) < _trust_rank(before)
    )


def _is_weaker_cipher(before: Strength | None, after: Strength | None) -> bool:
    """Whether less than RFC 9325 requires is left (section 4.1), and it was more before."""
    if before is None or after is None:
        return False
    return after in _BROKEN_STRENGTHS and after.rank < before.rank


def _trust_rank(values: CellValues) -> int:
    """The place of smtp(8)'s trust in its destination; one without a name has the lowest."""
    names = [str(trust) for trust in Trust]
    return names.index(values.trust) if values.trust in names else -1


def _delivers_less(offer: str, before: CellValues, after: CellValues) -> bool:
    if before.outcome not in DELIVERED or after.outcome in DELIVERED:
        return False
    if after.outcome is Outcome.HUNG_UP:
        return False
    parsed = Offer.parse(offer)
    if parsed.plaintext:
        return False
    if parsed.lowest is None:
        return True
    is_current = protocol_rank(before.protocol) >= Protocol.TLSv1_2.rank
    return is_current and before.strength not in _BROKEN_STRENGTHS
