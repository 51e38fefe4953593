"""The engine's thread: how it begins, takes callers, and ends. Docker is left out."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from harness.errors import UsageError
from harness.run import engine as module
from harness.run.engine import Engine, EngineClosedError, Options


class NoDocker:
    """Stands for the client, and for the image builder."""

    id = "20261130T000000Z-0000"

    def close(self) -> None:
        """Hang up."""

    def cancel(self) -> None:
        """Stop making images."""


@pytest.fixture(autouse=True)
def _without_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    def enter(*_args: Any, **_options: Any) -> AbstractContextManager[NoDocker]:
        return nullcontext(NoDocker())

    monkeypatch.setattr(module, "connect", NoDocker)
    monkeypatch.setattr(module, "DockerSession", enter)
    monkeypatch.setattr(module, "Lab", enter)
    monkeypatch.setattr(module, "open_builder", lambda *_args, **_options: NoDocker())
    monkeypatch.setattr(module, "most_containers", lambda _client: 8)


async def give_number() -> int:
    """Give a number."""
    await asyncio.sleep(0)
    return 1


def test_it_runs_what_it_is_given_until_it_is_closed() -> None:
    """Protects callers: an engine that is closed says so."""
    with Engine() as engine:
        assert engine.run(give_number()) == 1
    engine.close()
    with pytest.raises(EngineClosedError):
        engine.run(give_number())


def test_closing_it_ends_what_other_threads_wait_for() -> None:
    """Protects against a hang at the end: a caller that waits gets an error."""
    errors: list[type[BaseException]] = []
    begun = threading.Event()

    async def wait_forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    def call() -> None:
        try:
            engine.run(wait_forever())
        except EngineClosedError as error:
            errors.append(type(error))

    with Engine() as engine:
        caller = threading.Thread(target=call)
        caller.start()
        assert begun.wait(10)
    caller.join(10)
    assert errors == [EngineClosedError]


def test_one_that_cannot_begin_gives_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens it waits for its thread, and would wait forever."""

    def fail(*_args: Any) -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(module, "Resources", fail)
    with pytest.raises(OSError, match="too many open files"), Engine():
        pass


def test_its_own_thread_cannot_wait_for_it() -> None:
    """A listener that asks the engine for something would wait for itself."""

    async def ask() -> int:
        await asyncio.sleep(0)
        return engine.run(give_number())

    with Engine() as engine, pytest.raises(RuntimeError, match="own thread"):
        engine.run(ask())


@pytest.mark.parametrize("options", [{"jobs": 0}, {"jobs": 65}, {"time_limit": 0.0}])
def test_options_that_no_dialogue_can_have_are_refused(options: dict[str, Any]) -> None:
    """Without a slot every cell would wait forever; drivers work on 64 requests at a time."""
    with pytest.raises(UsageError):
        Options(**options)
