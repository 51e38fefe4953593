"""The scan: its hellos read by a real OpenSSL, and the elimination on servers known for sure."""

from __future__ import annotations

import contextlib
import ssl
import struct
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.ciphers import Cipher, all_ciphers
from harness.scan.choice import Choice
from harness.scan.client_hello import (
    ClientHello,
    encode_client_hello,
)
from harness.scan.coroutines import (
    NotMeasuredError,
    run_parts,
)
from harness.scan.elimination import (
    VersionSuites,
    find_suites,
    parts_of,
)
from harness.scan.result import (
    Accepted,
    ScanResult,
    find_weakest,
)
from harness.scan.scanning import list_accepted
from harness.scan.server_hello import Alert, Answer, Ssl2Choice, parse_answer
from harness.scan.suites import suite_parts
from harness.targets.pki import Pki
from harness.tls import Protocol

#: SSLv2's first: TLS has suites of the same names.
BY_NAME = {cipher.name: cipher for cipher in sorted(all_ciphers(), key=lambda cipher: -cipher.ssl2)}
OLD = [cipher for cipher in all_ciphers() if cipher.belongs_to(Protocol.TLSv1)]


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


def hello(protocol: Protocol, codes: Sequence[int]) -> ClientHello:
    """A question for these suites."""
    return ClientHello(protocol, tuple(codes))


def answered(server: ssl.SSLContext, question: ClientHello) -> Answer | None:
    """What the real server says to a hello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    end = server.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(encode_client_hello(question, "mx.test"))
    # It wants more, or says no; its bytes tell which.
    with contextlib.suppress(ssl.SSLError):
        end.do_handshake()
    return parse_answer(outgoing.read(), question)


def scanned(
    server: Callable[[ClientHello], Answer], protocols: Iterable[Protocol]
) -> tuple[list[VersionSuites], int]:
    """What elimination finds on a server, and in how many questions."""
    versions = [VersionSuites(protocol) for protocol in protocols]
    return versions, run_parts([find_suites(version) for version in versions], server)


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
    got = answered(server, hello(protocol, [BY_NAME[name].code for name in names]))
    assert isinstance(got, Choice)
    assert (got.version, got.cipher) == (protocol, BY_NAME[chosen].code)


def test_a_real_servers_no_is_an_alert(server: ssl.SSLContext) -> None:
    """Protects refusals: no suite in common is told by the server, not guessed."""
    question = hello(Protocol.TLSv1_2, [BY_NAME["NULL-SHA"].code])
    assert isinstance(answered(server, question), Alert)


def test_elimination_finds_just_what_a_real_server_has(server: ssl.SSLContext) -> None:
    """Protects the whole: of a server with two suites and TLSv1.3's, these and no more."""

    def ask(question: ClientHello) -> Answer:
        return answered(server, question) or Alert(-1)

    (old, new), _ = scanned(ask, [Protocol.TLSv1_2, Protocol.TLSv1_3])
    assert {cipher.name for cipher in old.suites} == {"ECDHE-RSA-AES128-GCM-SHA256", "AES256-SHA"}
    assert {"TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"} <= {
        cipher.name for cipher in new.suites
    }
    assert old.not_measured == new.not_measured == {}


@given(chosen=st.lists(st.sampled_from(OLD), unique=True), prefers=st.booleans())
def test_elimination_is_whole_and_takes_no_handshake_too_many(
    chosen: list[Cipher], prefers: bool
) -> None:
    """Protects speed and truth: whatever is accepted, in whatever order, is found, and no more.

    In accepted + parts handshakes, and one or two for the order; where the server's preference
    counts, its order is found too.
    """
    order = [cipher.code for cipher in chosen]

    def ask(question: ClientHello) -> Answer:
        common = [code for code in question.ciphers if code in order]
        if not common:
            return Alert(40)
        return Choice(question.protocol, min(common, key=order.index) if prefers else common[0])

    (suites,), count = scanned(ask, [Protocol.TLSv1])
    assert sorted(cipher.code for cipher in suites.suites) == sorted(order)
    assert count <= len(order) + len(parts_of(Protocol.TLSv1, OLD)) + 2
    if len(order) > 1:
        assert suites.order == ("server" if prefers else "client")
    if prefers:
        assert [cipher.code for cipher in suites.in_order] == order


