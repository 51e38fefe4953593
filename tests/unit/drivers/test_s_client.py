"""The s_client driver: the command lines it makes, and what it makes of the output and the wire."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
for folder in (CLIENTS, CLIENTS / "openssl"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
contract: Any = importlib.import_module("common.contract")
relay: Any = importlib.import_module("common.relay")
s_client: Any = importlib.import_module("s_client")
speaker_module: Any = importlib.import_module("common.speaker")

#: Pieces of what the two programs print (1.0.2h and Debian 12's), as they print it.
USAGE_1_0_2 = """unknown option -help
usage: s_client args
 -cipher       - preferred cipher to use, use the 'openssl ciphers'
 -ssl2         - just use SSLv2
 -ssl3         - just use SSLv3
 -tls1_2       - just use TLSv1.2
 -tls1_1       - just use TLSv1.1
 -tls1         - just use TLSv1
 -no_tls1_2/-no_tls1_1/-no_tls1/-no_ssl3/-no_ssl2 - turn off that protocol
"""
USAGE_3_0 = """Usage: s_client [options] [host:port]
 -tls1                      Just use TLSv1
 -tls1_1                    Just use TLSv1.1
 -tls1_2                    Just use TLSv1.2
 -tls1_3                    Just use TLSv1.3
 -no_ssl3                   Just disable SSLv3
 -no_tls1                   Just disable TLSv1
 -no_tls1_1                 Just disable TLSv1.1
 -no_tls1_2                 Just disable TLSv1.2
 -no_tls1_3                 Just disable TLSv1.3
 -ciphersuites val          Specify TLSv1.3 ciphersuites to be used
 -legacy_server_connect     Option to allow legacy connections
"""
CIPHERS = """\
ECDHE-RSA-AES256-SHA    SSLv3 Kx=ECDH     Au=RSA  Enc=AES(256)  Mac=SHA1
NULL-SHA                SSLv3 Kx=RSA      Au=RSA  Enc=None      Mac=SHA1
TLS_CHACHA20_POLY1305_SHA256   TLSv1.3 Kx=any      Au=any   Enc=CHACHA20/POLY1305(256) Mac=AEAD
"""
OLD = s_client.Tool.from_outputs("/o", "OpenSSL 1.0.2h  3 May 2016", USAGE_1_0_2, CIPHERS)
NEW = s_client.Tool.from_outputs(
    "/o", "OpenSSL 3.0.22 25 Aug 2026 (Library: …)", USAGE_3_0, CIPHERS
)
HELLO = bytes.fromhex("16030101100100010c0301")
GREETING = b"220 mx.test ESMTP Postfix\r\n"
EHLO_REPLY = b"250-mx.test\r\n250-STARTTLS\r\n250 CHUNKING\r\n"


def list_options(tool: Any, lowest: str, highest: str) -> list[str]:
    """The command line's words for an offer, without the ciphers."""
    arguments: list[str] = tool.offer_options(contract.Offer(lowest, highest))
    return [word for word in arguments if word.startswith(("-ssl", "-tls", "-no_"))]


@pytest.mark.parametrize(
    ("tool", "lowest", "highest", "arguments"),
    [
        (OLD, "SSLv2", "SSLv2", ["-ssl2"]),
        (OLD, "TLSv1.1", "TLSv1.1", ["-tls1_1"]),
        (OLD, "SSLv3", "TLSv1", ["-no_ssl2", "-no_tls1_1", "-no_tls1_2"]),
        (NEW, "TLSv1.2", "TLSv1.3", ["-no_ssl3", "-no_tls1", "-no_tls1_1"]),
    ],
)
def test_exactly_the_offered_versions_are_asked_for(
    tool: Any, lowest: str, highest: str, arguments: list[str]
) -> None:
    """Protects the offer: one version by its own option, a range by leaving out the others."""
    assert list_options(tool, lowest, highest) == arguments


@pytest.mark.parametrize(
    ("tool", "lowest", "highest", "word"),
    [
        (OLD, "TLSv1.3", "TLSv1.3", "-tls1_3"),
        (OLD, "TLSv1.2", "TLSv1.3", "-tls1_3"),
        (NEW, "SSLv3", "SSLv3", "-ssl3"),
    ],
)
def test_a_version_that_the_tool_does_not_know_is_asked_for_all_the_same(
    tool: Any, lowest: str, highest: str, word: str
) -> None:
    """Protects client-incapable: the tool's own refusal is the evidence, not our table."""
    assert list_options(tool, lowest, highest) == [word]


def test_the_default_offer_has_no_options() -> None:
    """Protects default: the client as its user would run it."""
    assert NEW.offer_options(None) == []


def test_no_policy_of_the_library_stands_in_the_way_of_an_offer() -> None:
    """Protects offers of TLSv1 with OpenSSL 3; 1.0.2 would not understand a security level."""
    offer = contract.Offer("TLSv1", "TLSv1")
    assert "ALL:COMPLEMENTOFALL:@SECLEVEL=0" in NEW.offer_options(offer)
    assert "-legacy_server_connect" in NEW.offer_options(offer)
    assert "ALL:COMPLEMENTOFALL" in OLD.offer_options(offer)


def test_the_session_is_read_and_not_the_ciphers_class() -> None:
    """Protects the protocol: OpenSSL prints "New, TLSv1.0" for a session of TLSv1.1."""
    trace = contract.Trace()
    NEW.note_negotiated(
        "Server Temp Key: ECDH, prime256v1, 256 bits\n"
        "New, TLSv1.0, Cipher is ECDHE-RSA-AES256-SHA\n"
        "SSL-Session:\n    Protocol  : TLSv1.1\n    Cipher    : ECDHE-RSA-AES256-SHA\n",
        trace,
    )
    assert (trace.protocol, trace.cipher, trace.bits, trace.group) == (
        "TLSv1.1",
        "ECDHE-RSA-AES256-SHA",
        256,
        "prime256v1",
    )


