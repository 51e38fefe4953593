#!/usr/bin/python3
"""Client driver: a language's SMTP library on a suite's own runtime, by warm workers.

Which one it is, is in the environment: POSTFIX_MATRIX_RUNTIME, a key of `RUNTIMES`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from typing import Any

from common.contract import Request, main
from common.mailer import Relayed, Report
from common.worker import Workers, make_job, read_answer
from runtimes import ENVIRONMENT, RUNTIMES, UNHINDERED, Runtime


class RuntimeMailer:
    """The mailer: workers as the distribution configures them, and workers for offers."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.plaintext = runtime.plaintext
        self._default = Workers(runtime.command(), ENVIRONMENT, runtime.most)
        self._unhindered = Workers(runtime.command(), {**ENVIRONMENT, **UNHINDERED}, runtime.most)

    async def describe(self) -> dict[str, Any]:
        """What the worker says that it is."""
        command = [*self._runtime.command(), "--describe"]
        described: dict[str, Any] = json.loads(subprocess.check_output(command, env=ENVIRONMENT))
        return {"sends_mail": True, **described}

    async def send_message(self, request: Request, port: int) -> Report:
        """Have a worker send the message."""
        workers = self._default if request.offer is None else self._unhindered
        return read_answer(await workers.run_job(make_job(request, port)))


if __name__ == "__main__":
    chosen = RUNTIMES[os.environ["POSTFIX_MATRIX_RUNTIME"]]
    asyncio.run(main(Relayed(RuntimeMailer(chosen)), chosen.most))
