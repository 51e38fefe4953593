#!/usr/bin/python3
"""Client driver: a library of PHP's, one message a request, by warm workers behind the relay."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any

from common.contract import PROTOCOLS, Request, main
from common.mailer import Relayed, Report
from common.worker import MOST, Workers, make_job, read_answer

COMMAND = ["/usr/bin/php", "-d", "memory_limit=64M", "/opt/client/worker.php"]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
#: The distribution's openssl.cnf may forbid what is to be offered.
UNHINDERED = {**ENVIRONMENT, "OPENSSL_CONF": "/dev/null"}


class Php:
    """The mailer: workers as the distribution configures them, and workers for offers."""

    def __init__(self) -> None:
        self._default = Workers(COMMAND, ENVIRONMENT)
        self._unhindered = Workers(COMMAND, UNHINDERED)

    async def describe(self) -> dict[str, Any]:
        """What this is; ``offers`` are the versions that Debian's OpenSSL has."""
        description = json.loads(subprocess.check_output([*COMMAND, "--describe"], env=ENVIRONMENT))
        return {
            "client": description["client"],
            "version": f"{description['library']} on PHP {description['php']}",
            "tls_library": "OpenSSL",
            "tls_version": description["openssl"],
            "offers": list(PROTOCOLS[2:]),
            "sends_mail": True,
        }

    async def send_message(self, request: Request, port: int) -> Report:
        """Have a worker send the message."""
        workers = self._default if request.offer is None else self._unhindered
        return read_answer(await workers.run_job(make_job(request, port)))


if __name__ == "__main__":
    asyncio.run(main(Relayed(Php()), MOST))
