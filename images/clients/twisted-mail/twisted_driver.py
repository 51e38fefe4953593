#!/usr/bin/python3
"""Client driver: Twisted's SMTP client, one message a request, by warm workers behind the relay."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any

from common.contract import Request, main
from common.mailer import Relayed, Report
from common.worker import MOST, Workers, make_job, read_answer

COMMAND = ["/usr/bin/python3", "/opt/driver/twisted_worker.py"]
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C",
    "PYTHONUTF8": "1",
    "PYTHONPATH": "/opt/client/packages",
    # cryptography says at every turn that something old is going out of support.
    "PYTHONWARNINGS": "ignore",
    # The wheels bring no provider "legacy", and some will not go on without it.
    "CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1",
}


class Twisted:
    """The mailer."""

    plaintext = True

    def __init__(self) -> None:
        self._workers = Workers(COMMAND, ENVIRONMENT)

    async def describe(self) -> dict[str, Any]:
        """What this is, by what its packages say of themselves."""
        description = json.loads(subprocess.check_output([*COMMAND, "--describe"], env=ENVIRONMENT))
        return {
            "client": "twisted",
            "version": description["version"],
            "tls_library": "OpenSSL",
            "tls_version": description["openssl"],
            "offers": description["offers"],
            "sends_mail": True,
        }

    async def send_message(self, request: Request, port: int) -> Report:
        """Have a worker send the message."""
        inside = list(request.offer.list_versions()) if request.offer else []
        return read_answer(await self._workers.run_job(make_job(request, port, inside=inside)))


if __name__ == "__main__":
    asyncio.run(main(Relayed(Twisted()), MOST))
