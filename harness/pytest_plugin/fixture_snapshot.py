"""The fixture ``postfix_snapshot``: a server's behaviour compared with what was recorded of it."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pytest

from harness.catalog.cells import Cell
from harness.cli.snapshot_files import (
    make_locate,
    names_for_snapshot,
    refuse_in_ci,
    write_snapshot,
)
from harness.errors import UsageError
from harness.observations.record import Observation
from harness.observations.run_folder import Axes, RunData, RunRecord
from harness.pytest_plugin.engine_requests import CellAnswer, EngineConnection, HoldServer
from harness.pytest_plugin.failures import evidence_command
from harness.pytest_plugin.not_measured import NotMeasured
from harness.pytest_plugin.plugin_state import state_of
from harness.pytest_plugin.servers import TestedServer
from harness.reports.comparison_report import (
    ComparisonReport,
    describe_cells,
    describe_change,
    describe_place,
    report_of_check,
    sort_for_display,
)
from harness.reports.comparison_text import comparison_lines
from harness.run.choosing import split_globs
from harness.scenarios.policies import load_policies
from harness.scenarios.scenario import Scenario
from harness.snapshots.checking import CheckResult, SnapshotCheck, select_places
from harness.snapshots.findings import Finding
from harness.snapshots.known_failures import KNOWN_FAILURES, load_known_failures
from harness.snapshots.recorded_candidate import record_candidate
from harness.snapshots.snapshot import (
    Measurement,
    RecordedSelection,
    Snapshot,
    make_snapshot,
    update_snapshot,
)
from harness.snapshots.snapshot_file import load_snapshot
from harness.snapshots.values import (
    BEHAVIOUR,
    BuildVersions,
    CellPlace,
    Level,
    parse_level,
    place_of,
)


class SnapshotChecker:
    """Compares servers with the snapshot beside the test; ``--postfix-update`` records them."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        """Use the fixture ``postfix_snapshot``."""
        self._connection = state_of(request.config).connection
        self._updates = bool(request.config.getoption("postfix_update"))
        node = request.node
        test = getattr(node, "originalname", None) or node.name
        self._folder = node.path.parent
        self._name = f"{node.path.stem}.{re.sub(r'^test_?', '', test)}"

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
            NotMeasured: what differs does not repeat, or nothing could be measured.
            UsageError: there is no snapshot, it has another level, or it cannot be read.
        """
        path = self._folder / f"{self._name}{'.' if name else ''}{name}.json"
        selection = RecordedSelection(
            services=tuple(split_globs([services])), clients=tuple(split_globs([clients]))
        )
        known_level = parse_level(level, load_policies())
        if self._updates:
            _record_server(path, server, known_level, selection)
            return
        if not path.is_file():
            raise UsageError(
                f"there is no snapshot {path}",
                next_step="run pytest with --postfix-update, look at the file, and commit it",
            )
        _check_server(path, known_level, server, self._connection)


def _record_server(
    path: Path, server: TestedServer, level: Level, selection: RecordedSelection
) -> None:
    """Write what the server does into its rows of the file.

    Raises:
        UsageError: the environment variable CI is set.
    """
    refuse_in_ci(path, force=False)
    plan = server.plan(
        services=selection.services,
        clients=selection.clients,
        offers=[str(offer) for offer in level.offers or ()],
    )
    measurement = _read_measurement(server, server.measure(plan.cells()))
    candidate = record_candidate(server.scenario, _name_files(server.scenario, path), "")

    def change(present: Snapshot | None) -> Snapshot:
        if present is None or present.level != level.name:
            return make_snapshot(level, candidate, measurement, selection)
        return update_snapshot(present, level, candidate, measurement)

    write_snapshot(path, change)


