#!/usr/bin/python3
"""Client driver: ssmtp (GnuTLS), a sendmail(8) without a queue, a program run a message."""

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

SSMTP = "/usr/sbin/ssmtp"


def make_configuration(request: Request, port: int) -> str:
    """ssmtp.conf(5) for one message. STARTTLS is never opportunistic: yes or no.

    Raises:
        Incapable: there is an offer.
    """
    if request.offer is not None:
        raise Incapable("ssmtp has no option that chooses a TLS version")
    lines = {
        "mailhub": f"{request.server_name}:{port}",
        "hostname": EHLO_NAME,
        "FromLineOverride": "YES",
        "Debug": "YES",
    }
    if not request.plaintext:
        lines |= {"UseTLS": "YES", "TLS_CA_File": request.ca_file}
        lines |= {} if request.implicit_tls else {"UseSTARTTLS": "YES"}
    if request.username is not None:
        lines |= {"AuthUser": request.username, "AuthPass": str(request.password)}
    return "".join(f"{name}={value}\n" for name, value in lines.items())


class Ssmtp:
    """The mailer."""

    plaintext = True

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        return describe_sender("ssmtp", package_version("ssmtp"), read_gnutls_version(SSMTP))

    async def send_message(self, request: Request, port: int) -> Report:
        """Run ssmtp once."""
        with tempfile.TemporaryDirectory(prefix="ssmtp-") as folder:
            conf = Path(folder, "ssmtp.conf")
            conf.write_text(make_configuration(request, port))
            command = [SSMTP, f"-C{conf}", "-v", "-f", request.sender, request.recipient]
            given = format_message(request).replace(b"\r\n", b"\n")
            ended = await run_mail_program(command, given)
        text = ended.both_outputs
        return Report(ended.status == 0, text or None, find_refusal(text))


if __name__ == "__main__":
    asyncio.run(main(Relayed(Ssmtp())))
