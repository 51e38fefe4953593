"""The run's own test PKI: a CA, server certificates below it, and DH parameters.

Made anew for each run, so no key of ours ever lies about. Names are those of RFC 2606's ``.test``.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import NameOID

from harness.config.keyfiles import FileKind
from harness.targets.dh_groups import dh_parameters

#: The name in the server certificate; clients check it.
SERVER_NAME = "mx.test"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey
_KEYS: dict[str, Callable[[], PrivateKey]] = {
    "RSA": lambda: _rsa(2048),
    "RSA, 1024 bits": lambda: _rsa(1024),
    "RSA, 4096 bits": lambda: _rsa(4096),
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EC, P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "DSA": lambda: dsa.generate_private_key(key_size=2048),
}
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its key, both PEM."""

    certificate: str
    key: str


class Pki:
    """A run's CA, and the certificates and parameters below it, each made when first asked for.

    Certificates are for :data:`SERVER_NAME`. Safe for threads.
    """

    def __init__(self) -> None:
        self._ca_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._ca = _make_ca(self._ca_key)
        self._pairs: dict[str, KeyPair] = {}
        self._lock = threading.Lock()

    @property
    def ca(self) -> str:
        """The CA's certificate, PEM."""
        return _pem(self._ca)

    def pair(self, which: str) -> KeyPair:
        """The server's certificate and key: ``RSA``, ``EC`` (P-256), ``EC, P-384`` and others."""
        with self._lock:
            if which not in self._pairs:
                self._pairs[which] = self._issue(_KEYS[which]())
            return self._pairs[which]

    def text(self, kind: FileKind) -> str:
        """What a file of a kind holds, PEM; the kind's own words say it.

        Raises:
            KeyError: there is no such thing, as of a file that is to be missing.
        """
        what, _, variant = kind.value.partition(", ")
        if kind is FileKind.CA:
            return self.ca
        if what == "DH parameters":
            return dh_parameters(int(variant.split()[0]))
        if kind in (FileKind.EXPIRED, FileKind.SELF_SIGNED):
            return self._bad_certificate(kind)
        algorithm, _, part = what.partition(" ")
        pair = self.pair(f"{algorithm}, {variant}" if variant else algorithm)
        # postconf(5), smtpd_tls_chain_files: the key first.
        texts = {
            "certificate": pair.certificate,
            "key": pair.key,
            "key and certificate": pair.key + pair.certificate,
        }
        return texts[part]

    def _bad_certificate(self, kind: FileKind) -> str:
        """A certificate of the common RSA key that no client should trust."""
        key = serialization.load_pem_private_key(self.pair("RSA").key.encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        if kind is FileKind.EXPIRED:
            return self._issue(key, ends=-_DAY).certificate
        return _pem(_certificate(key, _name(SERVER_NAME), key, 30 * _DAY))

    def _issue(self, key: PrivateKey, *, ends: datetime.timedelta = 30 * _DAY) -> KeyPair:
        return KeyPair(
            certificate=_pem(_certificate(key, self._ca.subject, self._ca_key, ends)),
            key=key.private_bytes(
                serialization.Encoding.PEM,
                # The traditional form, since OpenSSL 0.9.8 is among those who read it.
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            ).decode(),
        )


def _rsa(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _make_ca(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = _name("postfix-matrix test CA")
    return (
        _builder(name, name, key, 30 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    key: PrivateKey, issuer: x509.Name, issuer_key: rsa.RSAPrivateKey, ends: datetime.timedelta
) -> x509.Certificate:
    """A server's certificate that ends so long after now."""
    names = [x509.DNSName(SERVER_NAME), x509.DNSName(f"*.{SERVER_NAME}")]
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        _builder(_name(SERVER_NAME), issuer, key, ends)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(authority, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, ends: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 3 * _DAY)
        .not_valid_after(now + ends)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_encipherment=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
