"""The scan: its hellos read by a real OpenSSL, and the elimination on servers known for sure."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.ciphers import Cipher, all_ciphers
from harness.clients.scan.dialogue import NotMeasuredError
from harness.clients.scan.elimination import eliminate, parts_of
from harness.clients.scan.messages import (
    Alert,
    Answer,
    Choice,
    Ssl2Choice,
    answer,
    client_hello,
)
from harness.targets.pki import Pki
from harness.tls import Protocol

BY_NAME = {one.name: one for one in all_ciphers()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A real OpenSSL's server with an RSA certificate, two suites of TLSv1.2 and all of TLSv1.3."""
    folder, pair = tmp_path_factory.mktemp("scan"), Pki().pair("RSA")
    (folder / "c.pem").write_text(pair.certificate)
    (folder / "k.pem").write_text(pair.key)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "c.pem", folder / "k.pem")
    made.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA:@SECLEVEL=0")
    return made


def answered(server: ssl.SSLContext, hello: bytes) -> Answer | None:
    """What the real server says to these bytes."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    end = server.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello)
    # It wants more, or says no; its bytes tell which.
    with contextlib.suppress(ssl.SSLError):
        end.do_handshake()
    return answer(outgoing.read())


@pytest.mark.parametrize(
    ("protocol", "names", "chosen"),
    [
        (Protocol.TLSv1_2, ["AES256-SHA", "AES128-SHA"], "AES256-SHA"),
        (Protocol.TLSv1_2, ["ECDHE-RSA-AES128-GCM-SHA256"], "ECDHE-RSA-AES128-GCM-SHA256"),
        (Protocol.TLSv1_3, ["TLS_CHACHA20_POLY1305_SHA256"], "TLS_CHACHA20_POLY1305_SHA256"),
    ],
)
def test_a_real_server_chooses_from_our_hello(
    server: ssl.SSLContext, protocol: Protocol, names: list[str], chosen: str
) -> None:
    """Protects the map: hellos made by hand are what a real OpenSSL takes, in each version."""
    hello = client_hello(protocol, [BY_NAME[name].code for name in names], "mx.test")
    assert answered(server, hello) == Choice(protocol, BY_NAME[chosen].code)


def test_a_real_servers_no_is_an_alert(server: ssl.SSLContext) -> None:
    """Protects refusals: no suite in common is told by the server, not guessed."""
    hello = client_hello(Protocol.TLSv1_2, [BY_NAME["NULL-SHA"].code], "mx.test")
    assert isinstance(answered(server, hello), Alert)


def test_elimination_finds_just_what_a_real_server_has(server: ssl.SSLContext) -> None:
    """Protects the whole: of a server with two suites and TLSv1.3's, these and no more."""

    async def ask(protocol: Protocol, codes: Sequence[int]) -> Answer:
        found = answered(server, client_hello(protocol, codes, "mx.test"))
        return found or Alert(-1)

    found = asyncio.run(eliminate(ask, [Protocol.TLSv1_2, Protocol.TLSv1_3]))
    assert {one.cipher for one in found.of(Protocol.TLSv1_2)} == {
        "ECDHE-RSA-AES128-GCM-SHA256",
        "AES256-SHA",
    }
    new = {one.cipher for one in found.of(Protocol.TLSv1_3)}
    assert {"TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"} <= new
    assert found.not_measured == {}


@given(
    chosen=st.sets(st.sampled_from([c for c in all_ciphers() if c.speaks(Protocol.TLSv1)])),
    prefers=st.booleans(),
)
def test_elimination_is_whole_and_takes_no_handshake_too_many(
    chosen: set[Cipher], prefers: bool
) -> None:
    """Protects speed and truth: accepted + parts handshakes, and two for the order."""
    codes = {one.code for one in chosen}
    asked = 0

    async def ask(protocol: Protocol, offered: Sequence[int]) -> Answer:
        nonlocal asked
        asked += 1
        common = [code for code in offered if code in codes]
        if not common:
            return Alert(40)
        return Choice(protocol, max(common) if prefers else common[0])

    found = asyncio.run(eliminate(ask, [Protocol.TLSv1]))
    assert {one.cipher for one in found.accepted} == {one.name for one in chosen}
    assert asked <= len(codes) + len(parts_of(Protocol.TLSv1)) + 2
    if len(codes) > 1:
        assert found.order == {"TLSv1": "server" if prefers else "client"}


def test_what_came_to_nothing_is_no_refusal() -> None:
    """Protects from sslyze's mistake: a time-out is not measured, and what was found stays."""

    async def ask(protocol: Protocol, offered: Sequence[int]) -> Answer:
        if BY_NAME["AES256-SHA"].code in offered:
            return Choice(protocol, BY_NAME["AES256-SHA"].code)
        raise NotMeasuredError("no answer in 5 s")

    found = asyncio.run(eliminate(ask, [Protocol.TLSv1]))
    assert [one.cipher for one in found.accepted] == ["AES256-SHA"]
    assert found.not_measured["TLSv1 ECDHE"] == "no answer in 5 s"


def test_ssl2_takes_one_handshake_and_leaves_the_choice() -> None:
    """Protects the oldest: a SERVER-HELLO of SSLv2 lists what is in common (draft-hickman)."""
    body = bytes([4, 0, 1, 0, 2, 0, 3, 0, 6, 0, 16]) + b"abc" + bytes.fromhex("010080030080")
    message = (0x8000 | len(body) + 16).to_bytes(2, "big") + body + bytes(16)
    assert answer(message) == Ssl2Choice((0x010080, 0x030080))
    assert answer(message[:9]) is None
    hello = client_hello(Protocol.SSLv2, [0x010080], "mx.test")
    assert hello[2:5] == bytes([1, 0, 2])
    assert int.from_bytes(hello[:2], "big") & 0x7FFF == len(hello) - 2


@given(data=st.binary(max_size=80))
def test_any_bytes_are_an_answer_or_an_error_of_the_servers(data: bytes) -> None:
    """Protects the scan of strangers: whatever a server sends, nothing else is raised."""
    with contextlib.suppress(ValueError):
        answer(data)


def test_every_suite_belongs_to_a_version_and_to_one_part() -> None:
    """Protects the table: no suite is asked twice in a version, and none is forgotten."""
    for protocol in Protocol:
        parts = parts_of(protocol)
        codes = [one.code for part in parts.values() for one in part]
        assert len(codes) == len(set(codes)) > 0
    assert BY_NAME["TLS_AES_128_GCM_SHA256"].speaks(Protocol.TLSv1_3)
    assert not BY_NAME["TLS_AES_128_GCM_SHA256"].speaks(Protocol.TLSv1_2)
