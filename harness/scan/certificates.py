"""The facts of a certificate: its key and size, its signature, its names. Nothing is verified."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from harness.scan.result import Certificate
from harness.tls import Protocol


def read_certificate(der: bytes, versions: Sequence[Protocol]) -> Certificate:
    """The facts of a DER certificate that was received in these versions.

    Raises:
        ValueError: ``cryptography`` cannot read it.
    """
    certificate = x509.load_der_x509_certificate(der)
    key, bits = _describe_key(certificate)
    return Certificate(
        key=key,
        bits=bits,
        signature=_signature_name(certificate),
        subject=_replace_control_characters(certificate.subject.rfc4514_string()),
        issuer=_replace_control_characters(certificate.issuer.rfc4514_string()),
        expires=certificate.not_valid_after_utc.date().isoformat(),
        sha256=hashlib.sha256(der).hexdigest(),
        seen=tuple(sorted(versions, key=lambda version: version.rank)),
    )


def _describe_key(certificate: x509.Certificate) -> tuple[str, int | None]:
    match certificate.public_key():
        case rsa.RSAPublicKey() as key:
            pss = certificate.public_key_algorithm_oid == x509.PublicKeyAlgorithmOID.RSASSA_PSS
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


def _signature_name(certificate: x509.Certificate) -> str:
    """The name of the algorithm's object identifier, or the identifier itself."""
    oid = certificate.signature_algorithm_oid
    names = {
        value: name.lower().replace("_", "-")
        for name, value in vars(x509.SignatureAlgorithmOID).items()
        if isinstance(value, x509.ObjectIdentifier)
    }
    return names.get(oid, oid.dotted_string)


def _replace_control_characters(text: str) -> str:
    """Text from a server, in which no control character can affect the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
