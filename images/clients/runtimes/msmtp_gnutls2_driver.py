#!/usr/bin/python3
"""Client driver: msmtp on GnuTLS 2.12, whose priority strings have other words, by the relay."""

from __future__ import annotations

import asyncio
from typing import Any

from common.contract import Request, main
from common.mailer import Relayed, Report, find_refusal, format_message
from msmtp_driver import PASSWORD, Msmtp, find_stage, make_command
from programs import package_version, run_mail_program


def make_old_command(request: Request, port: int) -> list[str]:
    """msmtp's command line; of all versions GnuTLS 2.12 says VERS-TLS-ALL."""
    command = make_command(request, port)
    return [word.replace(":-VERS-ALL:", ":-VERS-TLS-ALL:") for word in command]


class OldMsmtp(Msmtp):
    """The mailer."""

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        library = {"tls_version": f"GnuTLS {package_version('libgnutls26')}"}
        offers = ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"]
        return {**await super().describe(), **library, "offers": offers}

    async def send_message(self, request: Request, port: int) -> Report:
        """Run msmtp once."""
        environment = {PASSWORD: request.password} if request.password is not None else {}
        ended = await run_mail_program(
            make_old_command(request, port), format_message(request), environment
        )
        error = ended.both_outputs or None
        if ended.status == 0:
            return Report(sent=True, error=error)
        return Report(False, error, find_refusal(ended.both_outputs), find_stage(error or ""))


if __name__ == "__main__":
    asyncio.run(main(Relayed(OldMsmtp())))
