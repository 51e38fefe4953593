"""Locks between all threads and processes of this machine: each file is made by only one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harness.docker_engine.cancel import Cancel

#: Seconds between two checks whether the work is cancelled.
_POLL = 0.1


@contextmanager
def exclusive_lock(path: Path, cancel: Cancel, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file ``path``; its folder is created.

    ``on_wait`` is called once if another process or thread holds it. The kernel releases the lock
    however the process ends.

    Raises:
        Cancelled: cancelled while waiting.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    has_reported = False
    while True:
        cancel.check()
        try:
            lock.acquire(timeout=_POLL, poll_interval=_POLL / 2)
            break
        except Timeout:
            if not has_reported:
                on_wait()
                has_reported = True
    try:
        yield
    finally:
        lock.release()
