"""What a snapshot keeps of a cell: at each level, and never of a cell that shows nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.catalog.ciphers import all_ciphers
from harness.errors import UsageError
from harness.observations.record import TlsView
from harness.outcomes import Outcome
from harness.scenarios.policies import load_policies
from harness.snapshots.values import (
    CellPlace,
    PolicyResult,
    SessionLevel,
    Strength,
    parse_level,
    strength_of,
)
from harness.verdicts.observation_diff import has_forward_secrecy
from tests.unit.snapshots.sample_server import observe

PLACE = CellPlace("debian-12", "smtp", "openssl-3.5.7", "TLSv1.2")
ACCEPTED = observe(PLACE, "candidate", Outcome.ACCEPTED, protocol="TLSv1.2")


def test_a_cipher_order_is_no_behaviour() -> None:
    """Protects users from noise: another strong cipher changes ``exact`` only."""
    other = replace(ACCEPTED, client_saw=TlsView("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", 128))
    assert SessionLevel().values(ACCEPTED) == SessionLevel().values(other)
    exact = SessionLevel(exact=True)
    assert exact.values(ACCEPTED) != exact.values(other)


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.TIMEOUT, Outcome.CLIENT_INCAPABLE])
@pytest.mark.parametrize("level", ["behaviour", "exact", "policy tls12-or-newer"])
def test_a_cell_that_shows_nothing_is_not_kept(outcome: Outcome, level: str) -> None:
    """Protects the file from the harness's own faults, which would be differences ever after."""
    observation = replace(ACCEPTED, outcome=outcome)
    assert parse_level(level, load_policies()).values(observation) is None


def test_a_disagreement_of_the_two_sides_is_not_kept() -> None:
    """Protects rows from values on which the two sides disagree."""
    assert SessionLevel().values(replace(ACCEPTED, agree=False)) is None


@pytest.mark.parametrize(
    ("cipher", "strength", "secret"),
    [
        ("ECDHE-RSA-AES256-GCM-SHA384", Strength.STRONG, True),
        ("AES128-SHA", Strength.STRONG, False),
        ("DES-CBC3-SHA", Strength.MEDIUM, False),
        ("EDH-RSA-DES-CBC3-SHA", Strength.MEDIUM, True),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", Strength.MEDIUM, False),
        ("RC4-MD5", Strength.WEAK, False),
        ("EXP-RC4-MD5", Strength.WEAK, False),
        ("EDH-RSA-DES-CBC-SHA", Strength.WEAK, True),
        ("NULL-SHA", Strength.NONE, False),
        ("AECDH-AES256-SHA", Strength.STRONG, True),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", Strength.STRONG, True),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", Strength.STRONG, False),
        ("TLS_AES_128_GCM_SHA256", Strength.STRONG, True),
    ],
)
def test_strength_and_forward_secrecy_follow_the_suite(
    cipher: str, strength: Strength, secret: bool
) -> None:
    """Protects the classes: what RFC 9325 forbids is weak, whatever bits a library counts."""
    assert strength_of(cipher, 256) is strength
    assert has_forward_secrecy("TLSv1.2", cipher) is secret


def test_every_known_suite_has_a_strength() -> None:
    """Protects the table: no suite of any library falls through the rules."""
    known = [cipher for cipher in all_ciphers() if cipher.bits is not None]
    assert len(known) > 300
    assert all(strength_of(cipher.name, None) for cipher in known)


def test_the_policy_level_keeps_whether_it_is_met() -> None:
    """Protects the third level: only a cell that crosses the policy changes."""
    level = parse_level("policy tls12-or-newer", load_policies())
    old = observe(replace_offer("TLSv1"), "candidate", Outcome.ACCEPTED, protocol="TLSv1")
    refused = observe(replace_offer("TLSv1"), "candidate", Outcome.REFUSED, "protocol-version")
    values = [level.values(cell) for cell in (ACCEPTED, old, refused)]
    assert [value.policy for value in values if value] == [
        PolicyResult.MET, PolicyResult.NOT_MET, PolicyResult.MET
    ]  # fmt: skip
    assert level.offers


def replace_offer(offer: str) -> CellPlace:
    """The place with another offer."""
    return replace(PLACE, offer=offer)


@pytest.mark.parametrize("text", ["", "everything", "policy", "policy no-such", "exact more"])
def test_an_unknown_level_is_refused(text: str) -> None:
    """Protects users from a snapshot that keeps something else than they think."""
    with pytest.raises(UsageError, match="level"):
        parse_level(text, load_policies())
