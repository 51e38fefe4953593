"""The engine: everything that cells are measured with, for as long as a caller measures.

It owns an event loop in a thread of its own, the Docker session, the network of the containers, the
image builder and the number of dialogues at a time. Builds, clients, controls, peers and instances
come when they are first asked for (:mod:`harness.run.resources`, :mod:`harness.run.instances`).
``make matrix`` is one caller of it; ``verify``, ``explain``, ``since --bisect``, ``scan BUILD`` and
the Python API are others. Closing it ends everything, from any thread.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.docker_engine.session import DockerSession, connect
from harness.errors import InfrastructureError, UsageError
from harness.images.registry import ImageRegistry
from harness.run.container_pool import ContainerPool, most_containers
from harness.run.events import Listener
from harness.run.instances import Instances
from harness.run.resources import Resources
from harness.run.session_builder import open_builder
from harness.targets.lab import Lab
from harness.targets.machine_pace import TIMER_LIMIT

T = TypeVar("T")
#: Blocking calls that may wait at once: containers starting, mailboxes read.
THREADS = 32
#: As many requests as a driver works on at a time (images/clients/common/contract.py); more would
#: only wait there, with the harness's clock running.
MOST_JOBS = 64
#: Seconds that the end of a cancelled coroutine is waited for.
CANCEL_LIMIT = 30.0
#: Seconds between two measurements of how slow the machine is, and of the timer that is one.
_PACE_STEP = 2.0
_TIMER = 0.05


@dataclass(frozen=True, slots=True)
class Options:
    """``jobs``: dialogues at a time. ``time_limit``: of one dialogue, in seconds.

    ``keep``: instances, containers and network are left running, for a look at them.
    """

    jobs: int = 8
    time_limit: float = 10.0
    keep: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.jobs <= MOST_JOBS:
            raise UsageError(
                f"{self.jobs} dialogues at a time are not possible",
                next_step=f"name a number of jobs from 1 to {MOST_JOBS}",
            )
        if self.time_limit <= 0:
            raise UsageError(
                f"no dialogue ends within {self.time_limit:g} s",
                next_step="name a time limit above 0 s",
            )


class EngineClosedError(UsageError):
    """The engine was closed while it was asked for something, or before."""

    def __init__(self) -> None:
        super().__init__("the engine is closed", next_step="open another one")


class Engine:
    """A context manager; every method may be called from any thread but the engine's own."""

    def __init__(
        self,
        *,
        listener: Listener = lambda _: None,
        options: Options | None = None,
        mirrors: Sequence[str] = (),
        registry: ImageRegistry | None = None,
    ) -> None:
        """``listener`` gets each step of images and containers; ``mirrors`` are asked first.

        Images are pulled from the ``registry``, if it has them.
        """
        self.options = options or Options()
        self.listener = listener
        self._mirrors = tuple(mirrors)
        self._registry = registry
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._callers: set[asyncio.Task[Any]] = set()
        self._later: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Engine:
        """Open it: a Docker session, a network, and a thread with an event loop.

        Raises:
            InfrastructureError: no Docker engine answers.
        """
        with self._stack:
            client = connect()
            self._stack.callback(client.close)
            keep = self.options.keep
            self.session = self._stack.enter_context(DockerSession(client, keep=keep))
            self.lab = self._stack.enter_context(Lab(self.session))
            self.builder = open_builder(
                self.session, self.listener, mirrors=self._mirrors, registry=self._registry
            )
            # What is kept for a look must not make room for others.
            limit = sys.maxsize if keep else most_containers(client)
            started: Future[None] = Future()
            thread = threading.Thread(
                target=self._run_loop,
                args=(started, limit),
                name="postfix-matrix engine",
                daemon=True,
            )
            self._thread = thread
            thread.start()
            self._stack.callback(self._end_loop, thread, started)
            started.result()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the engine's loop and wait for its result.

        Ctrl-C while waiting cancels it, and its end is waited for.

        Raises:
            EngineClosedError: the engine is closed, or was meanwhile.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("the engine's own thread, such as a listener, cannot wait for it")
        ended = threading.Event()
        with self._lock:
            if self._closed:
                work.close()
                raise EngineClosedError
            future = asyncio.run_coroutine_threadsafe(self._run_caller(work, ended), self._loop)
        try:
            return future.result()
        except FutureCancelledError:
            raise EngineClosedError from None
        except BaseException:
            if not future.done():
                future.cancel()
                ended.wait(CANCEL_LIMIT)
            raise

    def finish_later(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a coroutine go on after its caller has returned; for the engine's own loop.

        :meth:`finish` waits for it; closing the engine ends it.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._later.add(task)
        self._callers.add(task)
        task.add_done_callback(self._callers.discard)
        task.add_done_callback(self._later.discard)

    def finish(self) -> None:
        """Wait for what goes on after its caller has returned."""
        self.run(self._await_later())

    def close(self) -> None:
        """End what is being measured, then containers and network. May be called again."""
        with self._lock:
            first, self._closed = not self._closed, True
        if first:
            self._stack.close()

    def _run_loop(self, started: Future[None], limit: int) -> None:
        """The engine's thread: its loop, until it is told to end."""
        try:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                runner.run(self._serve_callers(started, limit))
        except BaseException as error:
            if started.done():
                raise
            # Who opens the engine waits for it.
            started.set_exception(error)

    async def _serve_callers(self, started: Future[None], limit: int) -> None:
        executor = ThreadPoolExecutor(THREADS, thread_name_prefix="postfix-matrix")
        self._loop.set_default_executor(executor)
        self._ending = asyncio.Event()
        self.slots = asyncio.Semaphore(self.options.jobs)
        self.resources = Resources(self.lab, self.builder, self.listener)
        self.containers = ContainerPool(self.resources.start_target, limit)
        self.instances = Instances(self.containers, self.resources, keep=self.options.keep)
        watching = asyncio.create_task(self._watch_pace())
        started.set_result(None)
        try:
            await self._ending.wait()
        finally:
            watching.cancel()
            await self._cancel_callers()
            try:
                await self.resources.close()
            finally:
                await self.containers.close()

    async def _watch_pace(self) -> None:
        """Measure round trips now and then: a timer's, and an echo from a container."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(_TIMER)
            self.lab.pace.note(time.monotonic() - began - _TIMER, TIMER_LIMIT)
            # A container that has died is noticed by who uses it.
            with suppress(InfrastructureError):
                await self.containers.measure_echo()
            await asyncio.sleep(_PACE_STEP)

    async def _run_caller(self, work: Coroutine[Any, Any, T], ended: threading.Event) -> T:
        """One caller's coroutine, known here so that closing the engine ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._callers.add(task)
        try:
            return await work
        finally:
            self._callers.discard(task)
            ended.set()

    async def _await_later(self) -> None:
        while self._later:
            await asyncio.gather(*self._later)

    async def _cancel_callers(self) -> None:
        callers = list(self._callers)
        for task in callers:
            task.cancel()
        await asyncio.gather(*callers, return_exceptions=True)

    def _end_loop(self, thread: threading.Thread, started: Future[None]) -> None:
        wait([started])
        # A loop that could not start, or has ended already, need not be told.
        if started.exception() is None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ending.set)
        thread.join()
