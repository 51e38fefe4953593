#!/usr/bin/python3
"""Client driver: msmtp of any suite, on GnuTLS of any age, a program run a message."""

from __future__ import annotations

import asyncio
from typing import Any

from common.contract import Request, main
from common.mailer import Relayed, Report, find_refusal, format_message
from description import describe_sender
from libraries import read_gnutls_version
from msmtp_driver import MSMTP, PASSWORD, find_stage, make_command
from priorities import list_versions, parse_gnutls_version, respell_priorities
from programs import ask_program, find_first, run_mail_program

_OPTION = "--tls-priorities="


def make_old_command(request: Request, port: int, gnutls: tuple[int, ...]) -> list[str]:
    """msmtp's command line, with priorities as this GnuTLS spells them.

    Raises:
        Incapable: it has no word for the offer.
    """
    return [
        _OPTION + respell_priorities(word.removeprefix(_OPTION), gnutls)
        if word.startswith(_OPTION)
        else word
        for word in make_command(request, port)
    ]


class OldMsmtp:
    """The mailer."""

    def __init__(self) -> None:
        self._library = read_gnutls_version(MSMTP)
        self._gnutls = parse_gnutls_version(self._library)

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        version = find_first(r"msmtp version (\S+)", ask_program(MSMTP, "--version"))
        return describe_sender("msmtp", version, self._library, list_versions(self._gnutls))

    async def send_message(self, request: Request, port: int) -> Report:
        """Run msmtp once."""
        environment = {PASSWORD: request.password} if request.password is not None else {}
        command = make_old_command(request, port, self._gnutls)
        ended = await run_mail_program(command, format_message(request), environment)
        error = ended.both_outputs or None
        if ended.status == 0:
            return Report(sent=True, error=error)
        return Report(False, error, find_refusal(ended.both_outputs), find_stage(error or ""))


if __name__ == "__main__":
    asyncio.run(main(Relayed(OldMsmtp())))
