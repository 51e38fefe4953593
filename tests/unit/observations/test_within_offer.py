"""Whether a session lies within what its client was told to offer."""

from __future__ import annotations

import pytest

from harness.observations.record import TlsView
from harness.observations.within_offer import outside_offer
from harness.tls import Offer

ECDHE = TlsView("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", 128, "prime256v1")


@pytest.mark.parametrize(
    "offer",
    [
        "default",
        "TLSv1.2",
        "SSLv3..TLSv1.3",
        "TLSv1.2+ciphers=AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256",
        "TLSv1.2+groups=X25519:P-256",
        "TLSv1.2+ciphers=ECDHE-RSA-AES128-GCM-SHA256+groups=secp256r1",
    ],
)
def test_what_was_offered_is_within(offer: str) -> None:
    """Protects accepted cells: a name of a group that means the same is the same."""
    assert outside_offer(Offer.parse(offer), ECDHE) is None


@pytest.mark.parametrize(
    ("offer", "stray"),
    [
        ("SSLv3", "TLSv1.2"),
        ("TLSv1.3", "TLSv1.2"),
        ("TLSv1.2+ciphers=AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("TLSv1.2+groups=X25519", "prime256v1"),
        ("TLSv1..TLSv1.2+ciphers=AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256"),
    ],
)
def test_a_pin_that_was_ignored_is_named(offer: str, stray: str) -> None:
    """Protects against software that has no option for a cipher list, and "succeeds"."""
    assert outside_offer(Offer.parse(offer), ECDHE) == stray


def test_of_what_is_not_known_nothing_is_said() -> None:
    """Protects against guessing: old logs name no group, and DHE's primes have no name."""
    offer = Offer.parse("TLSv1.2+ciphers=DHE-RSA-AES128-SHA+groups=X25519")
    assert outside_offer(offer, None) is None
    assert outside_offer(offer, TlsView("TLSv1.2")) is None
    assert outside_offer(offer, TlsView("TLSv1.2", "DHE-RSA-AES128-SHA", 128, "2048 bits")) is None
