#!/usr/bin/python3
"""Client driver: a real ``openssl s_client`` for each request.

It connects, shakes hands, says EHLO and QUIT inside TLS, and sends no mail. It connects through the
relay (common/relay.py), which knows the address that the server sees and reads along in the clear.
"""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

from common.contract import Ending, Request, Trace, main
from common.process import Process
from common.relay import Relay, Wire
from common.speaker import Speaker
from s_client import OPTIONS, Tool, judge

OPENSSL = "/usr/local/bin/openssl"
#: The default offer reads the configuration that the release was installed with; a given offer does
#: not, since it may forbid what is to be offered. No random seed file: the kernel's is enough.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "RANDFILE": "/dev/null", "LC_ALL": "C"}


def ask(*arguments: str) -> str:
    """What ``openssl`` says to this, on whichever of its outputs."""
    done = subprocess.run(
        [OPENSSL, *arguments], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def tool() -> Tool:
    """The image's own OpenSSL, asked about itself."""
    return Tool.read(
        OPENSSL,
        version=ask("version").strip(),
        usage=ask("s_client", "-help"),
        ciphers=ask("ciphers", "-v", "ALL:COMPLEMENTOFALL"),
    )


class SClient:
    """The driver."""

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
        wire = Wire(trace, request.implicit_tls)
        speaker = Speaker(trace, request.implicit_tls, [])
        try:
            async with Relay(wire, request.host, request.port) as relay:
                process = await self._run(request, relay.port, speaker)
        except ConnectionRefusedError as exc:
            return Ending("refused", "connect", f"ConnectionRefusedError: {exc}")
        ending = judge(wire, speaker, process.errors.decode("utf-8", "replace"))
        if ending.outcome == "accepted":
            self._openssl.view(process.output.decode("utf-8", "replace"), trace)
        return ending

    async def _run(self, request: Request, port: int, speaker: Speaker) -> Process:
        heard = 0

        def hear(running: Process) -> None:
            nonlocal heard
            new, heard = running.output[heard:], len(running.output)
            answer = speaker.hear(new)
            if answer:
                running.write(answer)

        environment = dict(ENVIRONMENT)
        if request.offer is not None:
            environment["OPENSSL_CONF"] = "/dev/null"
        process = Process(self._openssl.command(request, port), environment, hear)
        try:
            process.write(speaker.first_words())
            await process.ended
        finally:
            process.kill()
        return process


if __name__ == "__main__":
    asyncio.run(main(SClient(tool())))
