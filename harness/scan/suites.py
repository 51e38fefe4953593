"""The parts of a cipher suite, by its registered name, and how strong each part is.

There are four classes: the protocol, the key exchange (with its authentication), the bulk cipher,
and the MAC. Names are RFC 5246's A.5 and its successors'; TLSv1.3's leave key exchange and
authentication to other parts of the handshake (RFC 8446 4.1.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from harness.catalog.ciphers import Cipher, all_ciphers

_NAME = re.compile(r"(?:OLD_)?(?:TLS|SSL_CK|SSL)_(?:(?P<keys>.+)_WITH_)?(?P<rest>.+)")
_MAC = re.compile(r"(.+?)_(MD5|SHA|SHA256|SHA384|SHA512|SM3|IMIT|OMAC|GOSTR3411)(?:_LEGACY)?$")
_AEAD = re.compile(r"GCM|CCM|POLY1305|MGM|AEGIS")
#: Ciphers of 64-bit blocks (CVE-2016-2183).
_SHORT_BLOCKS = ("3DES", "DES-192", "IDEA", "RC2", "28147", "MAGMA")
ANONYMOUS, TLS13_KEYS = "anonymous", "(EC)DHE"


@dataclass(frozen=True, slots=True)
class Suite:
    """The parts of a suite. ``authentication``: the kind of key that signs; "" in TLSv1.3."""

    key_exchange: str
    authentication: str
    encryption: str
    mac: str
    bits: int | None
    export: bool = False

    @property
    def strengths(self) -> dict[str, tuple[int, int]]:
        """For each class, a rank: the greater, the stronger (the rules are in docs/scan.md)."""
        return {
            "key exchange": (self._key_strength(), 0),
            "cipher": (self._cipher_strength(), self.bits or 0),
            "MAC": (self._mac_strength(), 0),
        }

    @property
    def strength(self) -> tuple[tuple[int, int], ...]:
        """The ranks of all classes, key exchange first."""
        return tuple(self.strengths.values())

    @property
    def part(self) -> dict[str, str]:
        """For each class, the suite's part in common notation."""
        export = " export" if self.export else ""
        names = dict.fromkeys((self.key_exchange, self.authentication))
        keys = " ".join(names).rstrip() + export
        return {"key exchange": keys, "cipher": self.encryption, "MAC": self.mac}

    def _key_strength(self) -> int:
        if self.export:
            return 0
        if self.authentication == ANONYMOUS:
            return 1
        return 3 if self.key_exchange in ("DHE", "ECDHE", TLS13_KEYS, "ECCPWD") else 2

    def _cipher_strength(self) -> int:
        if self.encryption == "NULL":
            return 0
        if self.bits is not None and self.bits <= 64:
            return 1
        if self.encryption.startswith("RC4"):
            return 2
        if self.encryption.startswith(_SHORT_BLOCKS):
            return 3
        return 5 if self.mac == "AEAD" else 4

    def _mac_strength(self) -> int:
        return {"": 0, "MD5": 1, "SHA1": 2, "AEAD": 4}.get(self.mac, 3)


@cache
def suite_parts(cipher: Cipher) -> Suite:
    """The parts of a suite."""
    match = _NAME.fullmatch(cipher.iana)
    keys, rest = (match["keys"] or "", match["rest"]) if match else ("", cipher.iana)
    encryption, mac = _parse_encryption(rest)
    export = "EXPORT" in cipher.iana or bool(cipher.bits and cipher.bits <= 40)
    if cipher.ssl2:
        # SSLv2's names have the cipher in the place of the key exchange, which is always RSA.
        encryption = keys.removesuffix("_EXPORT40").replace("_", "-")
        return Suite("RSA", "RSA", encryption, "MD5", cipher.bits, export)
    exchange, authentication = _parse_keys(keys)
    return Suite(exchange, authentication, encryption, mac, cipher.bits, export)


def by_code(code: int) -> Suite | None:
    """The parts of a suite by its number; None where the number is unknown."""
    cipher = _suites_by_code().get(code)
    return None if cipher is None else suite_parts(cipher)


@cache
def _suites_by_code() -> dict[int, Cipher]:
    return {cipher.code: cipher for cipher in all_ciphers()}


def _parse_keys(text: str) -> tuple[str, str]:
    text = re.sub(r"_EXPORT(1024)?$|_FIPS$", "", text)
    if not text:
        return TLS13_KEYS, ""
    if text in ("RSA", "PSK", "KRB5"):
        return text, text
    if text.endswith("_anon"):
        return text.replace("DH_anon", "DHE"), ANONYMOUS
    if text.startswith(("GOSTR", "SRP", "ECCPWD", "RSA_PSK", "PSK_DHE")):
        names = {"RSA_PSK": ("RSA", "PSK"), "PSK_DHE": ("DHE", "PSK")}
        return names.get(text, (text.partition("_")[0], text))
    exchange, _, authentication = text.partition("_")
    return exchange, authentication


def _parse_encryption(text: str) -> tuple[str, str]:
    """Cipher and MAC; the hash of an AEAD suite is for key derivation, it is not a MAC."""
    match = _MAC.fullmatch(text)
    name, mac = (match[1], match[2]) if match else (text, "")
    if name.startswith(("SHA256", "SHA384")):
        # RFC 9150: integrity alone.
        return "NULL", name
    if _AEAD.search(name):
        return name.replace("_", "-"), "AEAD"
    return name.replace("_", "-"), "SHA1" if mac == "SHA" else mac
