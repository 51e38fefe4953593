"""Warm workers: processes in any language that take one JSON job a line and give one answer a line.

A runtime that takes a second to start (Java, Mono, PHP in WebAssembly) does so once. A worker has
one job at a time; one that hangs, dies or prints rubbish is replaced, and fails its own job alone.
"""

from __future__ import annotations

import asyncio
import json
import select
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from common.contract import Reply, Request
from common.mailer import Incapable, Report

#: Workers at a time; further jobs wait. Two processors are kept busy by fewer.
MOST = 4
#: Lines of standard error that are kept of a worker.
TAIL = 20
LIMIT = 1 << 20


class WorkerFailed(Exception):
    """A worker died, or what it printed is no answer; with what it said."""


class _Worker:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.errors: deque[str] = deque(maxlen=TAIL)
        self._listening = asyncio.create_task(self._read_errors())

    async def _read_errors(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.errors.append(line.decode("utf-8", "replace").rstrip())

    async def run_job(self, job: Mapping[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.errors.clear()
        # The pipe of a worker that has died is told by its end, below.
        with suppress(ConnectionError):
            self.process.stdin.write(json.dumps(job).encode() + b"\n")
            await self.process.stdin.drain()
        line = await self.process.stdout.readline()
        if not line:
            await self.process.wait()
            await self._listening
            raise WorkerFailed(f"the worker died ({self.process.returncode}): {self.error_text}")
        try:
            answer = json.loads(line)
        except ValueError:
            raise WorkerFailed(f"the worker printed {line[:200]!r}; {self.error_text}") from None
        if not isinstance(answer, dict):
            raise WorkerFailed(f"the worker's answer is no object: {line[:200]!r}")
        return answer

    @property
    def is_listening(self) -> bool:
        """Whether somebody still reads the worker's standard input.

        The kernel tells it at once: the event loop may not yet have heard that the worker died.
        """
        assert self.process.stdin is not None
        transport = self.process.stdin.transport
        if transport.is_closing():
            return False
        poll = select.poll()
        # What is asked for is errors and the other end's closing, which poll tells unasked.
        poll.register(transport.get_extra_info("pipe"), 0)
        return not poll.poll(0)

    @property
    def error_text(self) -> str:
        return "; ".join(self.errors) or "it said nothing on standard error"

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()


class Workers:
    """A pool of one command's workers, started as they are needed."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], most: int = MOST
    ) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._most = most
        # Before Python 3.10 a semaphore belongs to the loop that runs when it is made.
        self._slots: asyncio.Semaphore | None = None
        self._idle: list[_Worker] = []
        self._all: list[_Worker] = []

    @property
    def most(self) -> int:
        """Workers at a time."""
        return self._most

    async def warm_up(self, job: Mapping[str, Any]) -> None:
        """Start all workers, and wait until each has answered a job that does nothing."""
        await asyncio.gather(*(self.run_job(job) for _ in range(self._most)))

    async def close(self) -> None:
        """End all workers. A driver ends with its container and has no need of it; a test has."""
        for worker in self._all:
            worker.kill()
        await asyncio.gather(*(worker.process.wait() for worker in self._all))

    async def run_job(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Have one job done. A worker whose answer has ``last`` does no further one.

        One that died while it was idle is replaced before anything of the job is written; one that
        dies on its job has failed it.

        Raises:
            WorkerFailed: see there.
        """
        self._slots = self._slots or asyncio.Semaphore(self._most)
        async with self._slots:
            worker = await self._take_idle()
            try:
                answer = await worker.run_job(job)
            except BaseException:
                # Cancelled in the middle of a job, its answer would be taken for the next one's.
                worker.kill()
                raise
            if answer.get("last"):
                worker.kill()
            else:
                self._idle.append(worker)
            return answer

    async def _take_idle(self) -> _Worker:
        """An idle worker that lives, else a fresh one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.is_listening:
                return worker
            worker.kill()
            await worker.process.wait()
            code = worker.process.returncode
            print(f"a worker died while idle ({code}): {worker.error_text}", file=sys.stderr)
        return await self._start_worker()

    async def _start_worker(self) -> _Worker:
        pipe = asyncio.subprocess.PIPE
        worker = _Worker(
            await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                limit=LIMIT,
            )
        )
        self._all.append(worker)
        return worker


def make_job(request: Request, port: int, **more: Any) -> dict[str, Any]:
    """A worker's job: the request in flat JSON, with the relay's port.

    ``lowest`` and ``highest`` are null for the client as it comes; ``ciphers`` and ``groups`` are
    lists, empty for whatever the client has. ``sni`` is the server name to send, null for none;
    ``certificate`` and ``key`` are files, null for no certificate.
    """
    offer = request.offer
    return {
        "host": request.server_name,
        "port": port,
        "implicit": request.implicit_tls,
        "plaintext": request.plaintext,
        "lowest": offer.lowest if offer else None,
        "highest": offer.highest if offer else None,
        "ciphers": list(offer.ciphers) if offer else [],
        "groups": list(offer.groups) if offer else [],
        "ca_file": request.ca_file,
        "username": request.username,
        "password": request.password,
        "from": request.sender,
        "to": request.recipient,
        "subject": request.subject,
        "time_limit": request.time_limit,
        "certificate": request.extras.certificate,
        "key": request.extras.key,
        "sni": request.extras.server_name(request.server_name),
        "resume": request.extras.resume,
        "renegotiate": request.extras.renegotiate,
        "hangup": request.extras.hangup,
        **more,
    }


def read_answer(answer: Mapping[str, Any]) -> Report:
    """A worker's answer: ``sent``, and where it tells ``error``, ``code``, ``text``, ``stage``,
    ``protocol``, ``cipher``, ``bits``, ``group``, ``queue_id``, ``peer_certificate``, ``resumed``,
    ``hung_up``.

    ``incapable`` says why it can make no such offer.

    Raises:
        Incapable: it says so.
    """
    if answer.get("incapable"):
        raise Incapable(str(answer["incapable"]))
    code = answer.get("code")
    names = (
        *("error", "stage", "protocol", "cipher", "bits", "group", "queue_id"),
        *("peer_certificate", "resumed", "hung_up"),
    )
    return Report(
        sent=bool(answer.get("sent")),
        reply=Reply(int(code), str(answer.get("text") or "")) if code else None,
        **{name: answer[name] for name in names if answer.get(name) is not None},
    )
