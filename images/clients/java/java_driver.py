#!/usr/bin/python3
"""Client driver: JavaMail on JSSE, one message a request, by warm workers behind the relay.

The JDK's policy (java.security) is of a whole process, so there are workers for the default, which
leave it as it is, and workers for offers, from which it is taken away.
"""

from __future__ import annotations

import asyncio
import functools
import json
import subprocess
from typing import Any

from common.contract import PROTOCOLS, Offer, Request, main
from common.mailer import Incapable, Relayed, Report
from common.worker import Workers, make_job, read_answer

CLASSES = "/opt/client:/usr/share/java/javax.mail.jar"
JAVA = ["/usr/bin/java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx128m"]
COMMAND = [*JAVA, "-cp", CLASSES, "Worker"]
UNHINDERED = [*JAVA, "-Djava.security.properties=/opt/driver/unhindered.security"]
UNHINDERED += ["-cp", CLASSES, "Worker"]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
#: A JVM has 60 MB at rest; two keep two processors busy.
MOST = 2


@functools.cache
def describe_runtime() -> dict[str, str]:
    """What the runtime without its policy says of itself: versions, protocols, suites."""
    done = subprocess.run(
        [*UNHINDERED, "describe"], env=ENVIRONMENT, capture_output=True, check=True
    )
    description: dict[str, str] = json.loads(done.stdout)
    return description


def make_restrictions(offer: Offer) -> dict[str, str]:
    """What JavaMail is told of an offer: protocols in Postfix's spelling, suites by the registry.

    Raises:
        Incapable: JSSE takes names of suites by the registry only, and groups by process only.
    """
    if offer.ciphers or offer.groups:
        raise Incapable("this driver chooses no cipher suites or groups for JSSE")
    suites = [name for name in describe_runtime()["suites"].split() if not name.endswith("_SCSV")]
    return {"protocols": " ".join(offer.list_versions()), "suites": " ".join(suites)}


class JavaMail:
    """The mailer."""

    def __init__(self) -> None:
        self._default = Workers(COMMAND, ENVIRONMENT, MOST)
        self._unhindered = Workers(UNHINDERED, ENVIRONMENT, MOST)

    async def describe(self) -> dict[str, Any]:
        """What this is; ``offers`` are the versions that JSSE supports without its policy."""
        runtime = describe_runtime()
        return {
            "client": "javamail",
            "version": f"JavaMail {runtime['mail']} on OpenJDK {runtime['java']}",
            "tls_library": "JSSE",
            "tls_version": f"OpenJDK {runtime['java']}",
            "offers": [v for v in PROTOCOLS if v in runtime["protocols"].split()],
            "sends_mail": True,
        }

    async def warm_up(self) -> None:
        """Have the runtimes started: each takes most of a second."""
        for workers in (self._default, self._unhindered):
            await workers.warm_up({"warm": True})

    async def send_message(self, request: Request, port: int) -> Report:
        """Have a worker send the message."""
        if request.offer is None:
            return read_answer(await self._default.run_job(make_job(request, port)))
        job = make_job(request, port, **make_restrictions(request.offer))
        return read_answer(await self._unhindered.run_job(job))


if __name__ == "__main__":
    mailer = JavaMail()
    asyncio.run(main(Relayed(mailer), MOST, mailer.warm_up))
