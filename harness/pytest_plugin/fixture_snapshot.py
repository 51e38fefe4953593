"""The fixture ``postfix_snapshot``: a server's behaviour compared with what was recorded of it."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.catalog.selectors import split_globs
from harness.cli.snapshot_files import (
    make_locate,
    names_for_snapshot,
    refuse_in_ci,
    write_snapshot,
)
from harness.errors import UsageError
from harness.observations.run_folder import RunData
from harness.observations.run_json import Axes, RunRecord
from harness.pytest_plugin.not_measured import NotMeasured
from harness.pytest_plugin.plugin_state import PluginState, state_of
from harness.pytest_plugin.server_measurer import ServerMeasurer
from harness.pytest_plugin.servers import TestedServer
from harness.pytest_plugin.snapshot_names import name_snapshot, without_build
from harness.pytest_plugin.snapshot_warning import SnapshotWarning
from harness.reports.comparison_report import (
    ComparisonReport,
    describe_cells,
    describe_change,
    describe_place,
    report_of_check,
    sort_for_display,
)
from harness.reports.comparison_text import comparison_lines
from harness.scenarios.policies import load_policies
from harness.scenarios.scenario import Scenario
from harness.snapshots.checking import CheckResult, SnapshotCheck, choose_places
from harness.snapshots.comparison import NOT_SELECTED
from harness.snapshots.findings import Finding
from harness.snapshots.known_failures import KNOWN_FAILURES, load_known_failures
from harness.snapshots.recorded_candidate import record_candidate
from harness.snapshots.recording import find_unrecorded, measure_twice
from harness.snapshots.snapshot import (
    Measurement,
    RecordedSelection,
    Snapshot,
    make_snapshot,
    update_snapshot,
)
from harness.snapshots.snapshot_file import load_snapshot
from harness.snapshots.values import BEHAVIOUR, CellPlace, Level, parse_level, place_of

#: Cells without a result that are named; of more, their number.
_MOST_NAMED = 10


class SnapshotChecker:
    """Compares servers with the snapshot beside the test; ``--postfix-update`` records them."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        """Use the fixture ``postfix_snapshot``."""
        self._node = request.node
        self._state = state_of(request.config)
        # An error of the way to the engine belongs to the test's setup.
        _ = self._state.connection
        self._updates = bool(request.config.getoption("postfix_update"))

    def check(
        self,
        server: TestedServer,
        *,
        level: str = BEHAVIOUR,
        clients: str = "",
        services: str = "",
        name: str = "",
    ) -> None:
        """The server behaves as was recorded.

        Args:
            server: what the fixture ``postfix`` started.
            level: what is kept of a cell: behaviour, exact, or ``policy NAME``.
            clients: globs with commas between; "": those of a run that names none.
            services: the same for services.
            name: the snapshot's name, where a test has several.

        Raises:
            AssertionError: it does not; the text says what broke, for whom, and by which line.
            NotMeasured: what differs does not repeat, or nothing could be measured; or a cell could
                not be recorded, for ``--postfix-update``.
            UsageError: there is no snapshot, it has another level, it cannot be read, or another
                test has it.
        """
        path = find_path(self._state, self._node, server.facts.build, name)
        selection = RecordedSelection(
            services=tuple(split_globs([services])), clients=tuple(split_globs([clients]))
        )
        known_level = parse_level(level, load_policies(server.own.policies))
        if self._updates:
            refuse_in_ci(path, force=False)
            _record_server(path, server, known_level, selection)
            return
        if not path.is_file():
            raise UsageError(
                f"there is no snapshot {path}",
                next_step="run pytest with --postfix-update, look at the file, and commit it",
            )
        result, report = _check_server(path, known_level, server, selection)
        _raise_if_red(report, result)
        if unchecked := describe_unselected(result):
            self._node.warn(SnapshotWarning(f"{path.name}: {unchecked}"))


def find_path(state: PluginState, node: pytest.Item, build: str, name: str) -> Path:
    """The file of a test's snapshot, beside the test.

    Raises:
        UsageError: another test has the same one.
    """
    classes = [part.name for part in node.listchain() if isinstance(part, pytest.Class)]
    test = getattr(node, "originalname", None) or node.name
    callspec = getattr(node, "callspec", None)
    parameters = "" if callspec is None else str(callspec.id)
    if callspec is not None and "postfix_build" in callspec.params:
        parameters = without_build(parameters, build)
    path = node.path.parent / name_snapshot(node.path.stem, classes, test, parameters, name)
    identity = repr((classes, test, parameters, name))
    if state.snapshot_tests.setdefault(path, identity) != identity:
        raise UsageError(
            f"{test} has the same snapshot as another test: {path.name}",
            cause="both names give this file",
            next_step="rename a test, or give one check() a name= of its own",
        )
    return path


def plan_places(
    server: TestedServer, level: Level, selection: RecordedSelection
) -> list[CellPlace]:
    """The places of the cells that a test's arguments choose on its server."""
    plan = server.plan(
        services=selection.services,
        clients=selection.clients,
        offers=[str(offer) for offer in level.offers],
    )
    return [place_of(cell) for cell in plan.cells()]


