"""What each side says of the other's certificate: the client, and smtpd(8). Pure."""

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
_FROM = re.compile(r"(Anonymous|Untrusted|Trusted|Verified) TLS connection established from ")


def certificate_view(pem: str | None) -> CertificateView | None:
    """A certificate in short; None where there is none, or what came cannot be read as one."""
    if pem is None:
        return None
    try:
        read = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None
    return CertificateView(
        sha256=hashlib.sha256(read.public_bytes(Encoding.DER)).hexdigest(),
        names=_names(read),
        issuer=_common_name(read.issuer),
    )


def client_trust(lines: Sequence[str]) -> str | None:
    """smtpd's word for the client's certificate, of the last session in its log; None: no TLS."""
    found = [match[1] for line in lines if (match := _FROM.search(line))]
    return found[-1] if found else None


def _names(read: x509.Certificate) -> tuple[str, ...]:
    try:
        further = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (_common_name(read.subject),)
    return tuple(further.get_values_for_type(x509.DNSName))


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()
