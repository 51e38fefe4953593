"""Answers the requests of tests with an engine that is opened when the first one needs it.

It is in the process that has the whole session: the only one, or pytest-xdist's controller.
"""

from __future__ import annotations

import itertools
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, UsageError
from harness.pytest_plugin.engine_requests import (
    AwaitScenario,
    EngineRequest,
    HoldServer,
    ListCiphers,
    MeasureAhead,
    MeasureCells,
    NoEngineError,
    PrepareBuild,
    ReleaseServer,
    ServerRecord,
    TryTool,
)
from harness.pytest_plugin.own_additions import NO_OWN, OwnAdditions
from harness.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from harness.pytest_plugin.open_engine import OpenEngine
    from harness.run.instances import HeldInstance


@dataclass(frozen=True, slots=True)
class _HostedServer:
    """A server that a test holds; ``owner`` is the process that the test runs in."""

    owner: str
    build: str
    scenario: Scenario
    held: HeldInstance


class EngineHost:
    """Every method may be called from any thread; ``owner`` names the process that asks.

    ``trouble`` is why the engine could not be opened, None where it could or was not needed.
    """

    def __init__(self, runs: Path, time_limit: float = 10.0, own: OwnAdditions = NO_OWN) -> None:
        """``runs`` is where run folders are made; ``time_limit``, in seconds, of a dialogue."""
        self._own = own
        self.trouble: HarnessError | None = None
        self._runs, self._time_limit = runs, time_limit
        self._process = os.getpid()
        self._opening = threading.Lock()
        self._opened: OpenEngine | None = None
        self._is_closed = False
        self._lock = threading.Lock()
        self._servers: dict[int, _HostedServer] = {}
        self._ended_owners: set[str] = set()
        self._numbers = itertools.count(1)

    def answer(self, request: EngineRequest, owner: str) -> Any:
        """The answer to a request (``engine_requests``).

        Raises:
            UsageError: this is a process that the session's forked.
            HarnessError: there is no engine, or what is asked for cannot be measured.
        """
        if os.getpid() != self._process:
            raise UsageError(
                "a forked process cannot measure",
                cause="the engine's threads are in the process that was forked, not in the fork",
                next_step="measure in the test itself, before or after the fork",
            )
        engine = self._open_engine()
        match request:
            case PrepareBuild(build):
                return engine.prepare_build(build)
            case HoldServer():
                return self._hold_server(engine, request, owner)
            case TryTool(build, tool):
                return engine.try_tool(build, tool)
            case MeasureCells(number, cells):
                server = self._find_server(number)
                return engine.measure(server.held, server.scenario, cells)
            case ListCiphers(number, service):
                return engine.list_ciphers(self._find_server(number).held, service)
            case ReleaseServer(number):
                return self._release_server(number)
            case MeasureAhead():
                return engine.begin_scenarios(request)
            case AwaitScenario():
                return engine.await_scenario(request)

    def release_owner(self, owner: str) -> None:
        """Release the servers of a process that has ended."""
        with self._lock:
            self._ended_owners.add(owner)
            numbers = [n for n, server in self._servers.items() if server.owner == owner]
        for number in numbers:
            self._release_server(number)

    def stop_ahead(self) -> None:
        """Let no test wait for a scenario any more."""
        if self._opened is not None:
            self._opened.stop_scenarios()

    @property
    def folders(self) -> list[Path]:
        """The run folders that have any cell."""
        return self._opened.folders if self._opened is not None else []

    def close(self) -> None:
        """End the engine, if it was opened. May be called again.

        Raises:
            HarnessError: something of it could not be removed.
        """
        if os.getpid() != self._process:
            return
        with self._opening:
            first, self._is_closed = not self._is_closed, True
        if first and self._opened is not None:
            self._opened.close()

    def _open_engine(self) -> OpenEngine:
        """The engine; a failure to open it is the answer to all who ask.

        Raises:
            NoEngineError: it could not be opened; ``trouble`` is why.
            UsageError: the session has ended.
        """
        with self._opening:
            if self._is_closed:
                raise UsageError("the test session has ended", next_step="measure during a test")
            if self.trouble is not None:
                raise NoEngineError("there is no engine to measure with") from self.trouble
            if self._opened is None:
                # Docker's client takes a second to load.
                from harness.pytest_plugin.open_engine import OpenEngine

                try:
                    self._opened = OpenEngine(self._runs, self._time_limit, self._own)
                except HarnessError as error:
                    self.trouble = error
                    raise NoEngineError("there is no engine to measure with") from error
            return self._opened

    def _hold_server(self, engine: OpenEngine, request: HoldServer, owner: str) -> ServerRecord:
        held = engine.hold(request.build, request.scenario)
        instance = held.endpoint.instance
        server = _HostedServer(owner, request.build, request.scenario, held)
        with self._lock:
            number = next(self._numbers)
            self._servers[number] = server
            has_ended = owner in self._ended_owners
        if has_ended:
            self._release_server(number)
        return ServerRecord(
            number,
            engine.facts_of(request.build, held),
            instance.started,
            tuple(str(listener.service) for listener in instance.config.listeners),
            (*held.endpoint.startup(), *instance.output.splitlines()),
            engine.folder,
        )

    def _find_server(self, number: int) -> _HostedServer:
        with self._lock:
            server = self._servers.get(number)
        if server is None:
            raise UsageError(
                "the server was released",
                cause="a server of the fixture 'postfix' lives as long as its test",
                next_step="start it in the test that measures it",
            )
        return server

    def _release_server(self, number: int) -> None:
        with self._lock:
            server = self._servers.pop(number, None)
        if server is not None and self._opened is not None:
            self._opened.release(server.build, server.scenario, server.held)
