"""Whose turn it is: each image is made by one thread of one process, and few compile at a time."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore, Lock

from harness.docker_engine.cancel import Cancel
from harness.docker_engine.locks import exclusive_lock
from harness.images.refusals import file_name

#: Builds at a time that wait for the network rather than the processor.
_LIGHT = 4

_POLL = 0.1


class BuildTurns:
    """The locks and slots of an image builder. Waiting ends with Cancelled once that is set."""

    def __init__(self, locks_dir: Path, cancel: Cancel, compilers: int | None) -> None:
        """``locks_dir`` is for the locks among processes; ``compilers``: builds that compile."""
        self._dir = locks_dir
        self._cancel = cancel
        self._heavy = BoundedSemaphore(compilers or _count_compile_slots())
        self._light = BoundedSemaphore(_LIGHT)
        self._thread_locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._thread_locks_lock = Lock()

    @contextmanager
    def hold_among_threads(self, reference: str) -> Iterator[None]:
        """Be the thread of this process that makes the image."""
        with self._thread_locks_lock:
            turn = self._thread_locks[reference]
        while not turn.acquire(timeout=_POLL):
            self._cancel.check()
        try:
            yield
        finally:
            turn.release()

    @contextmanager
    def hold_among_processes(self, reference: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Be the process that makes the image; ``on_wait`` is called if another one is."""
        lock = self._dir / f"{file_name(reference)}.lock"
        with exclusive_lock(lock, self._cancel, on_wait):
            yield

    @contextmanager
    def hold_slot(self, *, is_heavy: bool) -> Iterator[None]:
        """Be one of the few that keep the processors busy (``is_heavy``), or the network."""
        slots = self._heavy if is_heavy else self._light
        while not slots.acquire(timeout=_POLL):
            self._cancel.check()
        try:
            yield
        finally:
            slots.release()


def _count_compile_slots() -> int:
    """How many builds may compile at once: each runs as many compilers as there are processors.

    With two, one uses the processors while the other has a single-threaded phase (configure, link,
    install). Compiling one of these sources takes up to 0.3 GB per compiler.
    """
    processors = os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return 2 if memory > 2 * processors * 0.3 + 1 else 1
