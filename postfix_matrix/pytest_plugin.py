"""The pytest plugin (docs/pytest.md), which pytest loads in every project that could use it.

So it imports nothing but pytest; what it does is in ``harness.pytest_plugin``, imported when a test
needs it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.pytest_plugin.fixture_postfix import ServerStarter
    from harness.pytest_plugin.fixture_snapshot import SnapshotChecker
    from harness.pytest_plugin.fixture_tool import ToolStarter
    from harness.pytest_plugin.plugin_state import PluginState

_MARKER = "postfix_builds(globs, ...): the builds on which a test of the fixture 'postfix' runs"
#: The attribute of a report whose test ended because something was not measured.
_NOT_MEASURED = "is_postfix_not_measured"


#: Keys of the configuration file that have several values.
_KEYS = {
    "postfix_builds": "the builds to test on, as globs",
    "postfix_images": "images of your own, each as NAME=REFERENCE",
    "postfix_clients": "client images of your own, each as NAME=REFERENCE",
    "postfix_scenarios": "the folders of scenarios to collect, as globs below the rootdir",
}
#: A line of a scenario.toml of ours. Other tools have files of that name too.
_CLAIM = re.compile(r"^\s*(?:claim\s*=|\[\[\s*expect\s*\]\])", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and the keys of the configuration file."""
    group = parser.getgroup("postfix-matrix", "Postfix configurations (postfix-matrix)")
    group.addoption(
        "--postfix-builds",
        metavar="GLOBS",
        help="the builds to test on, such as 'debian-*,ubuntu-16.04'",
    )
    group.addoption(
        "--postfix-runs",
        metavar="FOLDER",
        help="where the evidence of all cells is kept (default: runs, below the rootdir)",
    )
    group.addoption(
        "--postfix-time-limit",
        metavar="SECONDS",
        type=float,
        default=10.0,
        help="seconds that one SMTP dialogue may take (default: %(default)s)",
    )
    group.addoption(
        "--postfix-update",
        action="store_true",
        help="record what servers do in the snapshots of 'postfix_snapshot'",
    )
    group.addoption(
        "--postfix-image",
        dest="postfix_images",
        action="append",
        metavar="NAME=REFERENCE",
        help="also know this image of your own as a build (docs/image-contract.md)",
    )
    group.addoption(
        "--postfix-client",
        dest="postfix_clients",
        action="append",
        metavar="NAME=REFERENCE",
        help="also measure with this client image of your own (docs/client-contract.md)",
    )
    for name, text in _KEYS.items():
        parser.addini(name, text, type="args", default=[])
    parser.addini("postfix_policies", "the policies.toml that must_meet() reads too", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat a test of the fixture for each of its builds, which come first in the tests' ids."""
    if "postfix_build" not in metafunc.fixturenames:
        return
    from harness.errors import HarnessError
    from harness.pytest_plugin.plugin_state import state_of

    marker = metafunc.definition.get_closest_marker("postfix_builds")
    try:
        builds = state_of(metafunc.config).builds_of(marker)
    except HarnessError as error:
        name = metafunc.function.__name__
        raise pytest.Collector.CollectError(f"{name}: {error}") from None
    metafunc.parametrize("postfix_build", builds, indirect=True, ids=list(builds))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a scenario's expectations."""
    if file_path.name != "scenario.toml" or not _is_ours(file_path, parent):
        return None
    from harness.pytest_plugin.scenario_items import ScenarioFile

    return ScenarioFile.from_parent(parent, path=file_path)


def _is_ours(path: Path, parent: pytest.Collector) -> bool:
    """Whether a scenario.toml is one of this tool: other tools have files of that name.

    As pytest decides it for Python files, one that the command line names is collected, and else
    the globs of the configuration file decide. Without globs it is what lies beside the file, or is
    written in it; so one of ours that has an error is still reported.
    """
    if parent.session.isinitpath(path):
        return True
    if globs := parent.config.getini("postfix_scenarios"):
        folder = os.path.relpath(path.parent, parent.config.rootpath)
        return any(fnmatch(folder, glob.rstrip("/")) for glob in globs)
    if any(path.with_name(name).is_file() for name in ("main.cf", "master.cf")):
        return True
    try:
        return bool(_CLAIM.search(path.read_text("utf-8", errors="replace")))
    except OSError:
        return False


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Begin to measure the cells of the selected expectations, unless no test will run."""
    options = session.config.option
    runs = not session.testsfailed or options.continue_on_collection_errors
    module = sys.modules.get("harness.pytest_plugin.scenario_items")
    if module is not None and runs and not options.collectonly:
        module.measure_ahead(session)


@pytest.fixture
def postfix_build(request: pytest.FixtureRequest) -> str:
    """The build that the test runs on, such as 'debian-12'; the test is repeated for each."""
    from harness.pytest_plugin.fixture_postfix import only_build

    return str(request.param) if hasattr(request, "param") else only_build(request)


@pytest.fixture
def postfix(request: pytest.FixtureRequest, postfix_build: str) -> Iterator[ServerStarter]:
    """Starts a Postfix with a configuration: postfix(main_cf="files/main.cf")."""
    from harness.pytest_plugin.fixture_postfix import ServerStarter

    starter = ServerStarter(request, postfix_build)
    yield starter
    starter.release()


@pytest.fixture
def postfix_tool(request: pytest.FixtureRequest, postfix_build: str) -> Iterator[ToolStarter]:
    """Runs a hardening tool, and starts a Postfix with what it left: postfix_tool("harden.sh")."""
    from harness.pytest_plugin.fixture_tool import ToolStarter

    starter = ToolStarter(request, postfix_build)
    yield starter
    starter.release()


@pytest.fixture
def postfix_snapshot(request: pytest.FixtureRequest) -> SnapshotChecker:
    """Compares a server with what was recorded of it: postfix_snapshot.check(server)."""
    from harness.pytest_plugin.fixture_snapshot import SnapshotChecker

    return SnapshotChecker(request)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001 (pytest's name)
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Leave our own frames out of a report, and note in it that something was not measured."""
    if call.excinfo is not None:
        _cut_traceback(call.excinfo)
    report = yield
    if call.excinfo is not None and getattr(call.excinfo.value, _NOT_MEASURED, False):
        setattr(report, _NOT_MEASURED, True)
    return report


def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> Any:
    """What was not measured is an error, not a failure of what was tested."""
    if report.failed and getattr(report, _NOT_MEASURED, False):
        return "error", "E", "ERROR"
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a worker of pytest-xdist the way to the engine, which is in this process."""
    from harness.pytest_plugin.plugin_state import WORKER_KEY, state_of

    plugins = node.config.pluginmanager
    if not plugins.has_plugin(_LastFailure.NAME):
        plugins.register(_LastFailure(node.config), _LastFailure.NAME)
    node.workerinput[WORKER_KEY] = state_of(node.config).input_for(node.gateway.spec)


class _LastFailure:
    """Stops what is measured ahead when the failures are as many as ``-x`` or ``--maxfail`` allow.

    pytest-xdist's controller would wait for the tests of its workers, which wait for their cells.
    """

    NAME = "postfix_matrix-maxfail"

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._left = int(config.getvalue("maxfail") or 0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a failure."""
        if report.failed and not hasattr(report, "wasxfail"):
            self._left -= 1
            state = _find_state(self._config)
            if self._left == 0 and state is not None:
                state.stop_ahead()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the engine, and with it whatever is still being measured."""
    state = _find_state(session.config)
    if state is not None:
        state.close()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say once what is wrong with the engine, and where the evidence is."""
    state = _find_state(config)
    troubles = state.troubles if state is not None else []
    folders = state.folders if state is not None else []
    if troubles or folders:
        terminalreporter.section("postfix-matrix")
    for trouble in troubles:
        terminalreporter.write_line(str(trouble))
    for folder in folders:
        terminalreporter.write_line(f"evidence: {folder}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the engine of a session that ended before its tests did."""
    state = _find_state(config)
    if state is not None:
        state.close()


def _cut_traceback(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Let the traceback of an error that is meant for users end in their own test."""
    error = excinfo.value
    names = {kind.__name__ for kind in type(error).__mro__}
    if not names & {"AssertionError", "HarnessError"}:
        return
    last, entry = None, error.__traceback__
    while entry is not None and not _is_own(entry.tb_frame.f_globals):
        last, entry = entry, entry.tb_next
    if last is not None and entry is not None:
        last.tb_next = None
        error.__cause__, error.__suppress_context__ = None, True


def _is_own(module: dict[str, Any]) -> bool:
    return str(module.get("__name__")).startswith(("harness.", "postfix_matrix."))


def _find_state(config: pytest.Config) -> PluginState | None:
    """The session's state, if something needed it."""
    module = sys.modules.get("harness.pytest_plugin.plugin_state")
    state: PluginState | None = module.find_state(config) if module is not None else None
    return state
