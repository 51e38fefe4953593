"""A certificate's facts: whose key, how large, signed how. Nothing is verified."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from harness.scan.result import Certificate
from harness.tls import Protocol


def read(der: bytes, seen: Sequence[Protocol]) -> Certificate:
    """The facts of one.

    Raises:
        ValueError: it is no certificate that ``cryptography`` reads.
    """
    found = x509.load_der_x509_certificate(der)
    key, bits = _key(found)
    return Certificate(
        key=key,
        bits=bits,
        signature=_signature(found),
        subject=_plain(found.subject.rfc4514_string()),
        issuer=_plain(found.issuer.rfc4514_string()),
        expires=found.not_valid_after_utc.date().isoformat(),
        sha256=hashlib.sha256(der).hexdigest(),
        seen=tuple(sorted(seen, key=lambda one: one.rank)),
    )


def _key(found: x509.Certificate) -> tuple[str, int | None]:
    match found.public_key():
        case rsa.RSAPublicKey() as key:
            pss = found.public_key_algorithm_oid == x509.PublicKeyAlgorithmOID.RSASSA_PSS
            return "RSA-PSS" if pss else "RSA", key.key_size
        case ec.EllipticCurvePublicKey() as key:
            return f"EC {key.curve.name}", key.curve.key_size
        case dsa.DSAPublicKey() as key:
            return "DSA", key.key_size
        case ed25519.Ed25519PublicKey():
            return "Ed25519", 256
        case ed448.Ed448PublicKey():
            return "Ed448", 456
        case other:
            return type(other).__name__.removesuffix("PublicKey"), None


def _signature(found: x509.Certificate) -> str:
    """The algorithm's name as its object identifier has it, or the identifier itself."""
    oid = found.signature_algorithm_oid
    names = {
        value: name.lower().replace("_", "-")
        for name, value in vars(x509.SignatureAlgorithmOID).items()
        if isinstance(value, x509.ObjectIdentifier)
    }
    return names.get(oid, oid.dotted_string)


def _plain(text: str) -> str:
    """A stranger's words, so that they cannot drive a terminal."""
    return "".join(one if one.isprintable() else "?" for one in text)
