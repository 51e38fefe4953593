"""What the client and smtpd(8) each report about the other's certificate."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from harness.observations.record import CertificateView

# "Trusted TLS connection established from x[1.2.3.4]:5: ..." (TLS_README, "Server-side TLS activity
# logging"); Anonymous: the client presented no certificate.
_SESSION_FROM = re.compile(
    r"(Anonymous|Untrusted|Trusted|Verified) TLS connection established from "
)


def certificate_view(pem: str | None) -> CertificateView | None:
    """A summary of a certificate; None where there is none or the PEM text cannot be parsed."""
    if pem is None:
        return None
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None
    return CertificateView(
        sha256=hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
        names=_dns_names(certificate),
        issuer=_common_name(certificate.issuer),
    )


def client_trust(lines: Sequence[str]) -> str | None:
    """How smtpd rated the client's certificate in the last logged session; None: no TLS."""
    trust_levels = [match[1] for line in lines if (match := _SESSION_FROM.search(line))]
    return trust_levels[-1] if trust_levels else None


def _dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (_common_name(certificate.subject),)
    return tuple(names.get_values_for_type(x509.DNSName))


def _common_name(name: x509.Name) -> str:
    attributes = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attributes[0].value) if attributes else name.rfc4514_string()
