"""The run's PKI: each kind of file is what its name says."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from harness.postfix_config.key_files import FileKind
from harness.targets.pki import Pki


@pytest.fixture(scope="module")
def pki() -> Pki:
    """One for all, since keys take time to make."""
    return Pki()


@pytest.mark.parametrize("kind", [kind for kind in FileKind if kind is not FileKind.MISSING])
def test_each_kind_that_can_be_asked_for_can_be_made(pki: Pki, kind: FileKind) -> None:
    """Protects runs: each kind of file of a scenario is known before it is needed."""
    text = pki.text(kind)
    assert text.startswith("-----BEGIN ")
    assert ("PRIVATE KEY" in text) == ("key" in kind.value)
    assert ("CERTIFICATE" in text) == ("certificate" in kind.value)


@pytest.mark.parametrize(
    ("certificate", "key", "size"),
    [
        (FileKind.RSA_CERTIFICATE, FileKind.RSA_KEY, 2048),
        (FileKind.RSA_1024_CERTIFICATE, FileKind.RSA_1024_KEY, 1024),
        (FileKind.RSA_4096_CERTIFICATE, FileKind.RSA_4096_KEY, 4096),
        (FileKind.EC_CERTIFICATE, FileKind.EC_KEY, 256),
        (FileKind.P384_CERTIFICATE, FileKind.P384_KEY, 384),
        (FileKind.DSA_CERTIFICATE, FileKind.DSA_KEY, 2048),
        (FileKind.EXPIRED, FileKind.RSA_KEY, 2048),
        (FileKind.SELF_SIGNED, FileKind.RSA_KEY, 2048),
    ],
)
def test_a_certificate_and_its_key_belong_together(
    pki: Pki, certificate: FileKind, key: FileKind, size: int
) -> None:
    """Protects what is measured: a key of another size would be another finding."""
    public = x509.load_pem_x509_certificate(pki.text(certificate).encode()).public_key()
    private = load_pem_private_key(pki.text(key).encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey)
    assert public == private.public_key()
    assert private.key_size == size


def test_the_bad_certificates_are_bad_in_one_way_each(pki: Pki) -> None:
    """Protects causes: the expired one is the CA's, and the self-signed one is in time."""
    now = datetime.datetime.now(datetime.UTC)
    ca = x509.load_pem_x509_certificate(pki.ca.encode())
    expired = x509.load_pem_x509_certificate(pki.text(FileKind.EXPIRED).encode())
    self_signed = x509.load_pem_x509_certificate(pki.text(FileKind.SELF_SIGNED).encode())
    expired.verify_directly_issued_by(ca)
    assert expired.not_valid_after_utc < now
    self_signed.verify_directly_issued_by(self_signed)
    assert self_signed.not_valid_after_utc > now
