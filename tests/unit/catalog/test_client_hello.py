"""Recorded ClientHellos: read from real bytes, written anew, and refused where they are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.catalog.client_hello import (
    ClientHelloError,
    RecordedHello,
    parse_recorded_hello,
    write_fresh_hello,
)
from harness.catalog.key_shares import make_key_share
from harness.catalog.recordings import Recording, all_recordings
from harness.scan.client_hello import KEY_SHARE, SERVER_NAME

BY_NAME = {recording.client: recording for recording in all_recordings()}
PADDING, TICKET, PRE_SHARED_KEY = 21, 35, 41
#: What Windows XP's Schannel sent: SSLv2's framing, up to SSLv3.
SSL2_FRAMED = BY_NAME["hello-outlook-winxp-ie6"]
THUNDERBIRD = BY_NAME["hello-thunderbird-91"]


def values(hello: RecordedHello) -> dict[int, bytes]:
    """The extensions by type."""
    return dict(hello.extensions or ())


@pytest.mark.parametrize("recording", all_recordings(), ids=lambda recording: recording.client)
def test_a_fresh_hello_offers_what_was_recorded(recording: Recording) -> None:
    """Protects the simulation: versions, ciphers, groups and the order of extensions are kept, and
    nothing that has to be fresh is sent twice.
    """
    recorded = recording.hello
    first, second = (parse_recorded_hello(write_fresh_hello(recorded, "mx.test")) for _ in range(2))
    assert first.random not in (recorded.random, second.random)
    kept = replace(first, random=recorded.random, session_id=recorded.session_id, extensions=None)
    assert kept == replace(recorded, extensions=None)
    dropped = {PADDING, PRE_SHARED_KEY}
    order = [kind for kind, _ in recorded.extensions or () if kind not in dropped]
    assert [kind for kind, _ in first.extensions or () if kind != PADDING] == order
    changed = dropped | {SERVER_NAME, KEY_SHARE, TICKET}
    for kind, value in values(first).items():
        assert kind in changed or value == values(recorded)[kind]


def test_the_server_name_is_that_of_the_server_or_is_left_out() -> None:
    """Protects servers with several certificates: no name of the recorded web server is sent."""
    named = parse_recorded_hello(write_fresh_hello(THUNDERBIRD.hello, "mx.test"))
    assert values(named)[SERVER_NAME].endswith(b"mx.test")
    nameless = parse_recorded_hello(write_fresh_hello(THUNDERBIRD.hello, ""))
    assert SERVER_NAME not in values(nameless)


def test_key_shares_are_fresh_and_of_the_recorded_groups() -> None:
    """Protects TLSv1.3: a server cannot meet the same key twice, and gets keys of the same size."""
    share = values(THUNDERBIRD.hello)[KEY_SHARE]
    fresh = values(parse_recorded_hello(write_fresh_hello(THUNDERBIRD.hello, "mx.test")))[KEY_SHARE]
    assert len(fresh) == len(share)
    assert fresh[:6] == share[:6]
    assert fresh != share


def test_padding_fits_the_new_length() -> None:
    """Protects servers that hang on a hello of 256 to 511 bytes (RFC 7685)."""
    for name in ("a.test", "a-much-longer-name-than-that.example.test"):
        hello = write_fresh_hello(THUNDERBIRD.hello, name)
        assert len(hello) == 5 + 512


def test_a_hybrid_key_passes_the_servers_check() -> None:
    """Protects hellos with ML-KEM: each coefficient is below the prime (FIPS 203, 7.2)."""
    key = make_key_share(4588, b"", lambda count: b"\xff" * count)
    assert len(key) == 1184 + 32
    number = int.from_bytes(key[:1152], "little")
    assert all((number >> 12 * place) % 4096 < 3329 for place in range(768))


def test_a_hello_in_ssl2s_framing_has_a_fresh_challenge() -> None:
    """Protects the oldest clients: their framing is kept."""
    fresh = write_fresh_hello(SSL2_FRAMED.hello, "mx.test")
    assert fresh[:1] >= b"\x80"
    assert parse_recorded_hello(fresh).ciphers == SSL2_FRAMED.hello.ciphers
    assert SSL2_FRAMED.hello.is_ssl2_framed


HELLO = write_fresh_hello(BY_NAME["hello-openssl-0.9.8"].hello, "mx.test")
SSL2 = write_fresh_hello(SSL2_FRAMED.hello, "")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "it is empty"),
        (b"220 mx.test ESMTP", "its first byte is 0x32"),
        (HELLO[:60], "it is cut off: the record has 107 bytes, and 55 follow"),
        (HELLO + b"\x15\x03\x01\x00\x02\x01\x00", "a record of type 21 follows"),
        (HELLO[:5] + b"\x02" + HELLO[6:], "its message has type 2"),
        (HELLO[:1] + b"\x09" + HELLO[2:], "its record has version 0x0901"),
        (HELLO[:43] + b"\xff" + HELLO[44:], "the session id has 255 bytes"),
        (SSL2[:30], "it is cut off: the hello has 79 bytes, and 28 follow"),
        (SSL2[:6] + b"\x00" + SSL2[7:], "bytes"),
        (SSL2 + b"\x00", "1 bytes follow the challenge"),
    ],
    # Hellos are fresh, so each process of a test run would name them otherwise.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_hello_is_named(data: bytes, what: str) -> None:
    """Protects users' recordings: what is wrong is said, and nothing is sent."""
    with pytest.raises(ClientHelloError, match=what):
        parse_recorded_hello(data)
