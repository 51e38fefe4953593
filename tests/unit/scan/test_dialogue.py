"""A probe's dialogue before TLS: replies in any pieces, and servers that say something else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InfrastructureError
from harness.scan.client_hello import ClientHello
from harness.scan.concurrency import (
    FAR,
    NEAR,
    SPACING_MOST,
    Concurrency,
)
from harness.scan.coroutines import NotMeasuredError
from harness.scan.dialogue import (
    EHLO,
    STARTTLS,
    ScanDialogue,
    ScanTarget,
)
from harness.scan.server_hello import (
    CLOSED,
    Alert,
)
from harness.tls import Protocol

QUESTION = ClientHello(Protocol.TLSv1_2, (0x2F,))
PLACE = ScanTarget("mx.test", 25)
REPLIES = (
    b"220-mx.test ESMTP\r\n220 ready\r\n",
    b"250-mx.test\r\n250-PIPELINING\r\n250-starttls\r\n250 8BITMIME\r\n",
    b"220 2.0.0 Ready to start TLS\r\n",
)
ALERT = bytes([21, 3, 3, 0, 2, 2, 40])


@given(cuts=st.sets(st.integers(min_value=1, max_value=80)))
def test_replies_may_come_in_any_pieces(cuts: set[int]) -> None:
    """Protects from half a reply: each thing is said once, after a whole reply, and in order."""
    dialogue = ScanDialogue(PLACE, QUESTION)
    assert dialogue.first_data == b""
    for reply, sent in zip(REPLIES, (EHLO, STARTTLS, None), strict=True):
        ends = [*sorted(cut for cut in cuts if cut < len(reply)), len(reply)]
        starts = [0, *ends[:-1]]
        got = [dialogue.take_data(reply[a:b]) for a, b in zip(starts, ends, strict=True)]
        assert got[:-1] == [None] * (len(got) - 1)
        assert got[-1] == sent if sent else isinstance(got[-1], bytes) and got[-1][0] == 22
    assert dialogue.take_data(ALERT[:3]) is None
    assert dialogue.take_data(ALERT[3:]) == Alert(40)


def test_tls_from_the_start_says_hello_first() -> None:
    """Protects submissions: the client speaks first; a close is the server's no."""
    dialogue = ScanDialogue(ScanTarget("mx.test", 465, implicit=True), QUESTION)
    assert dialogue.first_data[0] == 22
    assert dialogue.take_data(b"") == CLOSED


@pytest.mark.parametrize(
    ("received", "error", "message"),
    [
        ([b"421 4.7.0 too many connections\r\n"], NotMeasuredError, "too many connections"),
        ([b"554 no\r\n"], NotMeasuredError, "554 no"),
        ([b""], NotMeasuredError, "before TLS"),
        ([REPLIES[0], b""], NotMeasuredError, "before TLS"),
        ([*REPLIES[:2], b"454 4.7.0 TLS not available\r\n"], NotMeasuredError, "454 4.7.0"),
        ([*REPLIES, b"HTTP/1.1 400"], NotMeasuredError, "not TLS"),
        ([b"SSH-2.0-OpenSSH_9\r\n"], InfrastructureError, "not an SMTP server"),
        ([REPLIES[0], b"250 mx.test\r\n"], InfrastructureError, "announces no STARTTLS"),
        ([b"220-x\r\n" * 40000], NotMeasuredError, "too much"),
    ],
)
def test_what_is_no_answer_is_told_in_the_servers_words(
    received: list[bytes], error: type[Exception], message: str
) -> None:
    """Protects refusals: a server that is busy, closed or something else refuses no suite."""
    dialogue = ScanDialogue(PLACE, QUESTION)
    *before, last = received
    for data in before:
        dialogue.take_data(data)
    with pytest.raises(error, match=message):
        dialogue.take_data(last)


@given(data=st.binary(max_size=60))
def test_whatever_a_stranger_says_is_taken(data: bytes) -> None:
    """Protects the scan of strangers: any bytes are a reply, an answer or a known error."""
    for before in ((), REPLIES):
        dialogue = ScanDialogue(PLACE, QUESTION)
        with contextlib.suppress(NotMeasuredError, InfrastructureError):
            for received in (*before, data):
                dialogue.take_data(received)


def test_far_servers_get_more_connections_and_careful_ones_fewer() -> None:
    """Protects both: speed where a reply takes long, and servers that count connections.

    One quick reply shows a near server, however slow others were; after a failure there are never
    more again.
    """
    concurrency = Concurrency()
    assert concurrency.width == NEAR
    concurrency.note_reply(0.03)
    assert (concurrency.width, concurrency.spacing) == (FAR, 0.0)
    concurrency.note_reply(0.0002)
    concurrency.note_reply(0.03)
    assert concurrency.width == NEAR
    far = Concurrency()
    far.note_reply(0.03)
    states = []
    for _ in range(8):
        far.note_failure()
        far.note_reply(0.03)
        states.append((far.width, far.spacing))
    assert [width for width, _ in states[:4]] == [4, 2, 1, 1]
    assert states[-1] == (1, SPACING_MOST)


def test_servers_that_wait_before_they_greet_get_more_connections() -> None:
    """Protects scans of postscreen(8) and stunnel: their waits pass at the same time."""
    waiting, working = Concurrency(), Concurrency()
    for greeting in (6.2, 6.0):
        waiting.note_greeting(greeting)
    for greeting in (0.3, 0.02):
        working.note_greeting(greeting)
    for concurrency in (waiting, working):
        concurrency.note_reply(0.0002)
    assert (waiting.width, working.width) == (FAR, NEAR)
    waiting.note_failure()
    waiting.note_greeting(6.0)
    assert waiting.width == FAR // 2
