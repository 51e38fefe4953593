"""A recorded ClientHello: read with its faults named, and written again with fresh secrets.

Messages: RFC 8446 4.1.2 (ClientHello), RFC 5246 7.4.1.2 (before), and for hellos in SSLv2's framing
RFC 5246 appendix E.2 and draft-hickman-netscape-ssl-00.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

from harness.catalog.key_shares import make_key_share

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _PADDING, _TICKET = 0, 21, 35
_PRE_SHARED_KEY, _EARLY_DATA, _SUPPORTED_VERSIONS, _KEY_SHARE = 41, 42, 43, 51
#: Extensions that continue an earlier session, which a fresh client has not (RFC 8446 4.2.10-11).
_OF_A_SESSION = frozenset({_PRE_SHARED_KEY, _EARLY_DATA})
#: A hello of these lengths is padded to 512 bytes, since some servers hang on it (RFC 7685 4).
_PADDED_FROM, _PADDED_TO = 256, 512
_LARGEST_RECORD = 1 << 14

#: Gives so many random bytes.
RandomBytes = Callable[[int], bytes]


class ClientHelloError(ValueError):
    """Bytes that are not a whole ClientHello; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class RecordedHello:
    """A ClientHello. ``extensions`` is None where it has none at all, which SSLv3 allows.

    ``record_version`` is that of the record; None: SSLv2's framing, where ``ciphers`` are of three
    bytes each, and ``session_id`` and ``random`` (there the challenge) have other lengths.
    """

    version: int
    random: bytes
    session_id: bytes
    ciphers: tuple[int, ...]
    compressions: bytes = b"\x00"
    extensions: tuple[tuple[int, bytes], ...] | None = None
    record_version: int | None = None

    @property
    def is_ssl2_framed(self) -> bool:
        """Whether it is in SSLv2's framing."""
        return self.record_version is None

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions that it names: its list, else the highest alone; GREASE left out."""
        listed = dict(self.extensions or ()).get(_SUPPORTED_VERSIONS, b"")[1:]
        numbers = struct.unpack(f"!{len(listed) // 2}H", listed[: len(listed) // 2 * 2])
        return tuple(number for number in numbers if not is_grease(number)) or (self.version,)


def is_grease(number: int) -> bool:
    """Whether it is a number that means nothing, sent so that servers learn to ignore it.

    RFC 8701 2: 0x0A0A, 0x1A1A, and so on.
    """
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


class _Fields:
    """Takes fields off the front of bytes.

    Raises:
        ClientHelloError: there are too few; ``what`` names the field.
    """

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take_bytes(self, count: int, what: str) -> bytes:
        if count > len(self.rest):
            raise ClientHelloError(
                f"it is cut off: {what} has {count} bytes, and {len(self.rest)} follow"
            )
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def take_number(self, size: int, what: str) -> int:
        return int.from_bytes(self.take_bytes(size, what), "big")

    def take_vector(self, size: int, what: str) -> bytes:
        return self.take_bytes(self.take_number(size, f"the length of {what}"), what)


def parse_recorded_hello(data: bytes) -> RecordedHello:
    """Read a whole first flight: a ClientHello in records of TLS, or in SSLv2's framing.

    Raises:
        ClientHelloError: it is something else, cut off, or its lengths contradict each other.
    """
    if len(data) >= 3 and data[0] & 0x80 and data[2] == _CLIENT_HELLO:
        return _parse_ssl2_framed(data)
    if not data or data[0] != _HANDSHAKE:
        first = f"its first byte is {data[0]:#04x}" if data else "it is empty"
        raise ClientHelloError(
            f"{first}: a ClientHello begins with 0x16 (a handshake record), or in SSLv2's framing "
            "with 0x80 or more and a 0x01 two bytes later"
        )
    message, record_version = _join_records(data)
    fields = _Fields(message)
    kind = fields.take_number(1, "the message's type")
    if kind != _CLIENT_HELLO:
        raise ClientHelloError(f"its message has type {kind}: a ClientHello has type 1")
    body = fields.take_vector(3, "the ClientHello")
    if fields.rest:
        raise ClientHelloError(f"{len(fields.rest)} bytes follow the ClientHello in its record")
    return _parse_body(body, record_version)


def _join_records(data: bytes) -> tuple[bytes, int]:
    """The handshake message out of its records, and the first record's version."""
    fields, message, version = _Fields(data), b"", 0
    while fields.rest:
        kind = fields.take_number(1, "a record's type")
        if kind != _HANDSHAKE:
            raise ClientHelloError(f"a record of type {kind} follows the ClientHello")
        number = fields.take_number(2, "a record's version")
        if number >> 8 != 3:
            raise ClientHelloError(f"its record has version {number:#06x}, which TLS has not")
        version = version or number
        message += fields.take_vector(2, "the record")
    return message, version


def _parse_body(body: bytes, record_version: int) -> RecordedHello:
    fields = _Fields(body)
    version = fields.take_number(2, "the version")
    random = fields.take_bytes(32, "the random")
    session_id = fields.take_vector(1, "the session id")
    ciphers = _split_numbers(fields.take_vector(2, "the list of ciphers"), 2, "the list of ciphers")
    compressions = fields.take_vector(1, "the list of compressions")
    extensions = None
    if fields.rest:
        extensions = _split_extensions(fields.take_vector(2, "the list of extensions"))
    if fields.rest:
        raise ClientHelloError(f"{len(fields.rest)} bytes follow the extensions")
    return RecordedHello(
        version, random, session_id, ciphers, compressions, extensions, record_version
    )


