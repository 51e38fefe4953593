#!/usr/bin/python3
"""Client driver: smtplib over nassl, one message a request, by warm workers behind the relay."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from typing import Any

from common.contract import Request, main
from common.mailer import Relayed, Report
from common.worker import MOST, Workers, make_job, read_answer

COMMAND = ["/usr/bin/python3", "/opt/driver/nassl_worker.py"]


class Nassl:
    """The mailer, on one of nassl's libraries: "legacy" or "modern"."""

    plaintext = True
    extras = frozenset({"cert", "sni"})

    def __init__(self, library: str) -> None:
        self._command = [*COMMAND, library]
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C",
            "PYTHONUTF8": "1",
            "PYTHONPATH": "/opt/client/packages",
        }
        self._workers = Workers(self._command, self._environment)

    async def describe(self) -> dict[str, Any]:
        """What this is; ``offers`` are the versions that the library was built with."""
        command = [*self._command, "--describe"]
        description = json.loads(subprocess.check_output(command, env=self._environment))
        return {
            "client": "nassl",
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
    asyncio.run(main(Relayed(Nassl(os.environ["LIBRARY"])), MOST))
