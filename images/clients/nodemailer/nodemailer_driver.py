#!/usr/bin/python3
"""Client driver: nodemailer on Node.js, one message a request, by warm workers behind the relay."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any

from common.contract import PROTOCOLS, Request, main
from common.mailer import Relayed, Said
from common.worker import MOST, Workers, job_of, said_by

COMMAND = ["/usr/local/bin/node", "/opt/client/worker.js"]
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "NODE_NO_WARNINGS": "1"}


def versions(node: str) -> tuple[str, ...]:
    """What a release of Node.js was built with, and its API can be told (tried, each of them)."""
    major, minor = (int(part) for part in node.split(".")[:2])
    if (major, minor) < (0, 10):
        return PROTOCOLS[:3]
    if major < 12:
        return PROTOCOLS[1 if major == 0 else 2 : 5]
    return PROTOCOLS[2:]


class Nodemailer:
    """The mailer."""

    def __init__(self) -> None:
        self._workers = Workers(COMMAND, ENVIRONMENT)

    async def describe(self) -> dict[str, Any]:
        """What this is; ``offers`` are the versions that the release's OpenSSL has."""
        told = json.loads(
            subprocess.run(
                [*COMMAND, "--describe"], env=ENVIRONMENT, capture_output=True, check=True
            ).stdout
        )
        return {
            "client": "nodemailer",
            "version": f"{told['nodemailer']} on Node.js {told['node']}",
            "tls_library": "OpenSSL",
            "tls_version": f"OpenSSL {told['openssl']}",
            "offers": list(versions(told["node"])),
            "sends_mail": True,
        }

    async def send(self, request: Request, port: int) -> Said:
        """Have a worker send the message."""
        return said_by(await self._workers.ask(job_of(request, port)))


if __name__ == "__main__":
    asyncio.run(main(Relayed(Nodemailer()), MOST))
