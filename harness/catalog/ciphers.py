"""All cipher suites that any library ever had: numbers, names and strengths (``ciphers.tsv``).

The table is in the folder of the clients' drivers, which read it, too. Names are OpenSSL's; suites
that OpenSSL never had have the registry's name (IANA, "TLS Cipher Suites").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from harness.paths import images_dir
from harness.tls import Protocol

#: The first byte of the numbers of TLSv1.3's suites (RFC 8446 B.4).
_TLS13 = 0x1300


@dataclass(frozen=True, slots=True)
class Cipher:
    """One suite. ``code`` has two bytes, three for SSLv2; ``bits`` is None if it is unknown.

    ``name`` is OpenSSL's if it has one, ``iana`` the registry's.
    """

    code: int
    name: str
    bits: int | None
    ssl2: bool = False
    iana: str = ""

    def belongs_to(self, protocol: Protocol) -> bool:
        """Whether it belongs to this version: to SSLv2, to TLSv1.3, or to those between."""
        if self.ssl2 or protocol is Protocol.SSLv2:
            return self.ssl2 and protocol is Protocol.SSLv2
        new = self.code & 0xFF00 == _TLS13
        return new == (protocol is Protocol.TLSv1_3)


@cache
def all_ciphers() -> tuple[Cipher, ...]:
    """All suites, in the table's order."""
    path = images_dir() / "clients" / "common" / "ciphers.tsv"
    _, *rows = path.read_text(encoding="utf-8").splitlines()
    return tuple(_read_cipher(*row.split("\t")) for row in rows)


def _read_cipher(code: str, openssl: str, iana: str, bits: str) -> Cipher:
    name = iana if openssl == "-" else openssl
    known = int(bits) if bits.isdigit() else None
    return Cipher(int(code, 16), name, known, ssl2=len(code) == 6, iana=iana)
