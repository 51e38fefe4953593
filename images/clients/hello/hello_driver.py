#!/usr/bin/python3
"""The driver: dialogues with recorded hellos, each of which comes with its request, and a relay.

A request is one of the client contract, with the key ``hello`` (the first flight in hexadecimal
digits). A line with the key ``relay`` begins a recording, one with ``recorded`` ends it; the
answers are results of the contract whose ``error`` is the port, or the hellos.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from typing import Any

from common.contract import (
    CONTRACT,
    JOBS,
    Ending,
    Request,
    Trace,
    make_result,
    run_request,
)
from common.extras import BadRequest
from hello_dialogue import RecordedClient
from hello_relay import RecordingRelay

DESCRIPTION = {
    "contract": CONTRACT,
    "client": "recorded hello",
    "version": "1",
    "tls_library": "none",
    "tls_version": "a recorded ClientHello; completes no handshake",
    "offers": [],
    "sends_mail": False,
    "extras": [],
}
#: What the answers to lines about a recording have for an outcome; none of them is a result.
_NOTED = "not-offered"


class Driver:
    """Answers lines, several at a time."""

    def __init__(self) -> None:
        self._relays: dict[str, RecordingRelay] = {}
        self._turn = asyncio.Semaphore(JOBS)

    async def answer(self, line: bytes) -> None:
        """Answer one line."""
        async with self._turn:
            try:
                data = json.loads(line)
                result = await self._answer_data(data, line)
            except (BadRequest, KeyError, TypeError, ValueError) as exc:
                ending = Ending("error", None, f"bad request: {type(exc).__name__}: {exc}")
                result = make_result("", ending, Trace(), None)
        sys.stdout.write(json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n")
        sys.stdout.flush()

    async def _answer_data(self, data: dict[str, Any], line: bytes) -> dict[str, Any]:
        if "relay" in data:
            return await self._start_relay(data["id"], data["relay"])
        if "recorded" in data:
            relay = self._relays.pop(data["recorded"])
            relay.close()
            hellos = [hello.hex() for hello in relay.hellos]
            return _answer_text(data["id"], json.dumps(hellos))
        client = RecordedClient(bytes.fromhex(data["hello"]))
        result = await run_request(client, Request.parse(line))
        return {**result, "prime_bits": client.prime_bits}

    async def _start_relay(self, name: str, target: dict[str, Any]) -> dict[str, Any]:
        relay = RecordingRelay(target["host"], target["port"], implicit_tls=target["implicit"])
        self._relays[name] = relay
        return _answer_text(name, str(await relay.start()))


def _answer_text(name: str, text: str) -> dict[str, Any]:
    return make_result(name, Ending(_NOTED, None, text), Trace(), None)


async def serve_lines() -> None:
    """Answer each line of standard input until it ends."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes | None] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin.buffer:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    driver = Driver()
    async with asyncio.TaskGroup() as group:
        while (line := await lines.get()) is not None:
            if line.strip():
                group.create_task(driver.answer(line))


if __name__ == "__main__":
    if sys.argv[1:] == ["--describe"]:
        sys.stdout.write(json.dumps(DESCRIPTION) + "\n")
    else:
        asyncio.run(serve_lines())