def test_a_tls13_view_needs_no_session() -> None:
    """Protects TLSv1.3, where the session comes later or never."""
    trace = contract.Trace()
    NEW.note_negotiated(
        "Negotiated TLS1.3 group: X25519MLKEM768\n"
        "New, TLSv1.3, Cipher is TLS_CHACHA20_POLY1305_SHA256\n",
        trace,
    )
    assert (trace.protocol, trace.bits, trace.group) == ("TLSv1.3", 256, "X25519MLKEM768")


def test_a_failed_handshake_shows_no_view() -> None:
    """Protects from s_client's habit of printing a session for a handshake that failed."""
    trace = contract.Trace()
    OLD.note_negotiated(
        "New, (NONE), Cipher is (NONE)\n    Protocol  : TLSv1.2\n    Cipher : 0000\n", trace
    )
    assert (trace.protocol, trace.cipher) == (None, None)


def wire_after(*pieces: tuple[str, bytes], implicit: bool = False) -> Any:
    """A wire on which this was said, in this order; S or C says who."""
    wire = relay.Wire(contract.Trace(stage="banner"), implicit, connected=True)
    for who, data in pieces:
        (wire.from_server if who == "S" else wire.from_client)(data)
    return wire


def judge_outcome(wire: Any, *replies: tuple[int, str], errors: str = "") -> tuple[str, str | None]:
    """Outcome and stage, with these replies inside TLS."""
    inside = [contract.Reply(code, text) for code, text in replies]
    speaker = speaker_module.Speaker(wire.trace, wire.implicit_tls, inside)
    ending = s_client.judge_ended(wire, speaker, errors)
    return ending.outcome, ending.stage


STARTED = (
    ("S", GREETING),
    ("C", b"EHLO x\r\n"),
    ("S", EHLO_REPLY),
    ("C", b"STARTTLS\r\n"),
    ("S", b"220 2.0.0 Ready to start TLS\r\n"),
)


def test_a_handshake_is_accepted_only_with_an_answer_inside_it() -> None:
    """Protects accepted: a client of TLSv1.3 believes in handshakes that are about to fail."""
    assert judge_outcome(wire_after(*STARTED, ("C", HELLO)), (250, "mx.test")) == ("accepted", None)
    assert judge_outcome(wire_after(*STARTED, ("C", HELLO))) == ("refused", "handshake")


@pytest.mark.parametrize(
    ("pieces", "ending"),
    [
        ((("S", b"554 5.7.1 no\r\n"),), ("refused", "banner")),
        ((("S", GREETING), ("S", b"421 4.3.2 no\r\n")), ("refused", "ehlo")),
        ((("S", GREETING),), ("refused", "ehlo")),
        ((("S", GREETING), ("S", b"250-mx.test\r\n250 SIZE\r\n")), ("not-offered", "ehlo")),
        ((*STARTED[:4], ("S", b"454 4.7.0 not available\r\n")), ("refused", "starttls")),
        (STARTED, ("client-incapable", "handshake")),
        ((*STARTED, ("C", bytes.fromhex("15030100020250"))), ("client-incapable", "handshake")),
        (
            (*STARTED, ("C", HELLO), ("S", bytes.fromhex("15030100020246"))),
            ("refused", "handshake"),
        ),
    ],
)
def test_each_way_to_fail_has_its_own_outcome_and_stage(
    pieces: tuple[tuple[str, bytes], ...], ending: tuple[str, str]
) -> None:
    """Protects the vocabulary: no outcome is taken for another."""
    assert judge_outcome(wire_after(*pieces)) == ending


def test_a_tool_that_never_connected_is_incapable_in_its_own_words() -> None:
    """Protects client-incapable: a usage error is the client's, and its usage is not repeated."""
    wire = relay.Wire(contract.Trace(), False)
    speaker = speaker_module.Speaker(wire.trace, False, [])
    ending = s_client.judge_ended(wire, speaker, USAGE_1_0_2.replace("-help", "-tls1_3"))
    assert (ending.outcome, ending.error) == ("client-incapable", "unknown option -tls1_3")


def test_a_refusal_inside_tls_has_its_reply_and_stage() -> None:
    """Protects implicit TLS: a banner that says no is no failed handshake."""
    wire = wire_after(("C", HELLO), implicit=True)
    assert judge_outcome(wire, (421, "4.7.0 no")) == ("refused", "banner")
    assert judge_outcome(wire, (220, "mx.test"), (554, "5.7.1 no")) == ("refused", "ehlo")
    assert judge_outcome(wire, (220, "mx.test"), (250, "mx.test")) == ("accepted", None)


def test_the_speaker_answers_replies_and_nothing_else() -> None:
    """Protects the dialogue inside TLS: s_client's remarks, and a certificate's lines, are none."""
    speaker = speaker_module.Speaker(contract.Trace(), True, [])
    assert speaker.first_input() == b""
    assert speaker.take_output(b"558pf4PzyWM0G9PlFjEEByiBuaEf\nread R BLOCK\n") == b""
    assert speaker.take_output(b"220 mx.te") == b""
    assert speaker.take_output(b"st ESMTP\r\n") == b"EHLO client.test\r\n"
    assert speaker.take_output(b"250-mx.test\r\n250 CHUNKING\r\n") == b"QUIT\r\n"
    assert speaker.take_output(b"221 2.0.0 Bye\r\n") == b""
    assert [reply.code for reply in speaker.replies] == [220, 250, 221]
