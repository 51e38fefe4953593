#!/usr/bin/python3
"""Client driver: msmtp (GnuTLS), a program run a message, behind the relay."""

from __future__ import annotations

import asyncio
from typing import Any

from common.contract import PROTOCOLS, Request, main
from common.mailer import Relayed, Report, find_refusal, format_message
from gnutls import make_priorities
from programs import ask_program, find_first, package_version, run_mail_program

MSMTP = "/usr/bin/msmtp"
#: msmtp takes a password from a command's output only.
PASSWORD = "POSTFIX_MATRIX_PASSWORD"
_STAGES = {
    "authentication failed": "auth",
    "cannot use a secure authentication method": "auth",
    "envelope from address": "mail",
    "recipient address": "rcpt",
    "the server did not accept the mail": "data",
}


def make_command(request: Request, port: int) -> list[str]:
    """The command line; as its manual's first account has it (tls on), and an offer's besides."""
    arguments = [MSMTP, "--file=/dev/null", f"--host={request.server_name}", f"--port={port}"]
    arguments += [f"--from={request.sender}", "--domain=client.test", "--tls=on"]
    arguments += [f"--tls-starttls={'off' if request.implicit_tls else 'on'}"]
    if request.offer is None:
        arguments += [f"--tls-trust-file={request.ca_file}"]
    else:
        arguments += ["--tls-certcheck=off", f"--tls-priorities={make_priorities(request.offer)}"]
    if request.username is not None:
        arguments += ["--auth=on", f"--user={request.username}"]
        arguments += [f"--passwordeval=printenv {PASSWORD}"]
    return [*arguments, "--", request.recipient]


def find_stage(message: str) -> str | None:
    """Where msmtp says that it was turned away."""
    return next((stage for sign, stage in _STAGES.items() if sign in message), None)


class Msmtp:
    """The mailer."""

    async def describe(self) -> dict[str, Any]:
        """What this is; ``offers`` leaves out SSLv3, of which GnuTLS has the word only."""
        output = ask_program(MSMTP, "--version")
        library = package_version("libgnutls30") or package_version("libgnutls30t64")
        return {
            "client": "msmtp",
            "version": find_first(r"msmtp version (\S+)", output),
            "tls_library": "GnuTLS",
            "tls_version": f"GnuTLS {library}",
            "offers": list(PROTOCOLS[2:]),
            "sends_mail": True,
        }

    async def send_message(self, request: Request, port: int) -> Report:
        """Run msmtp once."""
        environment = {PASSWORD: request.password} if request.password is not None else {}
        ended = await run_mail_program(
            make_command(request, port), format_message(request), environment
        )
        error = ended.both_outputs or None
        if ended.status == 0:
            return Report(sent=True, error=error)
        reply = find_refusal(ended.both_outputs)
        return Report(sent=False, error=error, reply=reply, stage=find_stage(ended.both_outputs))


if __name__ == "__main__":
    asyncio.run(main(Relayed(Msmtp())))