@given(chosen=st.sets(st.sampled_from(OLD)), broken=st.sets(st.sampled_from(OLD)))
def test_a_server_that_chooses_what_it_cannot_do_hides_nothing_of_another_kind(
    chosen: set[Cipher], broken: set[Cipher]
) -> None:
    """Protects truth with old libraries: an alert speaks for one kind of key exchange at most."""
    codes, bad = {cipher.code for cipher in chosen}, {cipher.code for cipher in broken}

    def ask(question: ClientHello) -> Answer:
        common = [code for code in question.ciphers if code in codes | bad]
        if not common or min(common) in bad:
            return Alert(40)
        return Choice(question.protocol, min(common))

    (suites,), _ = scanned(ask, [Protocol.TLSv1])
    got = {cipher.code for cipher in suites.suites}
    assert got <= codes - bad
    for part in parts_of(Protocol.TLSv1, OLD).values():
        kind = {cipher.code for cipher in part}
        if not kind & bad:
            assert kind & codes <= got


def test_a_version_that_is_refused_takes_one_handshake() -> None:
    """Protects speed: the alert protocol_version speaks for all suites."""
    (suites,), count = scanned(lambda _: Alert(70), [Protocol.TLSv1])
    assert (suites.suites, count) == ([], 1)


def test_a_choice_of_another_version_is_a_refusal_of_this_one() -> None:
    """Protects from who answers TLSv1.1's hello in TLSv1: that is TLSv1's suite, not its."""
    code = BY_NAME["AES256-SHA"].code
    (suites,), _ = scanned(lambda _: Choice(Protocol.TLSv1, code), [Protocol.TLSv1_1])
    assert suites.suites == []


def test_what_came_to_nothing_is_no_refusal() -> None:
    """Protects from sslyze's mistake: a time-out is not measured, and what was found stays."""

    def ask(question: ClientHello) -> Answer:
        if BY_NAME["AES256-SHA"].code in question.ciphers:
            return Choice(question.protocol, BY_NAME["AES256-SHA"].code)
        raise NotMeasuredError("no answer in 5 s")

    (suites,), _ = scanned(ask, [Protocol.TLSv1])
    assert [cipher.name for cipher in suites.suites] == ["AES256-SHA"]
    assert suites.not_measured["TLSv1 ECDHE"] == "no answer in 5 s"


def test_ssl2_takes_one_handshake_and_leaves_the_choice() -> None:
    """Protects the oldest: a SERVER-HELLO of SSLv2 lists what is in common (draft-hickman)."""
    body = bytes([4, 0, 1, 0, 2, 0, 3, 0, 6, 0, 16]) + b"abc" + bytes.fromhex("010080030080")
    message = (0x8000 | len(body) + 16).to_bytes(2, "big") + body + bytes(16)
    question = hello(Protocol.SSLv2, [0x010080])
    assert parse_answer(message, question) == Ssl2Choice((0x010080, 0x030080))
    assert parse_answer(message[:9], question) is None
    sent = encode_client_hello(question, "mx.test")
    assert sent[2:5] == bytes([1, 0, 2])
    assert int.from_bytes(sent[:2], "big") & 0x7FFF == len(sent) - 2
    (suites,), count = scanned(lambda _: Ssl2Choice((0x010080, 0x999999)), [Protocol.SSLv2])
    assert ([cipher.name for cipher in suites.suites], count) == (["RC4-MD5"], 1)


@given(data=st.binary(max_size=80), protocol=st.sampled_from(list(Protocol)), whole=st.booleans())
def test_any_bytes_are_an_answer_or_an_error_of_the_servers(
    data: bytes, protocol: Protocol, whole: bool
) -> None:
    """Protects the scan of strangers: whatever a server sends, nothing else is raised."""
    for start in (b"", b"\x16\x03\x03\x00", b"\x16\x03\x03\x00\x30\x02\x00\x00\x2c\x03\x03"):
        with contextlib.suppress(ValueError):
            parse_answer(start + data, ClientHello(protocol, (0xC02F,), whole=whole))


def test_an_answer_in_pieces_is_waited_for(server: ssl.SSLContext) -> None:
    """Protects from half an answer: no prefix of a real flight answers otherwise than the whole."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    end = server.wrap_bio(incoming, outgoing, server_side=True)
    codes = (BY_NAME["ECDHE-RSA-AES128-GCM-SHA256"].code,)
    question = ClientHello(Protocol.TLSv1_2, codes, whole=True)
    incoming.write(encode_client_hello(question, "mx.test"))
    with pytest.raises(ssl.SSLWantReadError):
        end.do_handshake()
    flight = outgoing.read()
    got = parse_answer(flight, question)
    assert isinstance(got, Choice)
    assert got.group == 29
    assert len(got.certificates) == 1
    assert {parse_answer(flight[:at], question) for at in range(len(flight))} <= {None, got}


def test_alerts_end_what_they_end(server: ssl.SSLContext) -> None:
    """Protects the map from chance: an alert in the same segment undoes no choice before it.

    A warning about the server's name is none, and what is asked for as a whole is not whole then.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    end = server.wrap_bio(incoming, outgoing, server_side=True)
    question = hello(Protocol.TLSv1_2, [BY_NAME["AES256-SHA"].code])
    incoming.write(encode_client_hello(question, "mx.test"))
    with pytest.raises(ssl.SSLWantReadError):
        end.do_handshake()
    flight, fatal = outgoing.read(), bytes([21, 3, 3, 0, 2, 2, 40])
    (length,) = struct.unpack("!H", flight[3:5])
    alone = flight[: 5 + length]
    assert isinstance(parse_answer(alone + fatal, question), Choice)
    assert parse_answer(fatal, question) == Alert(40)
    whole = ClientHello(question.protocol, question.ciphers, whole=True)
    assert isinstance(parse_answer(flight, whole), Choice)
    # The handshake's messages come in records of their own here: hello, then certificate.
    assert parse_answer(alone + fatal, whole) == Alert(40)
    warning = bytes([21, 3, 3, 0, 2, 1, 112])
    assert parse_answer(warning, question) is None
    assert isinstance(parse_answer(warning + flight, question), Choice)


