"""Which of a log's sessions a client's connection is."""

from __future__ import annotations

import asyncio
import time

import pytest

from harness.targets.log_join import LogJoin

HOST = "Nov 22 23:02:41 host mail.info"
CLIENT = "192.168.0.2"


def _lines(pid: int, *texts: str) -> list[str]:
    return [f"{HOST} postfix-a/smtpd[{pid}]: {text}" for text in texts]


def _session(pid: int, text: str, client: str = CLIENT) -> list[str]:
    connect = f"connect from unknown[{client}]"
    return _lines(pid, connect, text, f"dis{connect}")


def test_without_ports_a_session_is_found_by_its_address() -> None:
    """Protects the evidence of Postfix 2.3 and 2.4, which cannot log the clients' ports."""
    join = LogJoin()
    join.feed([*_session(7, "another client's", "192.168.0.9"), *_session(8, "its own")])
    found = asyncio.run(join.session_of_address(CLIENT, 0.0, 0.1))
    assert found is not None
    assert (found.peer, found.lines[1].text) == (CLIENT, "its own")


def test_without_ports_an_earlier_dialogue_is_not_taken() -> None:
    """Protects a client's next cell, which has the same address as the one before."""
    join = LogJoin()
    join.feed(_session(7, "of the cell before"))
    assert asyncio.run(join.session_of_address(CLIENT, time.monotonic(), 0.02)) is None


def test_without_ports_the_last_of_several_connections_is_taken() -> None:
    """Protects offers to resume: it is the second connection that the client reports."""

    async def feed_late() -> str | None:
        join = LogJoin()
        join.feed(_session(7, "first"))
        asyncio.get_running_loop().call_later(0.03, join.feed, _session(7, "second"))
        found = await join.session_of_address(CLIENT, 0.0, 2.0, count=2)
        return found.lines[1].text if found else None

    assert asyncio.run(feed_late()) == "second"


def test_without_ports_an_open_session_is_waited_for() -> None:
    """Protects a log that comes late; what it has at the time limit is given, unfinished."""
    join = LogJoin()
    join.feed(_lines(7, f"connect from unknown[{CLIENT}]", "setting up TLS connection"))
    found = asyncio.run(join.session_of_address(CLIENT, 0.0, 0.02))
    assert found is not None
    assert not found.closed


@pytest.mark.parametrize("text", [f"connect from x[{CLIENT}]:unknown", "connect from nowhere"])
def test_what_is_no_address_opens_no_session(text: str) -> None:
    """Protects evidence: a line that is not understood belongs to no connection."""
    join = LogJoin()
    join.feed(_lines(7, text))
    assert asyncio.run(join.session_of_address(CLIENT, 0.0, 0.02)) is None
