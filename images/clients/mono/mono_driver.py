#!/usr/bin/python3
"""Client driver: Mono's SmtpClient, one message a request, by warm workers behind the relay.

It speaks TLSv1 and nothing else whatever ServicePointManager is told, so it is told nothing, and
makes only the offer default.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any

from common.contract import Request, main
from common.mailer import Incapable, Relayed, Report
from common.process import run_program
from common.worker import Workers, make_job, read_answer

COMMAND = ["/usr/bin/mono", "/opt/client/worker.exe"]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/home/client"}
#: Two keep two processors busy.
WORKERS = 2


class SmtpClient:
    """The mailer."""

    def __init__(self) -> None:
        self._workers = Workers(COMMAND, ENVIRONMENT, WORKERS)
        self._trusted: set[str] = set()
        self._trusting = asyncio.Lock()

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        description = json.loads(subprocess.check_output([*COMMAND, "describe"], env=ENVIRONMENT))
        return {
            "client": "System.Net.Mail.SmtpClient",
            "version": f"Mono {description['mono']}",
            "tls_library": "BoringSSL",
            "tls_version": f"btls of Mono {description['mono']}",
            "offers": [],
            "sends_mail": True,
        }

    async def send_message(self, request: Request, port: int) -> Report:
        """Have a worker send the message."""
        if request.implicit_tls:
            raise Incapable("SmtpClient has STARTTLS only")
        if request.offer is not None:
            raise Incapable("SmtpClient cannot be told what to offer")
        async with self._trusting:
            if request.ca_file not in self._trusted:
                # Mono's own way to have a user trust an authority.
                trusting = await run_program(
                    ["/usr/bin/cert-sync", "--user", request.ca_file], ENVIRONMENT
                )
                if trusting.status != 0:
                    raise RuntimeError(f"cert-sync: {trusting.both_outputs}")
                self._trusted.add(request.ca_file)
        return read_answer(await self._workers.run_job(make_job(request, port)))


if __name__ == "__main__":
    asyncio.run(main(Relayed(SmtpClient()), WORKERS))