def _check_server(
    path: Path, level: Level, server: TestedServer, connection: EngineConnection
) -> None:
    snapshot = load_snapshot(path)
    check_level(path, snapshot, level)
    today = datetime.datetime.now(datetime.UTC).date()
    known = load_known_failures(path.parent / KNOWN_FAILURES, path.name, today)
    selected = select_places(snapshot, server.scenario, [server.facts.build])
    if not selected:
        raise UsageError(
            f"{path} has no row of {server.facts.build}",
            next_step="run pytest with --postfix-update, look at the change, and commit it",
        )
    measure = _ServerMeasurer(server, connection)
    result = SnapshotCheck(snapshot, level, server.scenario, measure, known).run(selected)
    observations = tuple(measure.observations.values())
    data = RunData(server.run_folder, RunRecord(server.run_folder.name, "", Axes()), observations)
    locate = make_locate(_list_files(server.scenario))
    _raise_if_red(report_of_check(result, path.name, level.name, data, locate), result, server)


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


def _raise_if_red(report: ComparisonReport, result: CheckResult, server: TestedServer) -> None:
    if result.comparison.is_red:
        raise AssertionError("\n".join(_failure_lines(report, server)))
    if result.exit_code() != 0:
        raise NotMeasured("\n".join(_failure_lines(report, server)))


def _failure_lines(report: ComparisonReport, server: TestedServer) -> list[str]:
    """A first line that pytest repeats in its summary, then the report of a check."""
    show = f"postfix-matrix show {server.facts.build}"
    lines = [
        line.replace(show, evidence_command(server.run_folder, server.facts.build))
        for line in comparison_lines(report)
    ]
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


class _ServerMeasurer:
    """Measures scenarios on the server's build (``snapshots.blame.Measure``)."""

    def __init__(self, server: TestedServer, connection: EngineConnection) -> None:
        self.observations: dict[str, Observation] = {}
        self._server = server
        self._connection = connection

    def __call__(
        self, scenarios: Sequence[Scenario], places: Collection[CellPlace], alone: bool
    ) -> Mapping[str, Measurement]:
        return {
            scenario.id: self._measure_places(scenario, places, alone) for scenario in scenarios
        }

    def _measure_places(
        self, scenario: Scenario, places: Collection[CellPlace], alone: bool
    ) -> Measurement:
        if scenario.id == self._server.scenario.id:
            return self._measure_on(self._server, places, alone)
        build = self._server.facts.build
        record = self._connection.ask(HoldServer(build, scenario))
        other = TestedServer(self._connection, record, scenario)
        try:
            return self._measure_on(other, places, alone)
        finally:
            other.release()

    def _measure_on(
        self, server: TestedServer, places: Collection[CellPlace], alone: bool
    ) -> Measurement:
        build = server.facts.build
        cells = [place.cell(server.scenario.id) for place in places if place.build == build]
        cells = [cell for cell in cells if str(cell.service) in server.services]
        groups: list[list[Cell]] = [[cell] for cell in cells] if alone else [cells]
        answers = [answer for group in groups if group for answer in server.measure(group)]
        self.observations |= {a.cell: a.observation for a in answers if a.observation is not None}
        return _read_measurement(server, answers)


def _read_measurement(server: TestedServer, answers: Sequence[CellAnswer]) -> Measurement:
    observations = [answer.observation for answer in answers if answer.observation is not None]
    facts = server.facts
    read_back = facts.image.get("read_back") or {}
    versions = BuildVersions(facts.postfix, facts.openssl, str(read_back.get("packages", "")))
    return Measurement(
        cells={place_of(observation): observation for observation in observations},
        builds={facts.build: versions},
        unavailable={
            Cell.parse(answer.cell).client: answer.why
            for answer in answers
            if answer.observation is None
        },
    )


def _list_files(scenario: Scenario) -> tuple[str, ...]:
    """The files that a candidate was read from, relative to the current folder."""
    paths = [Path(name) for name in scenario.source.split(", ")]
    return tuple(os.path.relpath(path) for path in paths if path.is_absolute() and path.exists())


def _name_files(scenario: Scenario, path: Path) -> tuple[str, ...]:
    return names_for_snapshot(_list_files(scenario), path)
