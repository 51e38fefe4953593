#!/usr/bin/python3
"""Client driver: a real ``openssl s_client`` for each request.

It connects, shakes hands, says EHLO and QUIT inside TLS, and sends no mail. It connects through the
relay (common/relay.py), which knows the address that the server sees and reads along in the clear.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from common.contract import Ending, Request, Trace, main
from common.process import Process
from common.relay import Relay, Wire
from common.speaker import Speaker
from s_client import OPTIONS, Tool, find_certificate, is_reused, judge_ended

OPENSSL = "/usr/local/bin/openssl"
#: Seconds between two looks at what a program has said.
STEP = 0.01
#: The default offer reads the configuration that the release was installed with; a given offer does
#: not, since it may forbid what is to be offered. No random seed file: the kernel's is enough.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "RANDFILE": "/dev/null", "LC_ALL": "C"}


def ask_openssl(*arguments: str) -> str:
    """What ``openssl`` says to this, on whichever of its outputs."""
    done = subprocess.run(
        [OPENSSL, *arguments], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def read_tool() -> Tool:
    """The image's own OpenSSL, asked about itself."""
    return Tool.from_outputs(
        OPENSSL,
        version=ask_openssl("version").strip(),
        usage=ask_openssl("s_client", "-help"),
        ciphers=ask_openssl("ciphers", "-v", "ALL:COMPLEMENTOFALL"),
    )


class SClient:
    """The driver."""

    extras = frozenset(
        {"cert", "sni", "resume", "renegotiate", "hangup=starttls", "hangup=handshake"}
    )

    def __init__(self, openssl: Tool) -> None:
        self._openssl = openssl

    async def describe(self) -> dict[str, Any]:
        """What this is; ``offers`` are the versions that s_client has an option for."""
        openssl = self._openssl
        return {
            "client": f"openssl-{openssl.number}",
            "version": openssl.number,
            "tls_library": "OpenSSL",
            "tls_version": openssl.version,
            "offers": [name for name, option in OPTIONS.items() if option in openssl.options],
            "sends_mail": False,
        }

    async def run(self, request: Request, trace: Trace) -> Ending:
        """One s_client, from start to end."""
        offer = request.offer
        if offer is not None and offer.lowest == "SSLv2" and offer.highest != "SSLv2":
            return Ending("client-incapable", "handshake", "s_client offers SSLv2 only by itself")
        if not request.extras.resume:
            return await self._connect_once(request, trace)
        with tempfile.TemporaryDirectory() as folder:
            session = str(Path(folder) / "session")
            first = await self._connect_once(request, trace, session)
            if first.outcome != "accepted" or not Path(session).exists():
                return first
            trace.lines.append("[the client connects again, with the session it had]")
            return await self._connect_once(request, trace, session, again=True)

    async def _connect_once(
        self, request: Request, trace: Trace, session: str | None = None, *, again: bool = False
    ) -> Ending:
        """One connection. ``session`` is a file for its session; ``again``: to read it from."""
        wire = Wire(trace, request.implicit_tls, hangup=request.extras.hangup)
        speaker = Speaker(trace, request.implicit_tls, [], request.extras.renegotiate)
        try:
            async with Relay(wire, request.host, request.port) as relay:
                command = self._openssl.make_command(request, relay.port, session, again=again)
                process = await self._run_program(request, command, speaker)
        except ConnectionRefusedError as exc:
            return Ending("refused", "connect", f"ConnectionRefusedError: {exc}")
        ending = judge_ended(wire, speaker, process.errors.decode("utf-8", "replace"))
        output = process.output.decode("utf-8", "replace")
        trace.peer_certificate = find_certificate(output)
        if ending.outcome == "accepted" or speaker.wants_handshake:
            self._openssl.note_negotiated(output, trace)
        if request.extras.resume and ending.outcome == "accepted":
            trace.resumed = again and is_reused(output)
        return ending

    async def _run_program(self, request: Request, command: list[str], speaker: Speaker) -> Process:
        size = 0

        def hear(running: Process) -> None:
            nonlocal size
            new, size = running.output[size:], len(running.output)
            answer = speaker.take_output(new)
            if answer:
                running.write_input(answer)

        environment = dict(ENVIRONMENT)
        if request.offer is not None:
            environment["OPENSSL_CONF"] = "/dev/null"
        process = Process(command, environment, hear)
        try:
            process.write_input(speaker.first_input())
            if request.extras.renegotiate:
                await _start_renegotiation(process, speaker)
            await process.ended
        finally:
            process.kill()
        return process


async def _start_renegotiation(process: Process, speaker: Speaker) -> None:
    """Give s_client its command R after EHLO's reply, and go on once it has taken it up.

    A line that came together with the R would be taken for a part of it (s_client(1), "CONNECTED
    COMMANDS"), so what s_client says of it is waited for.
    """
    while not speaker.wants_handshake and not process.ended.done():
        await asyncio.sleep(STEP)
    if process.ended.done():
        return
    process.write_input(b"R\n")
    while b"RENEGOTIATING" not in process.errors and not process.ended.done():
        await asyncio.sleep(STEP)
    if not process.ended.done():
        process.write_input(speaker.go_on())


if __name__ == "__main__":
    asyncio.run(main(SClient(read_tool())))
