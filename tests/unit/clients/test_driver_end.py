"""The end of a driver: of one that is still being started, and of one that does not answer."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from harness.clients import driver as driver_module
from harness.clients.driver import DIED, Driver
from harness.targets.machine_pace import MachinePace

#: Seconds that something in another thread may take.
PATIENCE = 20.0


class SlowLab:
    """Starts a container, which is a pair of sockets here, when it is let."""

    def __init__(self) -> None:
        self.pki = SimpleNamespace(ca="")
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()
        self.inside, self.outside = socket.socketpair()

    def start(self, *_arguments: Any) -> SlowLab:
        """Wait, and be the container."""
        self.has_begun.set()
        assert self.may_go_on.wait(PATIENCE)
        return self

    def address(self, _container: Any) -> str:
        """It has none."""
        return ""


def test_a_container_that_starts_after_the_end_reports_to_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Protects runs whose builds are all unavailable: no thread fails at a loop that has ended."""
    lab = SlowLab()
    monkeypatch.setattr(driver_module, "put_files", lambda *_: None)
    monkeypatch.setattr(driver_module, "certificate_files", lambda _: {})
    monkeypatch.setattr(driver_module, "attach_socket", lambda *_, **__: lab.outside)

    async def start_and_leave() -> Driver:
        driver = Driver(lab, "openssl-3.5.7", "reference")  # type: ignore[arg-type]
        starting = asyncio.create_task(driver.start())
        await asyncio.to_thread(lab.has_begun.wait, PATIENCE)
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
        driver.close()
        return driver

    loop = asyncio.new_event_loop()
    driver = loop.run_until_complete(start_and_leave())
    loop.close()
    failures: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    lab.may_go_on.set()
    end = time.monotonic() + PATIENCE
    while driver._last_stream is None or not driver._last_stream.ended:
        assert time.monotonic() < end
        lab.inside.close()
        time.sleep(0.01)
    driver._last_stream.close()
    assert failures == []


class LeftContainer:
    """A container that no engine removes: what it has in common with one of Docker's."""

    def remove(self, **_options: bool) -> None:
        """Fail as docker-py does where the engine is being restarted."""
        raise requests.ConnectionError("connection refused")


class SilentLab:
    """Starts containers whose driver never answers."""

    def __init__(self) -> None:
        self.pki, self.pace = SimpleNamespace(ca=""), MachinePace()
        self.container = LeftContainer()

    def start(self, *_arguments: Any) -> LeftContainer:
        """The container."""
        return self.container

    def address(self, _container: Any) -> str:
        """It has none."""
        return ""


def test_a_silent_driver_whose_container_stays_is_an_error_of_one_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Protects the other cells: an engine that is restarted meanwhile does not end the run."""
    inside, outside = socket.socketpair()
    monkeypatch.setattr(driver_module, "put_files", lambda *_: None)
    monkeypatch.setattr(driver_module, "attach_socket", lambda *_, **__: outside)
    monkeypatch.setattr(driver_module, "GRACE", 0.05)

    async def start_and_ask() -> str | None:
        driver = Driver(SilentLab(), "openssl-3.5.7", "reference")  # type: ignore[arg-type]
        await driver.start()
        result = await driver.send_line("c", "{}", 0.0)
        assert driver._stream is None, "the next request starts another container"
        return result.error

    with inside:
        assert (asyncio.run(start_and_ask()) or "").startswith(f"{DIED}: it gave no answer")