def _record_server(
    path: Path, server: TestedServer, level: Level, selection: RecordedSelection
) -> None:
    """Write what the server does into its rows of the file.

    Raises:
        NotMeasured: some cells showed nothing; the others are written.
    """
    places = plan_places(server, level, selection)
    measurement = measure_twice(ServerMeasurer(server), server.scenario, places)
    candidate = record_candidate(server.scenario, _name_files(server.scenario, path), "")

    def change(present: Snapshot | None) -> Snapshot:
        if present is None or present.level != level.name:
            return make_snapshot(level, candidate, measurement, selection)
        updated = update_snapshot(present, level, candidate, measurement)
        return replace(updated, selection=selection)

    snapshot = write_snapshot(path, change)
    raise_if_unrecorded(path, snapshot, measurement, places)


def raise_if_unrecorded(
    path: Path, snapshot: Snapshot, measurement: Measurement, places: Sequence[CellPlace]
) -> None:
    """Say what an update could not record.

    Raises:
        NotMeasured: there is such a cell.
    """
    unrecorded = find_unrecorded(measurement, places)
    if not unrecorded:
        return
    kept = sum(place in snapshot.cells for place in unrecorded)
    remark = f", of which {kept} keep an earlier row" if kept else ""
    named = [f"  {place}: {why}" for place, why in unrecorded.items()]
    more = len(named) - _MOST_NAMED
    raise NotMeasured(
        f"{path.name}: {len(unrecorded)} of {len(places)} cells were not recorded{remark}\n"
        + "\n".join(named[:_MOST_NAMED])
        + (f"\n  and {more} more cells" if more > 0 else ""),
        next_step="run pytest with --postfix-update again, if they should be in the snapshot",
    )


def _check_server(
    path: Path, level: Level, server: TestedServer, selection: RecordedSelection
) -> tuple[CheckResult, ComparisonReport]:
    """The check of the server's build, and its report."""
    snapshot, build = load_snapshot(path), server.facts.build
    check_level(path, snapshot, level)
    today = datetime.datetime.now(datetime.UTC).date()
    known = load_known_failures(path.parent / KNOWN_FAILURES, path.name, today)
    planned = plan_places(server, level, selection)
    selected = choose_places(snapshot, server.scenario, build, planned, selection)
    if not selected:
        raise UsageError(
            f"{path} has no row of {build}",
            next_step="run pytest with --postfix-update, look at the change, and commit it",
        )
    measure = ServerMeasurer(server)
    result = SnapshotCheck(snapshot, level, server.scenario, measure, known).run(selected)
    # What other builds do is for their own tests.
    cells = tuple(cell for cell in result.comparison.cells if cell.place.build == build)
    result = replace(result, comparison=replace(result.comparison, cells=cells))
    observations = tuple(measure.observations.values())
    data = RunData(server.run_folder, RunRecord(server.run_folder.name, "", Axes()), observations)
    locate = make_locate(_list_files(server.scenario))
    return result, report_of_check(result, path.name, level.name, data, locate)


def describe_unselected(result: CheckResult) -> str:
    """The rows that the test does not choose any more; "" where there are none."""
    cells = result.comparison.having(Finding.NOT_CHECKED)
    left = [cell.place for cell in cells if cell.why == NOT_SELECTED]
    if not left:
        return ""
    clients = ", ".join(dict.fromkeys(place.client for place in left))
    services = ", ".join(dict.fromkeys(place.service for place in left))
    return (
        f"{len(left)} recorded cells are not checked, which the test does not choose any more "
        f"({clients}; {services}): record the snapshot anew to leave them out"
    )


def check_level(path: Path, snapshot: Snapshot, level: Level) -> None:
    """Refuse a snapshot that keeps something else than the test compares.

    Raises:
        UsageError: it was recorded at another level.
    """
    if snapshot.level != level.name:
        raise UsageError(
            f"{path} has the level {snapshot.level}, and the test names {level.name}",
            next_step="run pytest with --postfix-update, look at the change, and commit it",
        )


def _raise_if_red(report: ComparisonReport, result: CheckResult) -> None:
    if result.comparison.is_red:
        raise AssertionError("\n".join(_failure_lines(report)))
    if result.exit_code() != 0:
        raise NotMeasured("\n".join(_failure_lines(report)))


def _failure_lines(report: ComparisonReport) -> list[str]:
    """A first line that pytest repeats in its summary, then the report of a check."""
    lines = list(comparison_lines(report))
    groups = sort_for_display(report.groups)
    serious = [group for group in groups if group.finding is not Finding.KNOWN]
    if not serious:
        return lines
    blames = [
        f": {change.name} ({report.locate(change)})"
        for blame in report.blames
        for change in blame.settings
    ]
    first = serious[0]
    cause = blames[0] if blames else ""
    headline = f"{describe_place(first)}: {describe_cells(first)} {describe_change(first)}{cause}"
    return [headline, *(f"  {line}" for line in lines)]


def _list_files(scenario: Scenario) -> tuple[str, ...]:
    """The files that a candidate was read from, relative to the current folder."""
    paths = [Path(name) for name in scenario.source.split(", ")]
    return tuple(os.path.relpath(path) for path in paths if path.is_absolute() and path.exists())


def _name_files(scenario: Scenario, path: Path) -> tuple[str, ...]:
    return names_for_snapshot(_list_files(scenario), path)
