"""The drivers' reading of the wire: replies, records, and what counts as a ClientHello."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
if str(CLIENTS) not in sys.path:
    sys.path.append(str(CLIENTS))
wire: Any = importlib.import_module("common.wire")

#: The first bytes that OpenSSL 1.0.2h sent, as caught on the wire.
TLS_HELLO = bytes.fromhex("16030101100100010c0301")
SSL2_HELLO = bytes.fromhex("802501000200180000")
SSL23_HELLO = bytes.fromhex("807a010301005100000020")
HANDSHAKE_FAILURE = bytes.fromhex("15030000020228")
EHLO = b"250-mx.test\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250 CHUNKING\r\n"


@pytest.mark.parametrize("hello", [TLS_HELLO, SSL2_HELLO, SSL23_HELLO])
def test_a_client_hello_is_known_in_each_framing(hello: bytes) -> None:
    """Protects refused from client-incapable: an offer that was sent must count as sent."""
    assert wire.is_client_hello(hello)


@pytest.mark.parametrize(
    "first_bytes", [b"", HANDSHAKE_FAILURE, bytes.fromhex("160301000402"), b"EHLO client.test\r\n"]
)
def test_what_is_no_client_hello_does_not_count_as_one(first_bytes: bytes) -> None:
    """Protects client-incapable: an alert without a hello has offered nothing."""
    assert not wire.is_client_hello(first_bytes)


@given(cuts=st.lists(st.integers(0, len(EHLO)), max_size=6))
def test_replies_do_not_depend_on_how_the_stream_is_cut(cuts: list[int]) -> None:
    """Protects the dialogue from TCP: a reply in several segments is still one reply."""
    replies, complete, start = wire.Replies(), [], 0
    for end in [*sorted(cuts), len(EHLO)]:
        complete += replies.feed(EHLO[start:end])
        start = end
    assert [(reply.code, reply.text) for reply in complete] == [
        (250, "mx.test\nSIZE 10240000\nSTARTTLS\nCHUNKING")
    ]


def test_a_line_that_is_no_reply_ends_as_code_zero() -> None:
    """Protects against waiting for ever on a server that does not speak SMTP."""
    assert [reply.code for reply in wire.Replies().feed(b"SSH-2.0-OpenSSH\r\n")] == [0]


@pytest.mark.parametrize(
    ("reply", "announced"),
    [
        ("mx.test\nSTARTTLS", True),
        ("mx.test\nstarttls", True),
        ("mx.test\nAUTH PLAIN LOGIN", False),
        ("STARTTLS.example\nSIZE 1", False),
        ("STARTTLS", False),
        ("mx.test\nXSTARTTLS", False),
    ],
)
def test_starttls_is_announced_by_its_own_line_alone(reply: str, announced: bool) -> None:
    """Protects not-offered: neither the server's name nor another keyword announces STARTTLS."""
    contract: Any = importlib.import_module("common.contract")
    assert wire.announces_keyword(contract.Reply(250, reply), "STARTTLS") is announced


def test_an_alert_in_the_clear_is_named() -> None:
    """Protects the reason of a refusal: the server's alert is read off the wire."""
    records = wire.Records()
    assert records.feed(HANDSHAKE_FAILURE) == ["[SSLv3 alert: fatal handshake_failure]"]
    assert records.alert == "handshake_failure"


def test_sealed_records_are_mentioned_once_and_never_read() -> None:
    """Protects from inventing alerts out of encrypted bytes, and keeps the dialogue short."""
    sealed = bytes.fromhex("140303000101") + bytes.fromhex("15030300020228") * 3
    records = wire.Records()
    assert records.feed(sealed) == ["[TLSv1.2 sealed from here on]"]
    assert records.alert is None


def test_ssl2_is_not_read_as_tls_after_its_first_message() -> None:
    """Protects from nonsense in the dialogue of SSLv2, whose framing differs."""
    records = wire.Records()
    server_hello = bytes.fromhex("8003040001")
    assert records.feed(server_hello) == ["[SSLv2 SERVER-HELLO, 5 bytes]"]
    assert records.feed(bytes.fromhex("002803150300000202")) == ["[SSLv2 sealed from here on]"]
    assert records.feed(HANDSHAKE_FAILURE) == []


@example(data=b"\x80\x00abc")
@example(data=b"\x80\x01\x01\x00\x02")
@given(data=st.binary(max_size=200))
def test_records_take_any_bytes(data: bytes) -> None:
    """Protects the relay: whatever a broken peer sends, reading along does not fail."""
    names = wire.Records().feed(data)
    assert all(name.startswith("[") for name in names)
