"""The two hellos of a TLS handshake, as far as they travel in the clear: offered, and chosen.

Versions and messages: RFC 8446 4.1.2 and 4.1.3 (TLSv1.3), RFC 5246 7.4.1 (before). Groups: the TLS
registry of supported groups.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Versions as a record or a hello spells them.
VERSIONS = {
    (0, 2): "SSLv2",
    (3, 0): "SSLv3",
    (3, 1): "TLSv1",
    (3, 2): "TLSv1.1",
    (3, 3): "TLSv1.2",
    (3, 4): "TLSv1.3",
}
#: Groups as OpenSSL names them; any other is told by its number.
GROUPS = {
    21: "secp224r1",
    22: "secp256k1",
    23: "prime256v1",
    24: "secp384r1",
    25: "secp521r1",
    28: "brainpoolP512r1",
    29: "X25519",
    30: "X448",
    256: "ffdhe2048",
    257: "ffdhe3072",
    258: "ffdhe4096",
    259: "ffdhe6144",
    260: "ffdhe8192",
    4587: "SecP256r1MLKEM768",
    4588: "X25519MLKEM768",
    4589: "SecP384r1MLKEM1024",
    25497: "X25519Kyber768Draft00",
}
SUPPORTED_VERSIONS, KEY_SHARE = 43, 51
#: ServerHello's random of a HelloRetryRequest (RFC 8446 4.1.3).
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
NAMED_CURVE = 3
#: Names of the ciphers, a line each: code, OpenSSL's name, the registry's, strength in bits.
TABLE = Path(__file__).with_name("ciphers.tsv")


@dataclass(frozen=True)
class Offered:
    """What a ClientHello offers: its versions, oldest first, and how many ciphers."""

    versions: tuple[str, ...]
    ciphers: int

    def __str__(self) -> str:
        return f"offers {' '.join(self.versions) or 'no known version'}, {self.ciphers} ciphers"


@dataclass(frozen=True)
class Chosen:
    """What a ServerHello chose. ``group`` only of TLSv1.3; ``retry``: it asks for another hello."""

    version: str
    cipher: int
    group: int | None = None
    retry: bool = False


class _Reader:
    """Takes fields off the front; IndexError where there are too few bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take_bytes(self, count: int) -> bytes:
        if count > len(self.data):
            raise IndexError
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def take_number(self, size: int) -> int:
        return int.from_bytes(self.take_bytes(size), "big")

    def take_vector(self, size: int) -> bytes:
        return self.take_bytes(self.take_number(size))


def read_client_hello(body: bytes) -> Offered | None:
    """Read a ClientHello (the message's body); None where it is not whole."""
    try:
        reader = _Reader(body)
        highest = tuple(reader.take_bytes(2))
        reader.take_bytes(32)
        reader.take_vector(1)
        ciphers = len(reader.take_vector(2)) // 2
        reader.take_vector(1)
        listed = _read_extensions(reader).get(SUPPORTED_VERSIONS)
    except IndexError:
        return None
    if listed:
        pairs = [tuple(listed[place : place + 2]) for place in range(1, len(listed) - 1, 2)]
        return Offered(
            _sort_versions([VERSIONS[pair] for pair in pairs if pair in VERSIONS]), ciphers
        )
    # Without the extension the field is the highest that the client can; how low it would go
    # cannot be told.
    known = VERSIONS.get((highest[0], highest[1]))
    return Offered((f"up to {known}",) if known else (), ciphers)


def read_server_hello(body: bytes) -> Chosen | None:
    """Read a ServerHello (the message's body); None where it is not whole."""
    try:
        reader = _Reader(body)
        version = tuple(reader.take_bytes(2))
        random = reader.take_bytes(32)
        reader.take_vector(1)
        cipher = reader.take_number(2)
        reader.take_bytes(1)
        extensions = _read_extensions(reader)
    except IndexError:
        return None
    share = extensions.get(KEY_SHARE, b"")
    if SUPPORTED_VERSIONS in extensions:
        version = tuple(extensions[SUPPORTED_VERSIONS])
    named = VERSIONS.get((version[0], version[1]))
    if named is None:
        return None
    group = int.from_bytes(share[:2], "big") if len(share) >= 2 else None
    return Chosen(named, cipher, group, random == RETRY)


def read_named_curve(body: bytes) -> int | None:
    """The group of an elliptic ServerKeyExchange (RFC 8422 5.4); None of any other."""
    return int.from_bytes(body[1:3], "big") if len(body) > 4 and body[0] == NAMED_CURVE else None


def group_name(number: int) -> str:
    """A group as OpenSSL names it."""
    return GROUPS.get(number, f"group {number}")


def cipher_name(code: int) -> tuple[str, int | None]:
    """A cipher as OpenSSL names it (else as the registry does), and its strength in bits."""
    return _read_names().get(code, (f"0x{code:04X}", None))


def cipher_code(name: str) -> int:
    """The registry's number of a cipher, by OpenSSL's name. KeyError: there is none."""
    return {known: code for code, (known, _) in _read_names().items()}[name]


def group_code(name: str) -> int:
    """The registry's number of a group, by OpenSSL's name. KeyError: there is none."""
    return {known: number for number, known in GROUPS.items()}[name]


@functools.cache
def _read_names() -> dict[int, tuple[str, int | None]]:
    names: dict[int, tuple[str, int | None]] = {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if len(row["code"]) == 4:
                name = row["iana"] if row["openssl"] == "-" else row["openssl"]
                bits = int(row["bits"]) if row["bits"].isdigit() else None
                names[int(row["code"], 16)] = name, bits
    return names


def _read_extensions(reader: _Reader) -> dict[int, bytes]:
    extensions: dict[int, bytes] = {}
    if reader.data:
        rest = _Reader(reader.take_vector(2))
        while rest.data:
            kind = rest.take_number(2)
            extensions[kind] = rest.take_vector(2)
    return extensions


def _sort_versions(versions: Sequence[str]) -> tuple[str, ...]:
    return tuple(version for version in VERSIONS.values() if version in versions)
