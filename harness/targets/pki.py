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
from cryptography.hazmat.primitives.asymmetric import dh, dsa, ec, rsa
from cryptography.x509.oid import NameOID

from harness.config.keyfiles import FileKind

#: The name in the server certificate; clients check it.
SERVER_NAME = "mx.test"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey
_KEYS: dict[str, Callable[[], PrivateKey]] = {
    "RSA": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "DSA": lambda: dsa.generate_private_key(key_size=2048),
}

# RFC 3526, section 3: the 2048-bit MODP group, which every OpenSSL since 0.9.8 takes.
_MODP_2048 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404"
    "DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406"
    "B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD"
    "24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E46"
    "2E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D226"
    "1898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its key, both PEM."""

    certificate: str
    key: str


class Pki:
    """A run's CA, and the certificates and parameters below it, each made when first asked for.

    Certificates are for :data:`SERVER_NAME`: RSA-2048, P-256 and DSA-2048. Safe for threads.
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

    def pair(self, algorithm: str) -> KeyPair:
        """The server's certificate with an ``RSA``, ``EC`` or ``DSA`` key."""
        with self._lock:
            if algorithm not in self._pairs:
                self._pairs[algorithm] = _issue(_KEYS[algorithm](), self._ca, self._ca_key)
            return self._pairs[algorithm]

    def text(self, kind: FileKind) -> str:
        """What a file of a kind holds, PEM."""
        if kind is FileKind.CA:
            return self.ca
        if kind in (FileKind.DH_2048, FileKind.DH_512):
            return dh_parameters(2048 if kind is FileKind.DH_2048 else 512)
        algorithm, _, what = kind.name.partition("_")
        if kind is FileKind.CHAIN:
            algorithm, what = "RSA", "CHAIN"
        pair = self.pair(algorithm)
        match what:
            case "CERTIFICATE":
                return pair.certificate
            case "KEY":
                return pair.key
        # postconf(5), smtpd_tls_chain_files: the key first.
        return pair.key + pair.certificate


def dh_parameters(bits: int) -> str:
    """Diffie-Hellman parameters as PEM: RFC 3526's 2048-bit group, else freshly made (slow)."""
    if bits == 2048:
        parameters = dh.DHParameterNumbers(_MODP_2048, 2).parameters()
    else:
        parameters = dh.generate_parameters(generator=2, key_size=bits)
    pem = parameters.parameter_bytes(
        serialization.Encoding.PEM, serialization.ParameterFormat.PKCS3
    )
    return pem.decode()


def _make_ca(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = _name("postfix-matrix test CA")
    return (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _issue(key: PrivateKey, ca: x509.Certificate, ca_key: rsa.RSAPrivateKey) -> KeyPair:
    names = [x509.DNSName(SERVER_NAME), x509.DNSName(f"*.{SERVER_NAME}")]
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    certificate = (
        _builder(_name(SERVER_NAME), ca.subject, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(authority, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return KeyPair(
        certificate=_pem(certificate),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            # The traditional form, since OpenSSL 0.9.8 is among those who read it.
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode(),
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
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
