"""The first flight of a handshake as bytes, and what a server's answer to it chose. Pure.

Nothing is computed here that takes a key: a ClientHello is built, the ServerHello (of TLSv1.3 also
a HelloRetryRequest) or the alert is read, and that is all. So no library limits what can be asked.
Messages: RFC 8446 4.1 (TLSv1.3), RFC 5246 7.4 (before), RFC 6101 (SSLv3), and for SSLv2
draft-hickman-netscape-ssl-00.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from harness.tls import Protocol

VERSIONS = {
    Protocol.SSLv3: 0x0300,
    Protocol.TLSv1: 0x0301,
    Protocol.TLSv1_1: 0x0302,
    Protocol.TLSv1_2: 0x0303,
    Protocol.TLSv1_3: 0x0304,
}
#: Groups to offer, the registry's numbers: what OpenSSL ever had, and ML-KEM's hybrids.
GROUPS = (
    *(29, 23, 24, 25, 30, 22, 21, 20, 19, 28, 27, 26, 14, 13, 12, 11, 10, 9),
    *(256, 257, 258, 259, 260, 4587, 4588, 4589),
)
#: Signature schemes to offer (RFC 8446 4.2.3, and RFC 5246's with SHA-1, MD5 and DSA).
SCHEMES = (
    *(0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x0403, 0x0503, 0x0603, 0x0401, 0x0501),
    *(0x0601, 0x0807, 0x0808, 0x0301, 0x0303, 0x0201, 0x0203, 0x0402, 0x0202, 0x0101),
)
RECORD_ALERT, RECORD_HANDSHAKE = 21, 22
CLIENT_HELLO, SERVER_HELLO = 1, 2
_SERVER_NAME, _GROUPS, _POINTS, _SCHEMES = 0, 10, 11, 13
_SUPPORTED_VERSIONS, _PSK_MODES, _KEY_SHARE = 43, 45, 51
#: Secure renegotiation is announced by a suite of its own (RFC 5746 3.3).
_RENEGOTIATION = 0x00FF
_RANDOM = bytes(range(32))


@dataclass(frozen=True, slots=True)
class Choice:
    """What a server chose."""

    version: Protocol
    cipher: int


@dataclass(frozen=True, slots=True)
class Ssl2Choice:
    """The suites that a server of SSLv2 has in common with the client: it leaves the choice."""

    ciphers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """A server's no, by its number (RFC 8446 B.2)."""

    number: int


Answer = Choice | Ssl2Choice | Alert


def client_hello(
    protocol: Protocol,
    ciphers: Sequence[int],
    server_name: str,
    groups: Sequence[int] = GROUPS,
) -> bytes:
    """A ClientHello of one version with these suites, in its record (SSLv2: its own framing)."""
    if protocol is Protocol.SSLv2:
        return _ssl2_hello(ciphers)
    version = VERSIONS[protocol]
    is_new = protocol is Protocol.TLSv1_3
    suites = [*ciphers, *(() if is_new else (_RENEGOTIATION,))]
    body = struct.pack("!H", min(version, VERSIONS[Protocol.TLSv1_2])) + _RANDOM
    # TLSv1.3 behind middleboxes has a session's id (RFC 8446 D.4).
    body += _vector(1, _RANDOM if is_new else b"")
    body += _vector(2, b"".join(struct.pack("!H", one) for one in suites)) + b"\x01\x00"
    if protocol is not Protocol.SSLv3:
        body += _vector(2, _extensions(protocol, server_name, groups))
    message = struct.pack("!B", CLIENT_HELLO) + _vector(3, body)
    record = min(version, VERSIONS[Protocol.TLSv1])
    return struct.pack("!BH", RECORD_HANDSHAKE, record) + _vector(2, message)


def answer(data: bytes) -> Answer | None:
    """What the bytes that came so far answer; None: not enough of them yet.

    Raises:
        ValueError: they are no answer of TLS or SSL.
    """
    if len(data) < 3:
        return None
    if data[0] & 0x80 and data[2] == 4:
        return _ssl2_answer(data) if len(data) >= 13 else None
    if data[0] == RECORD_ALERT:
        return Alert(data[6]) if len(data) >= 7 else None
    if data[0] != RECORD_HANDSHAKE:
        raise ValueError(f"no TLS: {data[:16]!r}")
    length = struct.unpack("!H", data[3:5])[0] if len(data) >= 5 else None
    if length is None or len(data) < 5 + length:
        return None
    try:
        return _server_hello(data[5 : 5 + length])
    except (IndexError, struct.error):
        raise ValueError(f"a ServerHello that is not whole: {data[:48]!r}") from None


def _server_hello(message: bytes) -> Choice:
    if not message or message[0] != SERVER_HELLO:
        raise ValueError(f"no ServerHello: {message[:16]!r}")
    version = struct.unpack("!H", message[4:6])[0]
    place = 38 + 1 + message[38]
    cipher = struct.unpack("!H", message[place : place + 2])[0]
    for kind, value in _parsed(message[place + 3 :]):
        if kind == _SUPPORTED_VERSIONS:
            version = struct.unpack("!H", value)[0]
    known = {number: protocol for protocol, number in VERSIONS.items()}
    if version not in known:
        raise ValueError(f"unknown version {version:#06x}")
    return Choice(known[version], cipher)


def _parsed(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    rest = data[2:]
    while len(rest) >= 4:
        kind, length = struct.unpack("!HH", rest[:4])
        found.append((kind, rest[4 : 4 + length]))
        rest = rest[4 + length :]
    return found


def _extensions(protocol: Protocol, server_name: str, groups: Sequence[int]) -> bytes:
    name = server_name.encode("idna")
    found = [
        (_SERVER_NAME, _vector(2, b"\x00" + _vector(2, name))),
        (_GROUPS, _vector(2, b"".join(struct.pack("!H", one) for one in groups))),
        (_POINTS, _vector(1, b"\x00")),
    ]
    if protocol.rank >= Protocol.TLSv1_2.rank:
        found.append((_SCHEMES, _vector(2, b"".join(struct.pack("!H", one) for one in SCHEMES))))
    if protocol is Protocol.TLSv1_3:
        found += [
            (_SUPPORTED_VERSIONS, _vector(1, struct.pack("!H", VERSIONS[protocol]))),
            (_PSK_MODES, _vector(1, b"\x01")),
            # No share at all: the server answers with its suite, and the group it wants one of.
            (_KEY_SHARE, _vector(2, b"")),
        ]
    return b"".join(struct.pack("!H", kind) + _vector(2, value) for kind, value in found)


def _ssl2_hello(ciphers: Sequence[int]) -> bytes:
    specs = b"".join(struct.pack("!I", one)[1:] for one in ciphers)
    body = struct.pack("!BHHHH", CLIENT_HELLO, 2, len(specs), 0, 16) + specs + _RANDOM[:16]
    return struct.pack("!H", 0x8000 | len(body)) + body


def _ssl2_answer(data: bytes) -> Ssl2Choice | None:
    length = struct.unpack("!H", data[:2])[0] & 0x7FFF
    if len(data) < 2 + length:
        return None
    certificate, specs = struct.unpack("!HH", data[7:11])
    start = 13 + certificate
    codes = range(start, start + specs, 3)
    return Ssl2Choice(tuple(int.from_bytes(data[at : at + 3], "big") for at in codes))


def _vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data
