"""TLS contexts of Python's ssl module that send another server name, or take up a session.

smtplib and aiosmtplib hand their context the name to send and no session; a context of this kind
says otherwise when it is used, and the library is left as it is. Runs on Python 3.9 and later.
"""

from __future__ import annotations

import ssl
from typing import Any


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
