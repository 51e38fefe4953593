#!/usr/bin/python3
"""Client driver: nullmailer (GnuTLS): the program that nullmailer-send runs for each message."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from common.contract import EHLO_NAME, Request, main
from common.mailer import Incapable, Relayed, Report, find_refusal, format_message
from description import describe_sender
from libraries import read_gnutls_version
from programs import package_version, run_mail_program

SMTP = "/usr/lib/nullmailer/smtp"
#: Version 1 is told the server as an argument and reads the queued message from standard input.
_RUN_OLD = 'queued=$1; shift; exec "$0" "$@" <"$queued"'
#: Version 2 is told it by an option, and reads further options there, and the message elsewhere.
_RUN = 'queued=$1; shift; exec "$0" "$@" </dev/null 3<"$queued"'


def make_options(request: Request, port: int) -> list[str]:
    """The options that a line of nullmailer's file ``remotes`` has.

    Raises:
        Incapable: there is an offer.
    """
    if request.offer is not None:
        raise Incapable("nullmailer has no option that chooses a TLS version")
    options = [f"--port={port}"]
    if not request.plaintext:
        options += ["--ssl" if request.implicit_tls else "--starttls"]
        options += [f"--x509cafile={request.ca_file}"]
    if request.username is not None:
        options += [f"--user={request.username}", f"--pass={request.password}"]
    return options


def format_queued(request: Request) -> bytes:
    """A message as nullmailer queues it: sender, recipients, an empty line, the message."""
    envelope = f"{request.sender}\n{request.recipient}\n\n".encode()
    return envelope + format_message(request).replace(b"\r\n", b"\n")


class Nullmailer:
    """The mailer."""

    plaintext = True

    def __init__(self) -> None:
        self._version = package_version("nullmailer").rpartition(":")[2]
        self._is_old = self._version.startswith("1.")

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        return describe_sender("nullmailer", self._version, read_gnutls_version(SMTP))

    async def send_message(self, request: Request, port: int) -> Report:
        """Run the program once."""
        options = make_options(request, port)
        with tempfile.NamedTemporaryFile(prefix="nullmailer-") as queued:
            Path(queued.name).write_bytes(format_queued(request))
            server = request.server_name if self._is_old else f"--host={request.server_name}"
            script = _RUN_OLD if self._is_old else _RUN
            command = ["/bin/sh", "-c", script, SMTP, queued.name, *options, server]
            ended = await run_mail_program(command, b"", {"HELOHOST": EHLO_NAME})
        text = ended.both_outputs
        return Report(ended.status == 0, text or None, find_refusal(text))


if __name__ == "__main__":
    asyncio.run(main(Relayed(Nullmailer())))
