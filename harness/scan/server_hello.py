"""Parses a server's first flight: its choice, its certificates and its key exchange.

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
    """The suites that an SSLv2 server has in common with the client, which makes the choice."""

    ciphers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert of the server by its number (RFC 8446 B.2)."""

    number: int


#: A close in place of an alert is a refusal as well; a time-out never is.
CLOSED = Alert(-1)
#: The version is refused, whatever suites are offered.
PROTOCOL_VERSION = Alert(70)
UNRECOGNIZED_NAME = 112

Answer = Choice | Ssl2Choice | Alert


def parse_answer(data: bytes, hello: ClientHello, record: bytes = b"") -> Answer | None:
    """Parse the bytes that were received so far; None: more are needed.

    ``record`` is the record that was sent; it is needed where the hello has a ``read``.

    Raises:
        ValueError: the bytes are not an answer of TLS or SSL.
    """
    if len(data) < 3:
        return None
    if data[0] & 0x80 and data[2] == 4:
        return _parse_ssl2_answer(data) if len(data) >= 13 else None
    if data[0] not in (RECORD_ALERT, RECORD_HANDSHAKE):
        raise ValueError(f"not TLS: {data[:16]!r}")
    try:
        return _parse_tls_answer(data, hello, record)
    except (IndexError, struct.error):
        raise ValueError(f"a truncated handshake: {data[:48]!r}") from None


def _parse_tls_answer(data: bytes, hello: ClientHello, record: bytes) -> Answer | None:
    stream, alert = _read_until_alert(data)
    choice: Choice | None = None
    for kind, body in split_messages(stream):
        if choice is None:
            if kind != SERVER_HELLO:
                raise ValueError(f"not a ServerHello: {data[:16]!r}")
            choice = _parse_server_hello(body)
            if choice.version is Protocol.TLSv1_3:
                return _add_encrypted_certificates(data, hello, record, choice)
            if not hello.whole:
                return choice
        elif kind == CERTIFICATE:
            choice = replace(choice, certificates=_parse_certificates(body))
        elif kind == SERVER_KEY_EXCHANGE:
            return _add_key_exchange(body, choice)
        elif kind == SERVER_HELLO_DONE:
            return choice
    return alert


def _read_until_alert(data: bytes) -> tuple[bytes, Alert | None]:
    """The handshake messages up to an alert, and the alert that ended them.

    A choice before an alert counts, even if both are received at the same time.
    """
    stream = b""
    for kind, content in split_records(data):
        if kind == RECORD_HANDSHAKE:
            stream += content
        # A warning about the server name that we sent does not end a handshake (RFC 6066 3).
        elif kind == RECORD_ALERT and len(content) >= 2 and content[1] != UNRECOGNIZED_NAME:
            return stream, Alert(content[1])
    return stream, None


def _add_encrypted_certificates(
    data: bytes, hello: ClientHello, record: bytes, choice: Choice
) -> Choice | None:
    """A choice of TLSv1.3 with the certificates, if requested and if the server continues."""
    if hello.read is None or not hello.whole or choice.message[6:38] == RETRY:
        return choice
    chain = hello.read(record[5:], data, choice)
    return None if chain is None else replace(choice, certificates=chain)


def split_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The complete records of a stream: type and content (RFC 8446 5.1)."""
    at = 0
    while at + 5 <= len(data):
        kind, _, length = struct.unpack_from("!BHH", data, at)
        if at + 5 + length > len(data):
            return
        yield kind, data[at + 5 : at + 5 + length]
        at += 5 + length


def split_messages(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """The complete handshake messages: type and body (RFC 8446 4)."""
    at = 0
    while at + 4 <= len(stream):
        end = at + 4 + int.from_bytes(stream[at + 1 : at + 4], "big")
        if end > len(stream):
            return
        yield stream[at], stream[at + 4 : end]
        at = end


def _parse_server_hello(body: bytes) -> Choice:
    (version,) = struct.unpack_from("!H", body, 0)
    place = 34 + 1 + body[34]
    (cipher,) = struct.unpack_from("!H", body, place)
    group, share = None, b""
    for kind, value in split_extensions(body[place + 3 :]):
        if kind == SUPPORTED_VERSIONS:
            (version,) = struct.unpack("!H", value)
        elif kind == KEY_SHARE:
            (group,) = struct.unpack_from("!H", value)
            share = value[4:]
    if version not in _BY_NUMBER:
        raise ValueError(f"unknown version {version:#06x}")
    message = bytes([SERVER_HELLO]) + len(body).to_bytes(3, "big") + body
    return Choice(_BY_NUMBER[version], cipher, group, message=message, share=share)


def split_extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The extensions of a record: type and value (RFC 8446 4.2)."""
    at = 2
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def _parse_certificates(body: bytes) -> tuple[bytes, ...]:
    """The certificate chain, DER (RFC 5246 7.4.2)."""
    certificates, at = [], 3
    while at + 3 <= len(body):
        length = int.from_bytes(body[at : at + 3], "big")
        certificates.append(body[at + 3 : at + 3 + length])
        at += 3 + length
    return tuple(certificates)


def _add_key_exchange(body: bytes, choice: Choice) -> Choice:
    """The choice with the group of ECDHE or the size of DHE's prime; other kinds unchanged."""
    # A scan without details does not need this module.
    from harness.scan.suites import by_code

    parts = by_code(choice.cipher)
    if parts is None or "PSK" in parts.authentication:
        # There, a hint for the key precedes the other fields (RFC 4279 2).
        return choice
    if parts.key_exchange == "ECDHE" and body[0] == _NAMED_CURVE:
        return replace(choice, group=int.from_bytes(body[1:3], "big"))
    if parts.key_exchange == "DHE":
        prime = body[2 : 2 + int.from_bytes(body[:2], "big")]
        return replace(choice, dh_bits=int.from_bytes(prime, "big").bit_length())
    return choice


def _parse_ssl2_answer(data: bytes) -> Ssl2Choice | None:
    length = struct.unpack("!H", data[:2])[0] & 0x7FFF
    if len(data) < 2 + length:
        return None
    certificate, specs = struct.unpack("!HH", data[7:11])
    start = 13 + certificate
    codes = range(start, start + specs, 3)
    return Ssl2Choice(tuple(int.from_bytes(data[at : at + 3], "big") for at in codes))
