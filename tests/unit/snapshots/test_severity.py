"""Worse and better: the same answers as the rules of regressions, and never both at once."""

from __future__ import annotations

from itertools import product

import pytest

from harness.observations.record import Observation, TlsView
from harness.outcomes import Outcome
from harness.snapshots.findings import Finding, find_change
from harness.snapshots.severity import is_better, is_worse
from harness.snapshots.values import CellPlace, CellValues, SessionLevel, Strength
from harness.verdicts.judging import ComparedCell
from harness.verdicts.regressions import find_regressions

SESSIONS = [
    (protocol, cipher, bits)
    for protocol in ("SSLv3", "TLSv1", "TLSv1.2")
    for cipher, bits in (
        ("ECDHE-RSA-AES256-GCM-SHA384", 256),
        ("AES128-SHA", 128),
        ("DES-CBC-SHA", 56),
    )
] + [("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)]


def observation(outcome: Outcome, session: tuple[str, str, int] | None = None) -> Observation:
    """One cell of the offer ``default``."""
    view = TlsView(*session) if session else None
    return Observation(
        "debian-12/x/smtp/c/default", "debian-12", "x", "sha256:x", "smtp", "c", "default",
        outcome, reason="closed" if outcome is Outcome.REFUSED else None,
        client_saw=view, server_saw=view, agree=True if view else None,
    )  # fmt: skip


EVERY = [observation(Outcome.ACCEPTED, session) for session in SESSIONS] + [
    observation(outcome)
    for outcome in (
        Outcome.REFUSED, Outcome.PLAINTEXT, Outcome.NOT_OFFERED, Outcome.CONFIG_REJECTED
    )
]  # fmt: skip


def test_every_regression_is_broken() -> None:
    """Protects the rule that one change is not worse here and harmless there.

    All pairs of results of a client as its user runs it, by the rules of verdicts and by these.
    """
    different = 0
    for before, now in product(EVERY, EVERY):
        compared = ComparedCell(now.cell, now.service, now.client, now.offer, now, before)
        is_regression = bool(find_regressions([compared], ()))
        was, values = SessionLevel().values(before), SessionLevel().values(now)
        assert was is not None
        assert values is not None
        assert is_worse("default", was, values) is is_regression, (before, now)
        different += is_regression
    assert different > 50


def test_nothing_is_worse_than_itself_and_better_is_never_worse() -> None:
    """Protects the labels: a cell has exactly one."""
    values = [value for each in EVERY if (value := SessionLevel().values(each))]
    for offer in ("default", "TLSv1.3", "TLSv1", "plaintext"):
        for was, now in product(values, values):
            assert not (is_worse(offer, was, now) and is_better(offer, was, now))
        assert not any(is_worse(offer, each, each) for each in values)


ACCEPTED_13 = CellValues(Outcome.ACCEPTED, protocol="TLSv1.3", strength=Strength.STRONG)
ACCEPTED_10 = CellValues(Outcome.ACCEPTED, protocol="TLSv1", strength=Strength.STRONG)
REFUSED = CellValues(Outcome.REFUSED, "protocol-version")
CLOSED = CellValues(Outcome.REFUSED, "closed")
PLAIN = CellValues(Outcome.PLAINTEXT)


@pytest.mark.parametrize(
    ("offer", "was", "now", "finding"),
    [
        ("TLSv1.3", ACCEPTED_13, REFUSED, Finding.BROKEN),
        ("TLSv1.3", REFUSED, ACCEPTED_13, Finding.FIXED),
        ("TLSv1", ACCEPTED_10, REFUSED, Finding.FIXED),
        ("TLSv1", REFUSED, ACCEPTED_10, Finding.BROKEN),
        ("default", ACCEPTED_10, REFUSED, Finding.BROKEN),
        ("plaintext", PLAIN, REFUSED, Finding.FIXED),
        ("plaintext", REFUSED, PLAIN, Finding.BROKEN),
        ("TLSv1", REFUSED, CLOSED, Finding.CHANGED),
        ("default", ACCEPTED_13, ACCEPTED_10, Finding.BROKEN),
        ("default", ACCEPTED_10, ACCEPTED_13, Finding.FIXED),
    ],
)
def test_a_change_has_the_label_that_an_administrator_expects(
    offer: str, was: CellValues, now: CellValues, finding: Finding
) -> None:
    """Protects the meaning: refusing TLSv1 is no fault, refusing TLSv1.3 is one."""
    assert find_change(CellPlace("b", "smtp", "c", offer), was, now) is finding