def _split_numbers(data: bytes, size: int, what: str) -> tuple[int, ...]:
    if not data or len(data) % size:
        raise ClientHelloError(f"{what} has {len(data)} bytes: it needs {size} for each")
    return tuple(int.from_bytes(data[at : at + size], "big") for at in range(0, len(data), size))


def _split_extensions(data: bytes) -> tuple[tuple[int, bytes], ...]:
    fields, extensions = _Fields(data), []
    while fields.rest:
        kind = fields.take_number(2, "an extension's type")
        extensions.append((kind, fields.take_vector(2, f"extension {kind}")))
    for kind, value in extensions:
        if kind == _KEY_SHARE:
            _split_shares(value)
    return tuple(extensions)


def _split_shares(value: bytes) -> list[tuple[int, bytes]]:
    """The groups and public keys of a key_share extension (RFC 8446 4.2.8)."""
    fields, shares = _Fields(_Fields(value).take_vector(2, "the list of key shares")), []
    while fields.rest:
        group = fields.take_number(2, "a key share's group")
        shares.append((group, fields.take_vector(2, f"the key share of group {group}")))
    return shares


def _parse_ssl2_framed(data: bytes) -> RecordedHello:
    fields = _Fields(data)
    length = fields.take_number(2, "the length") & 0x7FFF
    fields = _Fields(fields.take_bytes(length, "the hello"))
    fields.take_number(1, "the message's type")
    version = fields.take_number(2, "the version")
    sizes = [fields.take_number(2, f"the length of {what}") for what in _SSL2_FIELDS]
    ciphers, session_id, challenge = (
        fields.take_bytes(size, what) for size, what in zip(sizes, _SSL2_FIELDS, strict=True)
    )
    after = len(data) - 2 - length
    if fields.rest or after:
        raise ClientHelloError(f"{len(fields.rest) + after} bytes follow the challenge")
    return RecordedHello(
        version, challenge, session_id, _split_numbers(ciphers, 3, "the list of ciphers")
    )


_SSL2_FIELDS = ("the list of ciphers", "the session id", "the challenge")


def write_fresh_hello(
    hello: RecordedHello, server_name: str, random_bytes: RandomBytes = os.urandom
) -> bytes:
    """The hello as its client would send it anew: the record, ready to be sent.

    The random, the session id and the keys of the key exchange are fresh, the server name is
    ``server_name`` ("": none), a session ticket is empty, and the padding fits.
    """
    if hello.is_ssl2_framed:
        return _write_ssl2_framed(hello, random_bytes(len(hello.random)))
    body = struct.pack("!H", hello.version) + random_bytes(32)
    body += _write_vector(1, random_bytes(len(hello.session_id)))
    body += _write_vector(2, b"".join(struct.pack("!H", cipher) for cipher in hello.ciphers))
    body += _write_vector(1, hello.compressions)
    if hello.extensions is not None:
        body += _write_extensions(hello, server_name, random_bytes, len(body))
    message = struct.pack("!B", _CLIENT_HELLO) + _write_vector(3, body)
    head = struct.pack("!BH", _HANDSHAKE, hello.record_version)
    parts = [message[at : at + _LARGEST_RECORD] for at in range(0, len(message), _LARGEST_RECORD)]
    return b"".join(head + _write_vector(2, part) for part in parts)


def _write_extensions(
    hello: RecordedHello, server_name: str, random_bytes: RandomBytes, before: int
) -> bytes:
    """The extensions' list; ``before`` are the bytes of the message's body before it."""
    written = []
    for kind, value in hello.extensions or ():
        if kind == _SERVER_NAME:
            name = server_name.encode("idna")
            value = _write_vector(2, b"\x00" + _write_vector(2, name))
        elif kind == _KEY_SHARE:
            value = _write_shares(value, random_bytes)
        elif kind == _TICKET:
            value = b""
        if kind not in _OF_A_SESSION and (kind != _SERVER_NAME or server_name):
            written.append((kind, value))
    if any(kind == _PADDING for kind, _ in written):
        written = _fit_padding(written, before)
    return _write_vector(
        2, b"".join(struct.pack("!H", kind) + _write_vector(2, value) for kind, value in written)
    )


def _fit_padding(extensions: list[tuple[int, bytes]], before: int) -> list[tuple[int, bytes]]:
    """The extensions with a padding of the right length in its place, or with none."""
    unpadded = sum(4 + len(value) for kind, value in extensions if kind != _PADDING)
    length = 4 + before + 2 + unpadded
    if not _PADDED_FROM <= length < _PADDED_TO:
        return [(kind, value) for kind, value in extensions if kind != _PADDING]
    # With one byte at least: some servers cannot read an empty last extension.
    padding = bytes(max(1, _PADDED_TO - length - 4))
    return [(kind, padding if kind == _PADDING else value) for kind, value in extensions]


def _write_shares(value: bytes, random_bytes: RandomBytes) -> bytes:
    shares = [
        struct.pack("!H", group) + _write_vector(2, make_key_share(group, key, random_bytes))
        for group, key in _split_shares(value)
    ]
    return _write_vector(2, b"".join(shares))


def _write_ssl2_framed(hello: RecordedHello, challenge: bytes) -> bytes:
    """A fresh client has no session, so there is no session id."""
    specs = b"".join(cipher.to_bytes(3, "big") for cipher in hello.ciphers)
    sizes = struct.pack("!HHH", len(specs), 0, len(challenge))
    body = struct.pack("!BH", _CLIENT_HELLO, hello.version) + sizes + specs + challenge
    return struct.pack("!H", 0x8000 | len(body)) + body


def _write_vector(size: int, data: bytes) -> bytes:
    """Bytes after their length, which has ``size`` bytes (RFC 8446 3.4)."""
    return len(data).to_bytes(size, "big") + data
