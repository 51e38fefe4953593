#!/usr/bin/python3
"""Client driver: a real ``gnutls-cli`` for each request, by the relay.

It does STARTTLS by itself, then passes on what it is given: EHLO and QUIT. It sends no mail.
"""

from __future__ import annotations

import asyncio
import re
from functools import cache
from typing import Any

from common.contract import PROTOCOLS, Ending, Offer, Request, Trace, main
from common.mailer import Incapable, Report, note_negotiated
from common.process import Process
from common.relay import Relay, Wire
from common.speaker import Speaker, judge_program
from gnutls import cipher_numbers, make_cipher_priorities, make_priorities, parse_suites
from programs import ENVIRONMENT, ask_program, find_first, package_version

GNUTLS_CLI = "/usr/bin/gnutls-cli"


def make_command(request: Request, port: int, priority: str | None) -> list[str]:
    """The command line: as the manual has it for SMTP, and an offer's besides."""
    arguments = [GNUTLS_CLI, f"--port={port}", "--logfile=/dev/stderr"]
    arguments += [f"--x509cafile={request.ca_file}"]
    arguments += [] if request.implicit_tls else ["--starttls-proto=smtp"]
    arguments += [] if priority is None else ["--insecure", f"--priority={priority}"]
    extras = request.extras
    if extras.certificate is not None:
        arguments += [f"--x509certfile={extras.certificate}", f"--x509keyfile={extras.key}"]
    if extras.sends_name:
        arguments += ["--disable-sni"] if extras.name is None else [f"--sni-hostname={extras.name}"]
    return [*arguments, request.server_name]


@cache
def list_suites(*options: str) -> dict[int, str]:
    """The cipher suites that gnutls-cli lists: all, or those of a priority string."""
    return parse_suites(ask_program(GNUTLS_CLI, "--list", *options))


def find_priority(offer: Offer) -> str:
    """The priority string of an offer.

    Raises:
        Incapable: GnuTLS cannot be told of it; of ciphers, its own list of what it would offer
            tells.
    """
    if not offer.ciphers:
        return make_priorities(offer)
    string = make_cipher_priorities(offer, list_suites())
    requested, offered = cipher_numbers(offer), list_suites(f"--priority={string}")
    if set(offered) != requested:
        names = " ".join(offered.values()) or "none"
        raise Incapable(f"GnuTLS cannot be told of these ciphers alone: it would offer {names}")
    return string


def extract_errors(errors: str) -> str:
    """What gnutls-cli says went wrong; all that it says where that is nothing."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    messages = [line for line in lines if re.match(r"\*\*\*|Error|Syntax|- Status: .*NOT", line)]
    return "\n".join((messages or lines)[-6:])


class GnutlsCli:
    """The driver."""

    extras = frozenset({"cert", "sni", "hangup=starttls", "hangup=handshake"})

    async def describe(self) -> dict[str, Any]:
        """What this is; ``offers`` leaves out SSLv3, of which GnuTLS has the word only."""
        library = package_version("libgnutls30") or package_version("libgnutls30t64")
        return {
            "client": "gnutls-cli",
            "version": find_first(r"gnutls-cli (\S+)", ask_program(GNUTLS_CLI, "--version")),
            "tls_library": "GnuTLS",
            "tls_version": f"GnuTLS {library}",
            "offers": list(PROTOCOLS[2:]),
            "sends_mail": False,
        }

    async def run(self, request: Request, trace: Trace) -> Ending:
        """One gnutls-cli, from start to end."""
        try:
            priority = find_priority(request.offer) if request.offer else None
        except Incapable as exc:
            return Ending("client-incapable", "handshake", str(exc))
        wire = Wire(trace, request.implicit_tls, hangup=request.extras.hangup)
        speaker = Speaker(trace, request.implicit_tls, [])
        try:
            async with Relay(wire, request.host, request.port) as relay:
                process = await self._run_program(
                    make_command(request, relay.port, priority), speaker
                )
        except ConnectionRefusedError as exc:
            return Ending("refused", "connect", f"ConnectionRefusedError: {exc}")
        done = judge_program(
            wire, speaker, extract_errors(process.errors.decode("utf-8", "replace"))
        )
        if done.outcome == "accepted":
            note_negotiated(trace, Report(sent=True), wire)
        return done

    async def _run_program(self, arguments: list[str], speaker: Speaker) -> Process:
        size = 0

        def hear(running: Process) -> None:
            nonlocal size
            new, size = running.output[size:], len(running.output)
            answer = speaker.take_output(new)
            if answer:
                running.write_input(answer)

        process = Process(arguments, ENVIRONMENT, hear)
        try:
            process.write_input(speaker.first_input())
            await process.ended
        finally:
            process.kill()
        return process


if __name__ == "__main__":
    asyncio.run(main(GnutlsCli()))
