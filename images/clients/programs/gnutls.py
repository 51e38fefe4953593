"""GnuTLS's priority strings (gnutls-cli(1), "Priority strings"), for the programs linked to it."""

from __future__ import annotations

from common.contract import Offer
from common.mailer import Incapable

VERSIONS = {
    "SSLv3": "SSL3.0",
    "TLSv1": "TLS1.0",
    "TLSv1.1": "TLS1.1",
    "TLSv1.2": "TLS1.2",
    "TLSv1.3": "TLS1.3",
}
GROUPS = {
    "prime256v1": "SECP256R1",
    "secp384r1": "SECP384R1",
    "secp521r1": "SECP521R1",
    "X25519": "X25519",
    "X448": "X448",
    "ffdhe2048": "FFDHE2048",
    "ffdhe3072": "FFDHE3072",
}


def priorities(offer: Offer) -> str:
    """An offer's versions, and groups, with every cipher and signature that the library has.

    Raises:
        Incapable: GnuTLS has no word for it.
    """
    if offer.ciphers:
        raise Incapable(
            "GnuTLS chooses by key exchange, cipher and MAC, not by cipher suites' names"
        )
    words = ["NORMAL", "+ARCFOUR-128", "+3DES-CBC", "+RSA", "+DHE-RSA", "+SHA1", "+SIGN-ALL"]
    words += ["-VERS-ALL", *(f"+VERS-{_version(version)}" for version in offer.versions())]
    if offer.groups:
        words += ["-GROUP-ALL", *(f"+GROUP-{_group(name)}" for name in offer.groups)]
    return ":".join([*words, "%COMPAT"])


def _version(version: str) -> str:
    try:
        return VERSIONS[version]
    except KeyError:
        raise Incapable(f"GnuTLS never had {version}") from None


def _group(name: str) -> str:
    try:
        return GROUPS[name]
    except KeyError:
        raise Incapable(f"no group of GnuTLS's is known here as {name}") from None
