"""The driver of recorded hellos: a server's first flight as bytes, and what it makes of it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.scan.client_hello import encode_vector

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
for folder in (CLIENTS, CLIENTS / "hello"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
flight_module: Any = importlib.import_module("server_flight")
relay_module: Any = importlib.import_module("hello_relay")

RANDOM = bytes(range(32))
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def record(kind: int, body: bytes, version: bytes = b"\x03\x03") -> bytes:
    """A record of TLS."""
    return bytes([kind]) + version + encode_vector(2, body)


def message(kind: int, body: bytes) -> bytes:
    """A handshake message in a record of its own."""
    return record(22, bytes([kind]) + encode_vector(3, body))


def server_hello(cipher: int, extensions: bytes = b"", random: bytes = RANDOM) -> bytes:
    """A ServerHello of TLSv1.2; extensions may make it one of TLSv1.3."""
    body = b"\x03\x03" + random + b"\x00" + cipher.to_bytes(2, "big") + b"\x00"
    return message(2, body + (encode_vector(2, extensions) if extensions else b""))


#: Of TLSv1.3 (RFC 8446 4.1.3): the version, and the server's key of X25519; or the group alone.
VERSION = b"\x00\x2b\x00\x02\x03\x04"
SHARE = b"\x00\x33" + encode_vector(2, b"\x00\x1d" + encode_vector(2, RANDOM))
GROUP = b"\x00\x33\x00\x02\x00\x18"
DONE = message(14, b"")
DHE_RSA_AES256_SHA, ECDHE_RSA_AES128, TLS13_AES128 = 0x0039, 0xC02F, 0x1301


def read_flight(data: bytes, cut: int = 1) -> Any:
    """The flight, given to it in pieces."""
    flight = flight_module.ServerFlight()
    for at in range(0, len(data), cut):
        flight.feed(data[at : at + cut])
    return flight


@pytest.mark.parametrize("cut", [1, 7, 100000])
def test_a_flight_is_read_to_its_end_whichever_way_it_is_cut(cut: int) -> None:
    """Protects the facts that limits are applied to: the prime, the certificate, the request."""
    prime = encode_vector(2, b"\x80" + bytes(127)) + encode_vector(2, b"\x02")
    certificate = message(11, encode_vector(3, encode_vector(3, b"der")))
    data = server_hello(DHE_RSA_AES256_SHA) + certificate
    data += message(12, prime) + message(13, b"\x01\x01\x00\x00") + DONE
    flight = read_flight(data, cut)
    assert flight.is_done
    assert flight.chosen.version == "TLSv1.2"
    assert flight.prime_bits("DHE-RSA-AES256-SHA") == 1024
    assert flight.prime_bits("ECDHE-RSA-AES256-SHA") is None
    assert flight.requests_certificate
    assert "BEGIN CERTIFICATE" in flight.certificate


def test_an_elliptic_exchange_has_a_group_and_no_prime() -> None:
    """Protects the group of what would be negotiated."""
    data = server_hello(ECDHE_RSA_AES128) + message(12, b"\x03\x00\x17\x41" + bytes(65)) + DONE
    flight = read_flight(data)
    assert flight.curve == 23
    assert flight.prime_bits("ECDHE-RSA-AES128-GCM-SHA256") is None


def test_of_tls13_the_server_hello_is_the_end() -> None:
    """Protects against waiting for what only a real client could decrypt."""
    flight = read_flight(server_hello(TLS13_AES128, VERSION + SHARE))
    assert flight.is_done
    assert (flight.chosen.version, flight.chosen.group, flight.chosen.retry) == (
        "TLSv1.3",
        29,
        False,
    )
    retry = read_flight(server_hello(TLS13_AES128, VERSION + GROUP, RETRY))
    assert (retry.chosen.group, retry.chosen.retry) == (24, True)


def test_alerts_end_a_flight_and_warnings_do_not() -> None:
    """Protects refusals: unrecognized_name is a warning, after which the handshake goes on."""
    warned = read_flight(record(21, b"\x01\x70") + server_hello(DHE_RSA_AES256_SHA) + DONE)
    assert warned.alert is None
    assert warned.is_done
    assert read_flight(record(21, b"\x02\x46")).alert == "protocol_version"


def test_a_truncated_flight_is_not_done() -> None:
    """Protects against a choice that the server did not finish."""
    data = server_hello(DHE_RSA_AES256_SHA) + DONE
    assert not any(read_flight(data[:end]).is_done for end in range(len(data)))


def test_an_answer_of_ssl2_names_the_ciphers_in_common() -> None:
    """Protects SSLv2, where the client chooses (draft-hickman-netscape-ssl-00)."""
    body = b"\x04\x00\x01\x00\x02" + b"\x00\x03" + b"\x00\x03" + b"\x00\x10"
    body += b"der" + b"\x07\x00\xc0" + RANDOM[:16]
    flight = read_flight((0x8000 | len(body)).to_bytes(2, "big") + body)
    assert flight.ssl2_ciphers == (0x0700C0,)


def test_what_is_no_tls_is_said() -> None:
    """Protects against SMTP in the clear that is taken for a refusal in the handshake."""
    with pytest.raises(flight_module.NotTls, match="not TLS"):
        read_flight(b"220 mx.test ESMTP Postfix\r\n", 100)


HELLO = record(22, b"\x01" + encode_vector(3, bytes(40)), b"\x03\x01")


def test_the_relay_finds_the_hello_after_starttls() -> None:
    """Protects ``clients record``: nothing of the dialogue in the clear is taken for a hello."""
    capture = relay_module.HelloCapture(implicit_tls=False)
    capture.take_from_server(b"220 mx.test ESMTP\r\n")
    capture.take_from_client(b"EHLO client.test\r\n")
    capture.take_from_server(b"250-mx.test\r\n250 STARTTLS\r\n")
    capture.take_from_client(b"STARTTLS\r\n")
    assert capture.hello == b""
    capture.take_from_server(b"220 2.0.0 Ready to start TLS\r\n")
    capture.take_from_client(HELLO[:9])
    assert capture.hello == b""
    capture.take_from_client(HELLO[9:] + b"more")
    assert capture.hello == HELLO


def test_a_hello_of_two_records_is_taken_whole() -> None:
    """Protects large hellos, which a library may cut into several records."""
    body = b"\x01" + encode_vector(3, bytes(60))
    parts = record(22, body[:20]) + record(22, body[20:])
    assert relay_module.cut_client_hello(parts + b"\x17") == parts
    assert relay_module.cut_client_hello(parts[:-1]) == b""
    assert relay_module.cut_client_hello(b"QUIT\r\n") == b""