def test_every_suite_belongs_to_a_version_and_to_one_part() -> None:
    """Protects the table: no suite is asked twice in a version, and none is forgotten."""
    for protocol in Protocol:
        speaking = [cipher for cipher in all_ciphers() if cipher.belongs_to(protocol)]
        parts = parts_of(protocol, speaking)
        codes = [cipher.code for part in parts.values() for cipher in part]
        assert sorted(codes) == sorted(cipher.code for cipher in speaking)
        assert len(codes) == len(set(codes)) > 0
    assert BY_NAME["TLS_AES_128_GCM_SHA256"].belongs_to(Protocol.TLSv1_3)
    assert not BY_NAME["TLS_AES_128_GCM_SHA256"].belongs_to(Protocol.TLSv1_2)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("ECDHE-RSA-AES256-GCM-SHA384", ("ECDHE RSA", "AES-256-GCM", "AEAD")),
        ("AES128-SHA", ("RSA", "AES-128-CBC", "SHA1")),
        ("EXP-RC4-MD5", ("RSA export", "RC4-40", "MD5")),
        ("ADH-DES-CBC3-SHA", ("DHE anonymous", "3DES-EDE-CBC", "SHA1")),
        ("TLS_AES_128_GCM_SHA256", ("(EC)DHE", "AES-128-GCM", "AEAD")),
        ("RC4-64-MD5", ("RSA", "RC4-64", "MD5")),
        ("NULL-SHA256", ("RSA", "NULL", "SHA256")),
        ("DHE-PSK-AES128-CBC-SHA256", ("DHE PSK", "AES-128-CBC", "SHA256")),
    ],
)
def test_a_suites_parts_are_told_by_its_registered_name(
    name: str, parts: tuple[str, str, str]
) -> None:
    """Protects the classes: key exchange, cipher and MAC are those of the suite's definition."""
    assert tuple(suite_parts(BY_NAME[name]).part.values()) == parts


def test_every_suite_has_parts_in_every_class() -> None:
    """Protects the marks: no name of the table is left without one of the classes."""
    for cipher in all_ciphers():
        parts = suite_parts(cipher).part
        assert all(parts.values()), cipher
        assert not any("_" in text for text in (parts["cipher"], parts["MAC"])), cipher


def test_the_weakest_of_each_class_are_marked() -> None:
    """Protects the marks: each class has its own weakest, and none where all are alike."""
    names = ["ECDHE-RSA-AES256-GCM-SHA384", "ADH-AES256-SHA", "DES-CBC3-SHA", "AES256-SHA"]
    weakest_by_class = find_weakest(Accepted(Protocol.TLSv1_2, BY_NAME[name]) for name in names)
    assert weakest_by_class == {
        "key exchange": {"ADH-AES256-SHA"},
        "cipher": {"DES-CBC3-SHA"},
        "MAC": {"ADH-AES256-SHA", "DES-CBC3-SHA", "AES256-SHA"},
    }
    assert find_weakest([Accepted(Protocol.TLSv1, BY_NAME["AES256-SHA"])]) == {}


def test_a_map_tells_the_suites_of_one_version_in_the_servers_order() -> None:
    """Protects the page: what the server prefers stands first; where it does not, by number."""
    first, second = BY_NAME["AES256-SHA"], BY_NAME["AES128-SHA"]
    of_client = VersionSuites(Protocol.TLSv1, [first, second], "client")
    of_server = VersionSuites(Protocol.TLSv1_1, [first, second], "server")
    result = ScanResult(list_accepted([of_client, of_server]))
    assert [suite.cipher for suite in result.of(Protocol.TLSv1)] == [
        "AES128-SHA",
        "AES256-SHA",
    ]
    assert [suite.cipher for suite in result.of(Protocol.TLSv1_1)] == [
        "AES256-SHA",
        "AES128-SHA",
    ]
