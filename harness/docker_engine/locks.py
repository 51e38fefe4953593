"""Being the only one who makes a thing, among all threads and processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harness.docker_engine.cancel import Cancel

#: Seconds between two looks at whether the work is broken off.
_POLL = 0.1


@contextmanager
def only_one(path: Path, cancel: Cancel, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file ``path``; its folder is made.

    ``waiting`` is called once if somebody else holds it. The kernel lets go of the lock however the
    process ends.

    Raises:
        Cancelled: broken off while it waited.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    told = False
    while True:
        cancel.check()
        try:
            lock.acquire(timeout=_POLL, poll_interval=_POLL / 2)
            break
        except Timeout:
            if not told:
                waiting()
                told = True
    try:
        yield
    finally:
        lock.release()
