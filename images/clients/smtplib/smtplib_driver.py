#!/usr/bin/python3
"""Client driver: smtplib, one message a request, by warm workers behind the relay."""

from __future__ import annotations

import asyncio
import platform
import ssl
from typing import Any

from common.contract import PROTOCOLS, Request, main
from common.mailer import Relayed, Report
from common.worker import MOST, Workers, make_job, read_answer

COMMAND = ["/usr/bin/python3", "/opt/driver/smtplib_worker.py"]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PYTHONUTF8": "1"}


class Smtplib:
    """The mailer."""

    plaintext = True
    extras = frozenset({"cert", "sni", "resume", "hangup=data"})

    def __init__(self) -> None:
        self._workers = Workers(COMMAND, ENVIRONMENT)

    async def describe(self) -> dict[str, Any]:
        """What this is; ``offers`` are the versions that Python says it was built with."""
        names = {version: version.replace(".", "_") for version in PROTOCOLS}
        return {
            "client": "smtplib",
            "version": f"Python {platform.python_version()}",
            "tls_library": "OpenSSL",
            "tls_version": ssl.OPENSSL_VERSION,
            "offers": [v for v, name in names.items() if getattr(ssl, f"HAS_{name}", False)],
            "sends_mail": True,
        }

    async def send_message(self, request: Request, port: int) -> Report:
        """Have a worker send the message."""
        return read_answer(await self._workers.run_job(make_job(request, port)))


if __name__ == "__main__":
    asyncio.run(main(Relayed(Smtplib()), MOST))
