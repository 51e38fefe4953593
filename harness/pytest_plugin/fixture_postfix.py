"""The fixture ``postfix``: a function that starts servers for one test, and stops them after it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from harness.errors import HarnessError, UsageError
from harness.pytest_plugin.configurations import GivenConfiguration, GivenText, read_given
from harness.pytest_plugin.engine_requests import EngineConnection, HoldServer, PrepareBuild
from harness.pytest_plugin.plugin_state import describe_for_setup, state_of
from harness.pytest_plugin.servers import TestedServer
from harness.reports.labels import COMPLAINT
from harness.scenarios.scenario import Scenario
from harness.tools.result import ToolResult


class ServersOfTest:
    """The servers that one test starts on the build that it runs on, until :meth:`release`."""

    def __init__(self, request: pytest.FixtureRequest, build: str) -> None:
        """Find the engine. Where there is none, or no build, the test's setup fails."""
        self.build = build
        self.servers: list[TestedServer] = []
        self._test = request.node
        self._folders = (self._test.path.parent, Path(request.config.rootpath))
        self._connection = connect_for_test(request.config, build)
        self._own = state_of(request.config).own_additions(self._test.path.parent)

    def release(self) -> None:
        """Stop the servers."""
        for server in self.servers:
            # Without the engine there is nothing to stop, and the test has its result.
            with suppress(HarnessError):
                server.release()

    def _hold_server(self, scenario: Scenario, tool: ToolResult | None = None) -> TestedServer:
        record = self._connection.ask(HoldServer(self.build, scenario))
        server = TestedServer(self._connection, record, scenario, self._own, tool)
        self.servers.append(server)
        return server


class ServerStarter(ServersOfTest):
    """Starts servers; the value of the fixture ``postfix``."""

    def __call__(
        self,
        *,
        main_cf: GivenText | None = None,
        master_cf: str | Path | None = None,
        config_dir: str | Path | None = None,
        scenario: str | Path | None = None,
        whole: bool | None = None,
        as_is: bool = False,
    ) -> TestedServer:
        """Start a Postfix with a configuration. Paths are relative to the test's folder.

        Args:
            main_cf: a file, or its text, or settings by name; with or without ``master_cf``.
            master_cf: a file, or its text.
            config_dir: a folder such as /etc/postfix, or a tar of one.
            scenario: a scenario's folder, or the name of one that comes with the tool.
            whole: True for a whole configuration, to which nothing is added that decides TLS; False
                for lines of one; None: as the text shows.
            as_is: nothing is replaced that needs another machine's surroundings.

        Raises:
            UsageError: the configuration cannot be read.
            InfrastructureError: the build is unavailable.
        """
        given = GivenConfiguration(main_cf, master_cf, config_dir, scenario, whole, as_is)
        name = getattr(self._test, "originalname", None) or self._test.name
        server = self._hold_server(read_given(given, self._folders, name))
        self._test.add_report_section("call", "postfix", _describe_start(server))
        return server


def _describe_start(server: TestedServer) -> str:
    """How a configuration was read, and what Postfix complains about, for the test's report."""
    complaints = [line for line in server.startup_log if COMPLAINT.search(line)]
    return "\n".join([repr(server), *server.scenario.reading, *complaints])


def connect_for_test(config: pytest.Config, build: str) -> EngineConnection:
    """The way to the engine, which can start the build; without it the test's setup fails."""
    connection, trouble = _find_connection(config, build)
    if connection is None:
        # Outside of the handler, whose errors pytest would show as this one's causes.
        pytest.fail(trouble, pytrace=False)
    return connection


def _find_connection(config: pytest.Config, build: str) -> tuple[EngineConnection | None, str]:
    """The way to the engine, which can start the build; or None, and why not."""
    try:
        connection = state_of(config).connection
        connection.ask(PrepareBuild(build))
    except HarnessError as error:
        return None, describe_for_setup(error)
    return connection, ""


def only_build(request: pytest.FixtureRequest) -> str:
    """The build of a test that asks for the fixture while it runs, so that it is not repeated.

    Raises:
        UsageError: several builds are chosen.
    """
    marker = request.node.get_closest_marker("postfix_builds")
    builds = state_of(request.config).builds_of(marker)
    if len(builds) != 1:
        raise UsageError(
            f"a test that asks for 'postfix' while it runs cannot run on {len(builds)} builds",
            next_step="make 'postfix' an argument of the test, or choose one build",
        )
    return builds[0]
