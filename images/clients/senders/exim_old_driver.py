#!/usr/bin/python3
"""Client driver: Exim 4.82 to 4.96 on GnuTLS of their time, delivering one message at once."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from common.contract import Request, main
from common.mailer import Relayed, Report, format_message
from description import describe_sender
from exim_driver import EXIM, make_configuration, read_output
from libraries import read_gnutls_version
from priorities import list_versions, parse_gnutls_version, respell_priorities
from programs import ask_program, find_first, run_mail_program

#: Options of exim.conf, and the release that first had each (Exim's ChangeLog and NewStuff).
_SINCE = {
    "keep_environment": (4, 86),
}


def make_old_configuration(text: str, version: tuple[int, ...], gnutls: tuple[int, ...]) -> str:
    """A configuration without the options that this release does not have.

    No authority is named where it would mean that its certificate is required: before 4.83, and
    with an offer, which is never about certificates. Without a list of hosts to try to verify,
    releases before 4.94 insist on a certificate; the default list is all, which insists on none.

    Raises:
        Incapable: this GnuTLS has no word for the offer.
    """
    pinned = "tls_require_ciphers" in text
    lines = []
    for line in text.splitlines():
        name, _, value = (part.strip() for part in line.partition("="))
        if version < _SINCE.get(name, (4,)) or name == "tls_try_verify_hosts":
            continue
        if name == "tls_verify_certificates" and (version < (4, 83) or pinned):
            continue
        if name == "tls_require_ciphers":
            line = f"  {name} = {respell_priorities(value, gnutls)}"
        lines.append(line)
    return "\n".join([*lines, ""])


class OldExim:
    """The mailer."""

    plaintext = True

    def __init__(self) -> None:
        self._release = find_first(r"Exim version (\S+)", ask_program(EXIM, "-bV"))
        self._version = tuple(int(part) for part in re.findall(r"\d+", self._release)[:2])
        self._library = read_gnutls_version(EXIM)
        self._gnutls = parse_gnutls_version(self._library)

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        return describe_sender("Exim", self._release, self._library, list_versions(self._gnutls))

    async def send_message(self, request: Request, port: int) -> Report:
        """Deliver once, in the foreground, from a spool of its own: nothing is tried again."""
        with tempfile.TemporaryDirectory(prefix="exim-") as folder:
            text = make_configuration(request, port, folder, os.getgid())
            conf = Path(folder, "exim.conf")
            conf.write_text(make_old_configuration(text, self._version, self._gnutls))
            command = [EXIM, "-C", str(conf), "-odf", "-oi", "-v", "-f", request.sender]
            given = format_message(request).replace(b"\r\n", b"\n")
            ended = await run_mail_program([*command, request.recipient], given)
        return read_output(ended.output + "\n" + ended.errors)


if __name__ == "__main__":
    asyncio.run(main(Relayed(OldExim())))
