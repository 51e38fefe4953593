"""TLS contexts of Python's ssl module: for an offer, another server name, or an earlier session.

smtplib and aiosmtplib hand their context the name to send and no session; a context of this kind
says otherwise when it is used, and the library is left as it is. Runs on Python 3.9 and later.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any

#: Every cipher that the library has.
ALL_CIPHERS = "ALL:COMPLEMENTOFALL"
#: OpenSSL 1.1.0 brought security levels, and forbids old versions at the default one from 3.0 on.
LEVEL = ":@SECLEVEL=0"
#: SSL_OP_LEGACY_SERVER_CONNECT, which ssl names from Python 3.12 on: OpenSSL 3 else turns away from
#: servers without secure renegotiation (RFC 5746).
OP_LEGACY_SERVER_CONNECT = 0x4
#: What `make_pinned_context` raises where Python or its OpenSSL refuses an offer.
REFUSALS = (AttributeError, ValueError, ssl.SSLError)


class TunedContext(ssl.SSLContext):
    """A context that decides itself which server name is sent, and which session is taken up.

    ``sends_name``: ``name`` is sent whatever the library says, none where it is None. ``session``
    is that of an earlier connection.
    """

    sends_name: bool = False
    name: str | None = None
    session: ssl.SSLSession | None = None

    def _add_settings(self, named: dict[str, Any]) -> dict[str, Any]:
        if self.sends_name:
            named["server_hostname"] = self.name
        if self.session is not None:
            named["session"] = self.session
        return named

    def wrap_socket(self, *args: Any, **named: Any) -> ssl.SSLSocket:
        """As SSLContext.wrap_socket."""
        return super().wrap_socket(*args, **self._add_settings(named))

    def wrap_bio(self, *args: Any, **named: Any) -> ssl.SSLObject:
        """As SSLContext.wrap_bio."""
        return super().wrap_bio(*args, **self._add_settings(named))


def default_context(ca_file: str) -> TunedContext:
    """As ssl.create_default_context makes one for this CA file."""
    usual = ssl.create_default_context(cafile=ca_file)
    made = TunedContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cafile=ca_file)
    made.verify_flags, made.options = usual.verify_flags, usual.options
    made.minimum_version = usual.minimum_version
    return made


def make_pinned_context(
    versions: tuple[str, str], ciphers: Sequence[str], groups: Sequence[str]
) -> TunedContext:
    """A context that lets nothing but the offer decide: its lowest and highest version, and names.

    The certificate is not checked: an offer asks what is negotiated, not who is trusted.

    Raises:
        AttributeError, ValueError: Python's ssl module has no way to say it.
        ssl.SSLError: the library knows no such cipher.
    """
    made = TunedContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.options &= ~(ssl.OP_NO_SSLv3 | ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1)
    made.options |= OP_LEGACY_SERVER_CONNECT
    _restrict_context(made, ciphers, groups)
    lowest, highest = (version.replace(".", "_") for version in versions)
    made.minimum_version = getattr(ssl.TLSVersion, lowest)
    made.maximum_version = getattr(ssl.TLSVersion, highest)
    return made


def _restrict_context(made: ssl.SSLContext, ciphers: Sequence[str], groups: Sequence[str]) -> None:
    """Offer the named ciphers and group alone, else all that there are."""
    if any(name.startswith("TLS_") for name in ciphers):
        raise ValueError("Python's ssl module cannot choose among the ciphers of TLSv1.3")
    made.set_ciphers((":".join(ciphers) or ALL_CIPHERS) + LEVEL)
    if len(groups) > 1:
        raise ValueError("Python's ssl module can be told one group, not several")
    for group in groups:
        made.set_ecdh_curve(group)


def tune_context(
    made: TunedContext,
    *,
    certificate: str | None = None,
    key: str | None = None,
    sends_name: bool = False,
    name: str | None = None,
) -> None:
    """Give a context a certificate to present, and the server name to send."""
    if certificate is not None:
        made.load_cert_chain(certificate, key)
    made.sends_name, made.name = sends_name, name
    if sends_name and name is None:
        # Python has one name for what is sent and for what the certificate must have.
        made.check_hostname = False


def read_certificate(session: Any) -> str | None:
    """The server's own certificate, of an SSLSocket or SSLObject; None: it got none."""
    der = session.getpeercert(binary_form=True)
    return None if der is None else ssl.DER_cert_to_PEM_cert(der)
