"""The run's test PKI: a CA, server certificates below it, and DH parameters.

It is generated for each run, so no private key is kept. Names are in ``.test`` (RFC 2606).
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import NameOID

from harness.postfix_config.key_files import FileKind
from harness.scenarios.placeholders import fingerprint_values
from harness.targets.dh_groups import dh_parameters
from harness.tls import ClientCertificate

#: The name in the server certificate; clients check it.
SERVER_NAME = "mx.test"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey
_KEYS: dict[str, Callable[[], PrivateKey]] = {
    "RSA": lambda: _make_rsa_key(2048),
    "RSA, 1024 bits": lambda: _make_rsa_key(1024),
    "RSA, 4096 bits": lambda: _make_rsa_key(4096),
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EC, P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "DSA": lambda: dsa.generate_private_key(key_size=2048),
}
Value = TypeVar("Value")
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its key, both PEM."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA that signs certificates: its certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


class Pki:
    """A run's CA, and the certificates and parameters below it, each made when first requested.

    Certificates are for :data:`SERVER_NAME` unless stated otherwise. Safe for threads.
    """

    def __init__(self) -> None:
        self._ca = _make_ca("postfix-matrix test CA")
        self._values: dict[Hashable, Any] = {}
        self._lock = threading.RLock()

    @property
    def ca(self) -> str:
        """The CA's certificate, PEM."""
        return _to_pem(self._ca.certificate)

    @property
    def intermediate_ca(self) -> str:
        """The certificate of the CA below it, PEM."""
        return _to_pem(self._intermediate_issuer.certificate)

    def pair(self, which: str) -> KeyPair:
        """The server's certificate and key: ``RSA``, ``EC`` (P-256), ``EC, P-384`` and others."""
        return self._make_once(("pair", which), lambda: self._issue_pair(_KEYS[which]()))

    def client_pair(self, which: ClientCertificate) -> KeyPair:
        """The certificate that a client presents, and its key; it is for ``WHICH.client.test``.

        That of ``untrusted`` is issued by a CA that no server trusts.
        """
        untrusted = which is ClientCertificate.UNTRUSTED

        def make() -> KeyPair:
            issuer = self._untrusted_issuer if untrusted else self._ca
            return self._issue_pair(_make_rsa_key(2048), f"{which}.client.test", issuer)

        return self._make_once(("client", which), make)

    def fingerprints(self) -> dict[str, str]:
        """The values of a scenario's placeholders in this run (``scenarios.placeholders``)."""
        certificates = {
            "listed-client": self.client_pair(ClientCertificate.LISTED).certificate,
            "peer": self.pair("RSA").certificate,
            "self-signed-peer": self.text(FileKind.SELF_SIGNED),
        }
        return {
            name: value
            for whose, text in certificates.items()
            for name, value in fingerprint_values(whose, text).items()
        }

    def text(self, kind: FileKind) -> str:
        """The content of a file of a kind, PEM; the kind's value describes it.

        Raises:
            KeyError: such a file has no content, for example one that must be missing.
        """
        what, _, variant = kind.value.partition(", ")
        if what == "CA certificate":
            return self.intermediate_ca if variant else self.ca
        if what == "DH parameters":
            return dh_parameters(int(variant.split()[0]))
        algorithm, _, part = what.partition(" ")
        key, certificate = self._key_and_certificate(kind, algorithm, variant)
        # postconf(5), smtpd_tls_chain_files: the key first.
        texts = {"certificate": certificate, "key": key, "key and certificate": key + certificate}
        return texts[part]

    def _key_and_certificate(self, kind: FileKind, algorithm: str, variant: str) -> tuple[str, str]:
        """The key of a kind, and the certificate or chain for it; both PEM."""
        named = f"{algorithm}, {variant}" if variant else algorithm
        if named in _KEYS:
            pair = self.pair(named)
            return pair.key, pair.certificate
        common = self.pair(algorithm)
        return common.key, self._make_once(
            ("variant", named), lambda: self._make_variant(common.key, kind.host, variant)
        )

    def _make_variant(self, key_text: str, host: str | None, variant: str) -> str:
        """A variant of the certificate for a common key."""
        key = serialization.load_pem_private_key(key_text.encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        if host is not None:
            return self._issue_pair(key, host).certificate
        if variant == "expired":
            return self._issue_pair(key, ends=-_DAY).certificate
        if variant == "self-signed":
            assert isinstance(key, rsa.RSAPrivateKey)
            return _to_pem(
                _make_certificate(key, SERVER_NAME, _make_name(SERVER_NAME), key, 30 * _DAY)
            )
        if variant == "of another CA":
            return self._issue_pair(key, issuer=self._untrusted_issuer).certificate
        below = self._issue_pair(key, issuer=self._intermediate_issuer).certificate
        return {
            "below an intermediate": below,
            "with its intermediate": below + self.intermediate_ca,
        }[variant]

    @property
    def _intermediate_issuer(self) -> Issuer:
        """The CA below the run's CA."""
        return self._make_once(
            "intermediate", lambda: _make_ca("postfix-matrix intermediate CA", self._ca)
        )

    @property
    def _untrusted_issuer(self) -> Issuer:
        """A CA that neither servers nor clients trust."""
        return self._make_once("stranger", lambda: _make_ca("a CA that nobody knows"))

    def _make_once(self, name: Hashable, make: Callable[[], Value]) -> Value:
        with self._lock:
            if name not in self._values:
                self._values[name] = make()
            made: Value = self._values[name]
            return made

    def _issue_pair(
        self,
        key: PrivateKey,
        host: str = SERVER_NAME,
        issuer: Issuer | None = None,
        *,
        ends: datetime.timedelta = 30 * _DAY,
    ) -> KeyPair:
        issuer = issuer or self._ca
        subject = issuer.certificate.subject
        return KeyPair(
            certificate=_to_pem(_make_certificate(key, host, subject, issuer.key, ends)),
            key=key.private_bytes(
                serialization.Encoding.PEM,
                # The traditional format, since OpenSSL 0.9.8 has to read it too.
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            ).decode(),
        )


def _make_rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _make_ca(common_name: str, above: Issuer | None = None) -> Issuer:
    """Make a CA: a root, or one below another."""
    key, name = _make_rsa_key(2048), _make_name(common_name)
    issuer = above.certificate.subject if above else name
    certificate = (
        _start_certificate(name, issuer, key, 30 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0 if above else 1), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(above.key if above else key, hashes.SHA256())
    )
    return Issuer(certificate, key)


def _make_certificate(
    key: PrivateKey,
    host: str,
    issuer: x509.Name,
    issuer_key: rsa.RSAPrivateKey,
    ends: datetime.timedelta,
) -> x509.Certificate:
    """Make a certificate for a host (for the server, also for names below it)."""
    further = [x509.DNSName(f"*.{host}")] if host == SERVER_NAME else []
    names = [x509.DNSName(host), *further]
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        _start_certificate(_make_name(host), issuer, key, ends)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(authority, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _start_certificate(
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


def _make_name(common_name: str) -> x509.Name:
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


def _to_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
