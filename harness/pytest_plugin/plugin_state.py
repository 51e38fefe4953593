"""What the plugin keeps for one pytest session: its way to the engine, and the engine's host."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HarnessError, UsageError
from harness.pytest_plugin.engine_requests import (
    EngineConnection,
    EngineRequest,
    ErrorAnswer,
    NoEngineError,
)

if TYPE_CHECKING:
    from harness.pytest_plugin.engine_host import EngineHost
    from harness.pytest_plugin.engine_socket import EngineSocket, SocketConnection
    from harness.pytest_plugin.own_additions import OwnAdditions

_STATE = pytest.StashKey["PluginState"]()
#: The key of what the controller gives to a worker, in xdist's ``workerinput``.
WORKER_KEY = "postfix_matrix"
_REMOTE = ("ssh", "socket", "vagrant_ssh", "via")


class LocalConnection:
    """The way to an engine of this very process."""

    def __init__(self, host: EngineHost) -> None:
        self._host = host

    def ask(self, request: EngineRequest) -> Any:
        """See :class:`~harness.pytest_plugin.engine_requests.EngineConnection`."""
        try:
            return self._host.answer(request, "")
        except HarnessError as error:
            # As over a socket: the same kinds of errors, and no state of the engine's with them.
            raise ErrorAnswer.of(error).to_error() from None


class PluginState:
    """Made when something needs it; a process that needs no engine makes none."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        #: The scenarios that were collected, each with its folder, by id.
        self.scenario_folders: dict[str, Path] = {}
        #: Why the scenarios cannot be measured; None where they can.
        self.plan_error: HarnessError | None = None
        #: The test that has each snapshot's file.
        self.snapshot_tests: dict[Path, str] = {}
        self._lock = threading.Lock()
        self._builds: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._host: EngineHost | None = None
        self._socket: EngineSocket | None = None
        self._connection: EngineConnection | None = None
        self._worker: SocketConnection | None = None
        self._end_trouble: HarnessError | None = None

    @property
    def runs(self) -> Path:
        """Where the run folders are made."""
        return Path(self.config.rootpath, self.config.getoption("postfix_runs") or "runs")

    @property
    def troubles(self) -> list[HarnessError]:
        """Why this process's engine could not be opened, or not be closed."""
        opening = self._host.trouble if self._host is not None else None
        return [trouble for trouble in (opening, self._end_trouble) if trouble is not None]

    @property
    def connection(self) -> EngineConnection:
        """The way to the engine, in this process or in pytest-xdist's controller.

        Raises:
            UsageError: the process is on another machine.
            InfrastructureError: the controller has ended.
        """
        if self._connection is None:
            given: dict[str, str] | None = getattr(self.config, "workerinput", {}).get(WORKER_KEY)
            self._connection = (
                LocalConnection(self.host) if given is None else self._join_controller(given)
            )
        return self._connection

    @property
    def host(self) -> EngineHost:
        """The engine's host in this process."""
        with self._lock:
            if self._host is None:
                from harness.pytest_plugin.engine_host import EngineHost

                time_limit = self.config.getoption("postfix_time_limit")
                self._host = EngineHost(self.runs, time_limit, self.own_images)
            return self._host

    @cached_property
    def own_images(self) -> OwnAdditions:
        """The user's own images and clients, of options and of the configuration file.

        Raises:
            UsageError: a value is wrong.
        """
        from harness.pytest_plugin.own_additions import merge_values, read_own_images

        images, clients = (
            merge_values(
                self.config.getini(f"postfix_{kind}s"),
                self.config.getoption(f"postfix_{kind}s") or (),
            )
            for kind in ("image", "client")
        )
        return read_own_images(images, clients)

    def own_additions(self, folder: Path) -> OwnAdditions:
        """What the user adds for a test in this folder.

        Raises:
            UsageError: a value is wrong, or the policies that the configuration file names are not
                there.
        """
        from harness.pytest_plugin.own_additions import find_policies

        given: str = self.config.getini("postfix_policies")
        policies = find_policies(given, self.config.rootpath, folder)
        return replace(self.own_images, policies=policies)

    def globs_of(self, marker: pytest.Mark | None) -> tuple[str, ...]:
        """The globs for builds of a test with this marker.

        Raises:
            UsageError: the marker has no globs.
        """
        from harness.pytest_plugin.build_choice import choose_globs

        option: str | None = self.config.getoption("postfix_builds")
        ini: Sequence[str] = self.config.getini("postfix_builds")
        return choose_globs(None if marker is None else marker.args, option, ini)

    def builds_of(self, marker: pytest.Mark | None) -> tuple[str, ...]:
        """The builds of a test with this marker.

        Raises:
            UsageError: a glob matches nothing.
        """
        from harness.pytest_plugin.build_choice import list_builds

        globs = self.globs_of(marker)
        if globs not in self._builds:
            self._builds[globs] = list_builds(globs, self.own_images.images)
        return self._builds[globs]

    def input_for(self, spec: object) -> dict[str, str]:
        """What a worker is given: the way to the engine here, or why it has none.

        ``spec`` is execnet's, of the worker's gateway.
        """
        if any(getattr(spec, kind, None) for kind in _REMOTE):
            return {
                "refusal": f"--tx {spec}: this process is on another machine",
                "cause": "the containers are in a network of the controller's machine",
                "next_step": "run with -n, whose processes are on this machine",
            }
        if self._socket is None:
            from harness.pytest_plugin.engine_socket import EngineSocket

            try:
                self._socket = EngineSocket(self._answer_worker, self._release_owner)
            except HarnessError as error:
                return {"refusal": error.what, "cause": error.cause, "next_step": error.next_step}
        return {"path": self._socket.path, "key": self._socket.key}

    def stop_ahead(self) -> None:
        """Let no test wait for a scenario any more."""
        if self._host is not None:
            self._host.stop_ahead()

    @property
    def folders(self) -> list[Path]:
        """The run folders that have any cell."""
        return self._host.folders if self._host is not None else []

    def close(self) -> None:
        """End what this process has of the engine.

        What fails then takes no result away: it is among the ``troubles``.
        """
        if self._worker is not None:
            self._worker.close()
        if self._socket is not None:
            self._socket.close()
        try:
            if self._host is not None:
                self._host.close()
        except HarnessError as error:
            self._end_trouble = error

    def _answer_worker(self, request: EngineRequest, owner: str) -> Any:
        return self.host.answer(request, owner)

    def _release_owner(self, owner: str) -> None:
        if self._host is not None:
            self._host.release_owner(owner)

    def _join_controller(self, given: dict[str, str]) -> SocketConnection:
        if "refusal" in given:
            raise UsageError(given["refusal"], cause=given["cause"], next_step=given["next_step"])
        from harness.pytest_plugin.engine_socket import SocketConnection

        worker = os.environ.get("PYTEST_XDIST_WORKER", "")
        owner = f"{worker}-{os.getpid()}"
        self._worker = SocketConnection(given["path"], given["key"], owner)
        return self._worker


def state_of(config: pytest.Config) -> PluginState:
    """The state of a session, made if there is none."""
    if _STATE not in config.stash:
        config.stash[_STATE] = PluginState(config)
    return config.stash[_STATE]


def find_state(config: pytest.Config) -> PluginState | None:
    """The state of a session, if something needed it."""
    return config.stash.get(_STATE, None)


def describe_for_setup(error: HarnessError) -> str:
    """An error as the setup of a test shows it: what every test shares stands in the summary."""
    if isinstance(error, NoEngineError):
        return f"{error}: see 'postfix-matrix' in the summary"
    return str(error)
