"""The relay between a client and a server, with real sockets, and the running of programs."""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
if str(CLIENTS) not in sys.path:
    sys.path.append(str(CLIENTS))
contract: Any = importlib.import_module("common.contract")
process: Any = importlib.import_module("common.process")
relay: Any = importlib.import_module("common.relay")

SECONDS = 10


async def _dialogue(pieces: list[tuple[str, bytes]], implicit: bool) -> tuple[Any, str, bool]:
    """Say these pieces through a relay; gives the wire, the peer that the server saw, and whether
    each piece arrived as it was sent."""
    wire = relay.Wire(contract.Trace(), implicit)
    accepted: asyncio.Queue[Any] = asyncio.Queue()
    server = await asyncio.start_server(lambda *both: accepted.put_nowait(both), "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    async with server, relay.Relay(wire, "127.0.0.1", port) as between:
        client = await asyncio.open_connection("127.0.0.1", between.port)
        outside = await accepted.get()
        whole = True
        for who, data in pieces:
            (_, sink), (source, _) = (client, outside) if who == "C" else (outside, client)
            sink.write(data)
            whole &= await source.read(len(data)) == data
        peer = "{}:{}".format(*outside[1].get_extra_info("peername"))
        for _, writer in (client, outside):
            writer.close()
    return wire, peer, whole


def run_dialogue(pieces: list[tuple[str, bytes]], implicit: bool = False) -> tuple[Any, str, bool]:
    """`_dialogue`, within a time."""
    return asyncio.run(asyncio.wait_for(_dialogue(pieces, implicit), SECONDS))


def test_bytes_pass_and_the_servers_view_of_the_address_is_known() -> None:
    """Protects the joining of cells to log lines, and that the relay changes nothing."""
    wire, peer, whole = run_dialogue(
        [
            ("S", b"220 mx.test ESMTP\r\n"),
            ("C", b"EHLO client.test\r\n"),
            ("S", b"250-mx.test\r\n250 STARTTLS\r\n"),
            ("C", b"STARTTLS\r\n"),
            ("S", b"220 go ahead\r\n"),
            ("C", bytes.fromhex("16030101100100010c0301")),
        ]
    )
    assert whole
    assert wire.trace.local_address == peer
    assert wire.hello_sent
    assert wire.trace.stage == "handshake"
    assert wire.trace.lines[:3] == ["S: 220 mx.test ESMTP", "C: EHLO client.test", "S: 250-mx.test"]


def test_without_starttls_the_relay_hangs_up() -> None:
    """Protects not-offered: OpenSSL 1.0.2 would start TLS all the same, into a server's face."""
    wire, _, _ = run_dialogue(
        [("S", b"220 mx.test\r\n"), ("C", b"EHLO x\r\n"), ("S", b"250-mx.test\r\n250 SIZE\r\n")]
    )
    assert wire.is_over
    assert not wire.offers_starttls


@pytest.mark.parametrize(("first", "server_closed"), [("client", False), ("server", True)])
def test_only_a_server_that_closes_first_has_closed_the_connection(
    first: str, server_closed: bool
) -> None:
    """Protects not-offered: a server that closes because its client did refuses nothing."""

    async def close_in_order() -> bool:
        wire = relay.Wire(contract.Trace(), False)
        accepted: asyncio.Queue[Any] = asyncio.Queue()
        server = await asyncio.start_server(lambda *both: accepted.put_nowait(both), "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        async with server, relay.Relay(wire, "127.0.0.1", port) as between:
            client = await asyncio.open_connection("127.0.0.1", between.port)
            outside = await accepted.get()
            sides = (client, outside) if first == "client" else (outside, client)
            for _, writer in sides:
                writer.close()
                await asyncio.sleep(0.05)
        return bool(wire.server_closed)

    closed = asyncio.run(asyncio.wait_for(close_in_order(), SECONDS))
    assert closed is server_closed


def test_implicit_tls_is_not_taken_for_smtp() -> None:
    """Protects port 465: the first bytes there are the handshake's."""
    wire, _, whole = run_dialogue([("C", bytes.fromhex("802501000200180000"))], implicit=True)
    assert whole
    assert wire.hello_sent


def test_a_server_that_is_not_there_is_told_from_one_that_refuses_tls() -> None:
    """Protects the stage connect."""

    async def connect() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        wire = relay.Wire(contract.Trace(), False)
        async with relay.Relay(wire, "127.0.0.1", port):
            pass

    with pytest.raises(ConnectionRefusedError):
        asyncio.run(asyncio.wait_for(connect(), SECONDS))


def test_a_programs_outputs_are_kept_apart_and_its_input_reaches_it() -> None:
    """Protects the driver's hold on s_client: both outputs, dialogue, and its end."""

    async def talk() -> Any:
        def hear(running: Any) -> None:
            if running.output == b"ready\n":
                running.write_input(b"hello\n")

        script = 'echo ready; read word; echo "got $word"; echo trouble >&2'
        started = process.Process(["/bin/sh", "-c", script], {}, hear)
        await started.ended
        return started

    ended = asyncio.run(asyncio.wait_for(talk(), SECONDS))
    assert (ended.output, ended.errors) == (b"ready\ngot hello\n", b"trouble\n")


def test_a_program_that_hangs_is_killed_and_leaves_nothing_open() -> None:
    """Protects a long run from a leak of processes or descriptors at each time-out."""

    async def hang() -> None:
        started = process.Process(["/bin/sleep", "60"], {}, lambda _: None)
        started.kill()
        await started.ended

    async def many() -> tuple[int, int]:
        await hang()
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(20):
            await hang()
        return before, len(list(Path("/proc/self/fd").iterdir()))

    before, after = asyncio.run(asyncio.wait_for(many(), SECONDS))
    assert after == before


def test_of_commands_sent_together_the_first_refusal_counts() -> None:
    """Protects causes: "no valid recipients" follows from the recipient's refusal (RFC 2920)."""
    wire = relay.Wire(contract.Trace(stage="banner"), False, once=False, connected=True)
    for who, line in (
        ("S", b"220 x ESMTP\r\n"),
        ("C", b"EHLO client.test\r\n"),
        ("S", b"250-x\r\n250 PIPELINING\r\n"),
        ("C", b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"),
        ("S", b"250 2.1.0 Ok\r\n554 5.7.1 <x>: Access denied\r\n"),
        ("S", b"554 5.5.1 Error: no valid recipients\r\n"),
    ):
        (wire.from_server if who == "S" else wire.from_client)(line)
    assert wire.refusal is not None
    assert wire.refusal.text == "5.7.1 <x>: Access denied"
    assert wire.refused_at == "rcpt"


def test_one_after_the_other_the_last_refusal_counts() -> None:
    """Protects clients that try another way, such as logging in by another mechanism."""
    wire = relay.Wire(contract.Trace(stage="banner"), False, once=False, connected=True)
    for who, line in (
        ("S", b"220 x ESMTP\r\n"),
        ("C", b"EHLO client.test\r\n"),
        ("S", b"250-x\r\n250 AUTH PLAIN LOGIN\r\n"),
        ("C", b"AUTH LOGIN\r\n"),
        ("S", b"334 VXNlcm5hbWU6\r\n"),
        ("C", b"dXNlcg==\r\n"),
        ("S", b"535 5.7.8 no\r\n"),
        ("C", b"MAIL FROM:<a@b>\r\n"),
        ("S", b"530 5.7.0 Must issue a STARTTLS command first\r\n"),
    ):
        (wire.from_server if who == "S" else wire.from_client)(line)
    assert wire.refusal is not None
    assert (wire.refusal.code, wire.refused_at) == (530, "mail")
