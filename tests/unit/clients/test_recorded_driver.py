"""The limits that recorded clients are known to have, applied to what a server chose."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from harness.catalog.recordings import KeyLimits
from harness.clients.contract import BY_CLIENT, ClientResult
from harness.clients.recorded_driver import apply_limits
from harness.tls import Protocol

CHOSEN = ClientResult("c", "would-negotiate", protocol="TLSv1", cipher="DHE-RSA-AES256-SHA",
                      prime_bits=2048)  # fmt: skip


def make_certificate() -> str:
    """A certificate with an RSA key of 1024 bits, signed with SHA-256, PEM."""
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("limits", "objection"),
    [
        (KeyLimits(), ""),
        (KeyLimits(max_dh_bits=2048, min_dh_bits=2048), ""),
        (KeyLimits(max_dh_bits=1024), "DH prime of 2048 bits > its largest, 1024"),
        (KeyLimits(min_dh_bits=3072), "DH prime of 2048 bits < its smallest, 3072"),
        (KeyLimits(lowest=Protocol.TLSv1_2), "TLSv1 is older than its oldest version, TLSv1.2"),
        (KeyLimits(min_rsa_bits=2048), "RSA key of 1024 bits < its smallest, 2048"),
        (KeyLimits(max_rsa_bits=512), "RSA key of 1024 bits > its largest, 512"),
        (KeyLimits(min_ecdsa_bits=256, requires_sha2=True), ""),
    ],
)
def test_limits_are_applied_and_named(limits: KeyLimits, objection: str) -> None:
    """Protects the answer for old clients: what a server chose may still be too much for them."""
    result = apply_limits(replace(CHOSEN, peer_certificate=make_certificate()), limits)
    assert result.outcome == ("would-be-refused" if objection else "would-negotiate")
    assert result.error == (f"{BY_CLIENT}{objection}" if objection else None)


def test_a_result_without_a_choice_is_left_alone() -> None:
    """Protects time-outs and alerts: only a choice can be beyond a limit."""
    result = ClientResult("c", "timeout")
    assert apply_limits(result, KeyLimits(max_dh_bits=1)) is result
