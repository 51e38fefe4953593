"""What pyOpenSSL is told for an offer, and what its ages cannot be told; nothing is run here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

#: SSL_OP_NO_* of ssl.h, the same from OpenSSL 1.0.1 to 4.0; not every pyOpenSSL names them all.
NO = {
    "SSLv3": 0x02000000,
    "TLSv1": 0x04000000,
    "TLSv1.1": 0x10000000,
    "TLSv1.2": 0x08000000,
    "TLSv1.3": 0x20000000,
}
#: SSL_OP_LEGACY_SERVER_CONNECT: on by itself until OpenSSL 3.0.
LEGACY_SERVER_CONNECT = 0x4
ALL_CIPHERS = "ALL:COMPLEMENTOFALL"
LEVEL = ":@SECLEVEL=0"
#: All suites of TLSv1.3 (RFC 8446 B.4).
SUITES = (
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
)


class Library(NamedTuple):
    """An age of pyOpenSSL on its OpenSSL.

    ``has_tls13``: both know TLSv1.3. ``has_suites``: the ciphers of TLSv1.3 can be chosen.
    """

    has_tls13: bool
    has_suites: bool

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that can be offered, oldest first; no wheel has SSLv2 or SSLv3."""
        return tuple(name for name in NO if name != "SSLv3")[: 4 if self.has_tls13 else 3]


class PyOpenSslSettings(NamedTuple):
    """What makes an offer. ``suites`` is None where they are left as they are."""

    options: int
    ciphers: str
    suites: str | None


def explain_impossible_offer(
    job: dict[str, Any], library: Library, inside: Sequence[str]
) -> str | None:
    """Why no such offer can be made; None where it can. ``inside``: the versions of its range.

    The library would pass over a version that it lacks, and offer the others of the range.
    """
    unavailable = [name for name in inside if name not in library.versions]
    if unavailable:
        return f"cryptography's wheel never had {unavailable[0]}"
    if job["groups"]:
        return "pyOpenSSL has no option for groups"
    if job["ciphers"] and "TLSv1.3" in inside and not library.has_suites:
        return "this pyOpenSSL cannot choose among the ciphers of TLSv1.3"
    return None


def choose_settings(
    job: dict[str, Any], library: Library, inside: Sequence[str]
) -> PyOpenSslSettings:
    """The options, the ciphers up to TLSv1.2 and those of TLSv1.3, of an offer that can be made."""
    options = LEGACY_SERVER_CONNECT
    for name, bit in NO.items():
        options |= 0 if name in inside else bit
    new = [name for name in job["ciphers"] if name.startswith("TLS_")]
    old = [name for name in job["ciphers"] if name not in new]
    # OpenSSL will not have a version without a cipher, so with none it is not offered.
    if new and not old:
        options |= NO["TLSv1"] | NO["TLSv1.1"] | NO["TLSv1.2"]
    if old and not new:
        options |= NO["TLSv1.3"]
    suites = ":".join(new or SUITES) if library.has_suites and "TLSv1.3" in inside else None
    return PyOpenSslSettings(options, (":".join(old) or ALL_CIPHERS) + LEVEL, suites)
