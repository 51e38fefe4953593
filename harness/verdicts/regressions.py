"""Where a configuration makes a cell worse than the baseline, and no expectation asks for it.

Weaker: an older protocol, a cipher without forward secrecy or with fewer bits than before,
plaintext instead of TLS, or an old version accepted that was refused. Less deliverable: a client as
its user runs it (offer ``default``) delivered its mail, and does not any more.
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
    find_contradiction,
    find_unmeasured,
)
from harness.verdicts.observation_diff import (
    UNOBSERVED,
    bits_of,
    cipher_of,
    has_forward_secrecy,
    protocol_of,
)

#: The bits that RFC 9325 (section 4.1) requires; a change above them makes nothing weaker.
STRONG = 112
#: The oldest version that RFC 8996 allows.
_CURRENT = Protocol.TLSv1_2


class RegressionKind(StrEnum):
    """What became worse."""

    WEAKER = "weaker"
    LESS_DELIVERABLE = "less deliverable"


@dataclass(frozen=True, slots=True)
class Regression:
    """A cell that is worse than under the baseline configuration."""

    cell: str
    kind: RegressionKind
    what: str


def find_regressions(
    cells: Iterable[ComparedCell], expectations: Iterable[Expectation]
) -> tuple[Regression, ...]:
    """What became worse in cells where no expectation asks for exactly that."""
    expected = tuple(expectations)
    candidates = ((cell, _find_regression(cell)) for cell in cells)
    return tuple(
        regression
        for cell, regression in candidates
        if regression is not None and not _is_claimed(cell, expected)
    )


def _find_regression(compared: ComparedCell) -> Regression | None:
    observation, before = compared.observation, compared.baseline
    if observation is None or before is None or find_unmeasured(compared) is not None:
        return None
    if before.outcome in UNOBSERVED or before.agree is False:
        return None
    if what := _describe_weaker(observation, before):
        return Regression(compared.cell, RegressionKind.WEAKER, what)
    if (
        compared.offer == DEFAULT
        and before.outcome in DELIVERED
        and observation.outcome not in DELIVERED
    ):
        reason = f" ({observation.reason})" if observation.reason else ""
        what = f"{observation.outcome}{reason}; without it the mail gets through"
        return Regression(compared.cell, RegressionKind.LESS_DELIVERABLE, what)
    return None


def _describe_weaker(observation: Observation, before: Observation) -> str | None:
    if observation.outcome is Outcome.PLAINTEXT and before.outcome is not Outcome.PLAINTEXT:
        return f"plaintext; without it {before.outcome}"
    if observation.outcome is not Outcome.ACCEPTED:
        return None
    protocol = protocol_of(observation)
    if before.outcome is Outcome.REFUSED:
        let_in = protocol_rank(protocol) < _CURRENT.rank
        return f"lets {protocol} in, which is refused without it" if let_in else None
    if before.outcome is not Outcome.ACCEPTED:
        return None
    if protocol_rank(protocol) < protocol_rank(protocol_of(before)):
        return f"{protocol}; without it {protocol_of(before)}"
    return _describe_weaker_cipher(observation, before)


def _describe_weaker_cipher(observation: Observation, before: Observation) -> str | None:
    now, then = cipher_of(observation), cipher_of(before)
    if now is None or then is None or now == then:
        return None
    had, has = has_forward_secrecy(None, then), has_forward_secrecy(None, now)
    if had and not has:
        return f"{now}, without forward secrecy; without it {then}"
    bits, before_bits = bits_of(observation), bits_of(before)
    if bits is not None and before_bits is not None and bits < min(before_bits, STRONG):
        return f"{now} of {bits} bits; without it {then} of {before_bits}"
    return None


def protocol_rank(protocol: str | None) -> int:
    """A protocol's place in order of age; one without a name counts as the newest."""
    names = [str(version) for version in Protocol]
    return names.index(protocol) if protocol in names else len(names)


def _is_claimed(compared: ComparedCell, expectations: tuple[Expectation, ...]) -> bool:
    """Whether an expectation asks for the change: met now, and contradicted by the baseline."""
    assert compared.observation is not None
    assert compared.baseline is not None
    return any(
        find_contradiction(expectation, compared.observation) == ""
        and bool(find_contradiction(expectation, compared.baseline))
        for expectation in expectations
        if expectation.effect is None
        and expectation.fits_place(compared.service, compared.client, compared.offer)
    )
