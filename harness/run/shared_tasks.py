"""Tasks that begin once, with the first caller, and whose result all callers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any


class SharedTasks:
    """Tasks by a key. Belongs to one event loop."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}

    def begin(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Begin the task of a key, unless it was begun."""
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(work(), name=str(key))

    async def result(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result of a key's task, or the error that it ended with; begun if need be."""
        self.begin(key, work)
        # Shielded: one caller's cancellation must not take the result from all others.
        return await asyncio.shield(self._tasks[key])

    def forget(self, key: Hashable) -> bool:
        """Let the task of a key be begun anew, if it has ended; whether it had.

        Several callers may be dissatisfied with one result; what the first of them has begun anew
        is the others' as well.
        """
        if key in self._tasks and self._tasks[key].done():
            del self._tasks[key]
            return True
        return False

    def tasks(self, kind: str) -> list[asyncio.Task[Any]]:
        """The tasks whose key is a tuple that begins with this."""
        return [
            task for key, task in self._tasks.items() if isinstance(key, tuple) and key[0] == kind
        ]

    async def cancel(self) -> None:
        """Cancel all tasks, and wait until they have ended."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
