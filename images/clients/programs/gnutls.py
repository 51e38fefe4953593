"""GnuTLS's priority strings (gnutls-cli(1), "Priority strings"), for the programs linked to it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from common.contract import Offer
from common.hello import cipher_code
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
#: How a suite's name begins, and the word for that key exchange; the longest that fits counts.
EXCHANGES = {
    "ECDHE_RSA": "ECDHE-RSA",
    "ECDHE_ECDSA": "ECDHE-ECDSA",
    "ECDH_ANON": "ANON-ECDH",
    "DHE_RSA": "DHE-RSA",
    "DHE_DSS": "DHE-DSS",
    "DH_ANON": "ANON-DH",
    "RSA": "RSA",
}


def parse_suites(listed: str) -> dict[int, str]:
    """``gnutls-cli --list``: the names that GnuTLS has for cipher suites, by their numbers."""
    rows = re.findall(r"^(TLS_\w+)\s+0x(\w\w), 0x(\w\w)", listed, re.M)
    return {int(high + low, 16): name for name, high, low in rows}


def cipher_numbers(offer: Offer) -> set[int]:
    """The registry's numbers of an offer's ciphers.

    Raises:
        Incapable: one has none (a cipher of SSLv2's).
    """
    try:
        return {cipher_code(name) for name in offer.ciphers}
    except KeyError as exc:
        raise Incapable(f"the cipher {exc} has no number in TLS") from None


def make_cipher_priorities(offer: Offer, known: Mapping[int, str]) -> str:
    """An offer's versions, ciphers and groups. Check which other suites the string allows.

    GnuTLS chooses by key exchange, cipher and MAC: the parts of two suites may allow a third.

    Raises:
        Incapable: GnuTLS has no such cipher, or no word for something.
    """
    parts = ["NONE", "+COMP-NULL", "+SIGN-ALL"]
    parts += [f"+VERS-{_version_name(version)}" for version in offer.list_versions()]
    parts += [f"+GROUP-{_group_name(name)}" for name in offer.groups] or ["+GROUP-ALL"]
    for number in sorted(cipher_numbers(offer)):
        if number not in known:
            raise Incapable(f"GnuTLS never had the cipher 0x{number:04X}")
        parts += [word for word in split_suite(known[number]) if word not in parts]
    return ":".join([*parts, "%COMPAT"])


def split_suite(name: str) -> list[str]:
    """A suite's key exchange (none in TLSv1.3), cipher and MAC, each as a word that adds it."""
    rest = name.removeprefix("TLS_")
    fitting = [begin for begin in EXCHANGES if rest.startswith(begin + "_")]
    begin = max(fitting, key=len, default="")
    rest = rest.removeprefix(begin).lstrip("_").replace("3DES_EDE", "3DES")
    aead = re.fullmatch(r"(\w+_(?:GCM|CCM|CCM_8)|CHACHA20_POLY1305)(?:_SHA\d+)?", rest)
    cipher, mac = (aead[1], "AEAD") if aead else rest.rsplit("_", 1)
    parts = [EXCHANGES.get(begin, ""), cipher.replace("_", "-"), mac]
    return [f"+{part}" for part in parts if part]


def make_priorities(offer: Offer) -> str:
    """An offer's versions, and groups, with every cipher and signature that the library has.

    Raises:
        Incapable: GnuTLS has no word for it.
    """
    if offer.ciphers:
        raise Incapable(
            "GnuTLS chooses by key exchange, cipher and MAC, not by cipher suites' names"
        )
    parts = ["NORMAL", "+ARCFOUR-128", "+3DES-CBC", "+RSA", "+DHE-RSA", "+SHA1", "+SIGN-ALL"]
    parts += [
        "-VERS-ALL",
        *(f"+VERS-{_version_name(version)}" for version in offer.list_versions()),
    ]
    if offer.groups:
        parts += ["-GROUP-ALL", *(f"+GROUP-{_group_name(name)}" for name in offer.groups)]
    return ":".join([*parts, "%COMPAT"])


def _version_name(version: str) -> str:
    try:
        return VERSIONS[version]
    except KeyError:
        raise Incapable(f"GnuTLS never had {version}") from None


def _group_name(name: str) -> str:
    try:
        return GROUPS[name]
    except KeyError:
        raise Incapable(f"no group of GnuTLS's is known here as {name}") from None
