"""What a server's first flight says: its choice, its certificates, its key exchange. Pure.

Messages: RFC 8446 4.1.3 and 4.1.4 (ServerHello, HelloRetryRequest), RFC 5246 7.4.2 and 7.4.3
(Certificate, ServerKeyExchange), RFC 8422 5.4 (of ECDHE), and for SSLv2
draft-hickman-netscape-ssl-00.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.scan.choice import Choice
from harness.scan.client_hello import (
    KEY_SHARE,
    RECORD_HANDSHAKE,
    SUPPORTED_VERSIONS,
    VERSIONS,
    ClientHello,
)
from harness.tls import Protocol

RECORD_ALERT = 21
SERVER_HELLO, CERTIFICATE, SERVER_KEY_EXCHANGE, SERVER_HELLO_DONE = 2, 11, 12, 14
#: ECCurveType (RFC 8422 5.4).
_NAMED_CURVE = 3
#: The random of a ServerHello that is a HelloRetryRequest (RFC 8446 4.1.3).
RETRY = bytes.fromhex("CF21AD74E59A6111BE1D8C021E65B891C2A211167ABB8C5E079E09E2C8A8339C")
_BY_NUMBER = {number: protocol for protocol, number in VERSIONS.items()}


@dataclass(frozen=True, slots=True)
class Ssl2Choice:
    """The suites that a server of SSLv2 has in common with the client: it leaves the choice."""

    ciphers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """A server's no, by its number (RFC 8446 B.2)."""

    number: int


#: A close where an alert is due says no as well; a time-out never does.
CLOSED = Alert(-1)
#: The version is refused, whatever the suites.
PROTOCOL_VERSION = Alert(70)
UNRECOGNIZED_NAME = 112

Answer = Choice | Ssl2Choice | Alert


def answer(data: bytes, question: ClientHello, hello: bytes = b"") -> Answer | None:
    """What the bytes that came so far answer; None: not enough of them yet.

    ``hello`` is what was sent, in its record; it is needed where the question has a ``read``.

    Raises:
        ValueError: they are no answer of TLS or SSL.
    """
    if len(data) < 3:
        return None
    if data[0] & 0x80 and data[2] == 4:
        return _ssl2_answer(data) if len(data) >= 13 else None
    if data[0] not in (RECORD_ALERT, RECORD_HANDSHAKE):
        raise ValueError(f"no TLS: {data[:16]!r}")
    try:
        return _tls_answer(data, question, hello)
    except (IndexError, struct.error):
        raise ValueError(f"a handshake that is not whole: {data[:48]!r}") from None


def _tls_answer(data: bytes, question: ClientHello, hello: bytes) -> Answer | None:
    stream, alert = _until_alert(data)
    found: Choice | None = None
    for kind, body in messages(stream):
        if found is None:
            if kind != SERVER_HELLO:
                raise ValueError(f"no ServerHello: {data[:16]!r}")
            found = _server_hello(body)
            if found.version is Protocol.TLSv1_3:
                return _opened(data, question, hello, found)
            if not question.whole:
                return found
        elif kind == CERTIFICATE:
            found = replace(found, certificates=_certificates(body))
        elif kind == SERVER_KEY_EXCHANGE:
            return _key_exchange(body, found)
        elif kind == SERVER_HELLO_DONE:
            return found
    return alert


def _until_alert(data: bytes) -> tuple[bytes, Alert | None]:
    """What came of the handshake, and the alert that ended it.

    What was chosen before an alert was chosen, whether both came at once or not.
    """
    stream = b""
    for kind, content in records(data):
        if kind == RECORD_HANDSHAKE:
            stream += content
        # A warning about the name that we called the server by ends nothing (RFC 6066 3).
        elif kind == RECORD_ALERT and len(content) >= 2 and content[1] != UNRECOGNIZED_NAME:
            return stream, Alert(content[1])
    return stream, None


def _opened(data: bytes, question: ClientHello, hello: bytes, found: Choice) -> Choice | None:
    """Of TLSv1.3: with the certificates, where they were asked for and the server goes on."""
    if question.read is None or not question.whole or found.message[6:38] == RETRY:
        return found
    chain = question.read(hello[5:], data, found)
    return None if chain is None else replace(found, certificates=chain)


def records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The whole records of a stream: type and content (RFC 8446 5.1)."""
    at = 0
    while at + 5 <= len(data):
        kind, _, length = struct.unpack_from("!BHH", data, at)
        if at + 5 + length > len(data):
            return
        yield kind, data[at + 5 : at + 5 + length]
        at += 5 + length


def messages(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """The whole handshake messages: type and body (RFC 8446 4)."""
    at = 0
    while at + 4 <= len(stream):
        end = at + 4 + int.from_bytes(stream[at + 1 : at + 4], "big")
        if end > len(stream):
            return
        yield stream[at], stream[at + 4 : end]
        at = end


def _server_hello(body: bytes) -> Choice:
    (version,) = struct.unpack_from("!H", body, 0)
    place = 34 + 1 + body[34]
    (cipher,) = struct.unpack_from("!H", body, place)
    group, share = None, b""
    for kind, value in extensions(body[place + 3 :]):
        if kind == SUPPORTED_VERSIONS:
            (version,) = struct.unpack("!H", value)
        elif kind == KEY_SHARE:
            (group,) = struct.unpack_from("!H", value)
            share = value[4:]
    if version not in _BY_NUMBER:
        raise ValueError(f"unknown version {version:#06x}")
    message = bytes([SERVER_HELLO]) + len(body).to_bytes(3, "big") + body
    return Choice(_BY_NUMBER[version], cipher, group, message=message, share=share)


def extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The extensions of a hello: type and value (RFC 8446 4.2)."""
    at = 2
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def _certificates(body: bytes) -> tuple[bytes, ...]:
    """The chain, DER (RFC 5246 7.4.2)."""
    found, at = [], 3
    while at + 3 <= len(body):
        length = int.from_bytes(body[at : at + 3], "big")
        found.append(body[at + 3 : at + 3 + length])
        at += 3 + length
    return tuple(found)


def _key_exchange(body: bytes, found: Choice) -> Choice:
    """With the group of ECDHE, or the bits of DHE's prime; as it was of other kinds."""
    # What is not asked for need not be loaded.
    from harness.scan.suites import by_code

    parts = by_code(found.cipher)
    if parts is None or "PSK" in parts.authentication:
        # A hint for the key comes first there (RFC 4279 2).
        return found
    if parts.key_exchange == "ECDHE" and body[0] == _NAMED_CURVE:
        return replace(found, group=int.from_bytes(body[1:3], "big"))
    if parts.key_exchange == "DHE":
        prime = body[2 : 2 + int.from_bytes(body[:2], "big")]
        return replace(found, dh_bits=int.from_bytes(prime, "big").bit_length())
    return found


def _ssl2_answer(data: bytes) -> Ssl2Choice | None:
    length = struct.unpack("!H", data[:2])[0] & 0x7FFF
    if len(data) < 2 + length:
        return None
    certificate, specs = struct.unpack("!HH", data[7:11])
    start = 13 + certificate
    codes = range(start, start + specs, 3)
    return Ssl2Choice(tuple(int.from_bytes(data[at : at + 3], "big") for at in codes))
