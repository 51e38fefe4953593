"""Tasks that begin once: shared results, shared errors, and one caller's cancellation."""

from __future__ import annotations

import asyncio

import pytest

from harness.run.shared_tasks import SharedTasks


class Work:
    """Counts how often it begins; ends when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.end = asyncio.Event()

    async def run(self) -> int:
        """Wait for the end; gives how often it has begun."""
        self.begun += 1
        number = self.begun
        await self.end.wait()
        return number


async def failing() -> None:
    """Fail."""
    raise ValueError("it failed")


def test_work_begins_once_however_many_ask() -> None:
    """Protects containers: two callers must not start two of a kind."""

    async def ask() -> None:
        tasks, work = SharedTasks(), Work()
        tasks.begin("a", work.run)
        work.end.set()
        assert await asyncio.gather(*(tasks.result("a", work.run) for _ in range(3))) == [1, 1, 1]

    asyncio.run(ask())


def test_one_callers_cancellation_leaves_the_work_to_the_others() -> None:
    """Protects the cells that wait: a cell that is cancelled must not stop a client's start."""

    async def ask() -> None:
        tasks, work = SharedTasks(), Work()
        first = asyncio.ensure_future(tasks.result("a", work.run))
        second = asyncio.ensure_future(tasks.result("a", work.run))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        work.end.set()
        assert await second == 1

    asyncio.run(ask())


def test_all_who_ask_get_the_same_error_until_it_is_forgotten() -> None:
    """Protects a run from trying what failed once for each of a thousand cells."""

    async def ask() -> None:
        tasks, work = SharedTasks(), Work()
        for _ in range(2):
            with pytest.raises(ValueError, match="it failed"):
                await tasks.result("a", failing)
        tasks.forget("a")
        work.end.set()
        assert await tasks.result("a", work.run) == 1

    asyncio.run(ask())


def test_what_was_begun_anew_is_not_begun_once_more() -> None:
    """Two callers may find that a control has died; the first of them starts another."""

    async def ask() -> None:
        tasks, work = SharedTasks(), Work()
        work.end.set()
        await tasks.result("a", work.run)
        work.end.clear()
        tasks.forget("a")
        tasks.begin("a", work.run)
        tasks.forget("a")
        work.end.set()
        assert await tasks.result("a", work.run) == 2

    asyncio.run(ask())


def test_cancelling_ends_all_of_them() -> None:
    """Protects the end of an engine: nothing is left running on its loop."""

    async def ask() -> None:
        tasks, work = SharedTasks(), Work()
        tasks.begin(("a", 1), work.run)
        tasks.begin(("b", 2), failing)
        await asyncio.sleep(0)
        await tasks.cancel()
        assert [task.done() for task in (*tasks.tasks("a"), *tasks.tasks("b"))] == [True, True]

    asyncio.run(ask())
