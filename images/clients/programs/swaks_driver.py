#!/usr/bin/python3
"""Client driver: swaks (Perl's Net::SSLeay on OpenSSL), a program run a message, by the relay."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from common.contract import PROTOCOLS, Offer, Reply, Request, main
from common.mailer import Incapable, Relayed, Report, format_message
from programs import ask_program, find_first, run_mail_program

SWAKS = "/usr/bin/swaks"
_STAGES = {
    "EHLO": "ehlo",
    "HELO": "ehlo",
    "STARTTLS": "starttls",
    "AUTH": "auth",
    "MAIL": "mail",
    "RCPT": "rcpt",
    "DATA": "data",
}


def make_command(request: Request, port: int) -> list[str]:
    """The command line: TLS asked for; with an offer what it takes to make it."""
    arguments = [
        SWAKS,
        "--server",
        request.server_name,
        "--port",
        str(port),
        "--helo",
        "client.test",
    ]
    arguments += ["--from", request.sender, "--to", request.recipient, "--data", "-"]
    if not request.plaintext:
        arguments += ["--tls-on-connect" if request.implicit_tls else "--tls"]
        arguments += ["--tls-sni", request.server_name, "--tls-ca-path", request.ca_file]
    if request.username is not None:
        arguments += ["--auth", "PLAIN,LOGIN", "--auth-user", request.username]
        arguments += ["--auth-password", str(request.password)]
    return arguments if request.offer is None else [*arguments, *offer_options(request.offer)]


def offer_options(offer: Offer) -> list[str]:
    """The options of an offer; swaks has none for groups, and for TLSv1.3's ciphers."""
    if offer.groups or any(name.startswith("TLS_") for name in offer.ciphers):
        raise Incapable("swaks has no option for groups, nor for the ciphers of TLSv1.3")
    versions = ",".join(version.lower().replace(".", "_") for version in offer.list_versions())
    named = ":".join(offer.ciphers) or "ALL:COMPLEMENTOFALL"
    return ["--tls-protocol", versions, "--tls-cipher", f"{named}:@SECLEVEL=0"]


def read_output(status: int, output: str) -> Report:
    """What swaks's transcript reports: "<-" is the server, "<~" the server in TLS, "*" no."""
    view = re.search(r"^=== TLS started with cipher ([^:\s]+):([^:\s]+):(\d+)", output, re.M)
    protocol, cipher, bits = (view[1], view[2], int(view[3])) if view else (None, None, None)
    message = "\n".join(re.findall(r"^\*\*\* (.*)$", output, re.M)) or None
    replies = re.findall(r"^<[-~](\*\*| ) +(\d{3})[ -](.*)$", output, re.M)
    refused = [Reply(int(code), text) for mark, code, text in replies if mark == "**"]
    taken = [Reply(int(code), text) for _, code, text in replies if "queued as" in text]
    commands = re.findall(r"^ [-~]> ([A-Z]+)", output, re.M)
    stage = next((_STAGES[verb] for verb in reversed(commands) if verb in _STAGES), None)
    deciding = taken if status == 0 else refused
    reply = deciding[-1] if deciding else None
    if protocol == "TLSv1.0":
        protocol = "TLSv1"
    return Report(status == 0, message, reply, stage, protocol, cipher, bits)


class Swaks:
    """The mailer."""

    plaintext = True

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        perl = "use Net::SSLeay; print Net::SSLeay::SSLeay_version(0)"
        return {
            "client": "swaks",
            "version": find_first(r"swaks version (\S+)", ask_program(SWAKS, "--version")),
            "tls_library": "OpenSSL",
            "tls_version": ask_program("/usr/bin/perl", "-e", perl).strip(),
            "offers": list(PROTOCOLS[2:]),
            "sends_mail": True,
        }

    async def send_message(self, request: Request, port: int) -> Report:
        """Run swaks once."""
        free = {} if request.offer is None else {"OPENSSL_CONF": "/dev/null"}
        ended = await run_mail_program(make_command(request, port), format_message(request), free)
        return read_output(ended.status, ended.output + "\n" + ended.errors)


if __name__ == "__main__":
    asyncio.run(main(Relayed(Swaks())))
