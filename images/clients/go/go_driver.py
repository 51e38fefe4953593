#!/usr/bin/python3
"""Client driver: Go's net/smtp on crypto/tls, one message a request, by warm workers."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any

from common.contract import PROTOCOLS, Offer, Request, main
from common.hello import cipher_code, group_code
from common.mailer import Incapable, Relayed, Report
from common.worker import MOST, Workers, make_job, read_answer

COMMAND = ["/opt/client/worker"]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


def look_up_numbers(offer: Offer | None) -> dict[str, list[int]]:
    """The registry's numbers of an offer's ciphers and groups, as crypto/tls takes them.

    Raises:
        Incapable: a version that it never had, or a name without a number.
    """
    if offer is None:
        return {"suites": [], "curves": []}
    if offer.lowest == "SSLv2":
        raise Incapable("crypto/tls never had SSLv2")
    if any(name.startswith("TLS_") for name in offer.ciphers):
        raise Incapable("crypto/tls cannot choose among the ciphers of TLSv1.3")
    try:
        return {
            "suites": [cipher_code(name) for name in offer.ciphers],
            "curves": [group_code(name) for name in offer.groups],
        }
    except KeyError as exc:
        raise Incapable(f"{exc} has no number that is known here") from None


class NetSmtp:
    """The mailer."""

    extras = frozenset({"cert", "sni"})

    def __init__(self) -> None:
        self._workers = Workers(COMMAND, ENVIRONMENT)

    async def describe(self) -> dict[str, Any]:
        """What this is; ``offers`` are those that it has constants for and still uses."""
        description = json.loads(subprocess.check_output([*COMMAND, "describe"], env=ENVIRONMENT))
        return {
            "client": "net/smtp",
            "version": description["go"].removeprefix("go"),
            "tls_library": "crypto/tls",
            "tls_version": description["go"],
            "offers": list(PROTOCOLS[2:]),
            "sends_mail": True,
        }

    async def send_message(self, request: Request, port: int) -> Report:
        """Have a worker send the message."""
        job = make_job(request, port, **look_up_numbers(request.offer))
        return read_answer(await self._workers.run_job(job))


if __name__ == "__main__":
    asyncio.run(main(Relayed(NetSmtp()), MOST))
