"""One call of ``tool``: the tool on every build, what clients see of it, policies, a snapshot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cli.measure_options import MeasureOptions
from harness.errors import ExitCode, HarnessError
from harness.observations.run_folder import RunData
from harness.reports.comparison_report import ComparisonReport, add_logs
from harness.reports.tool_report import BuildReport, ToolReport, join_blames
from harness.reports.tool_text import builds_with_faults
from harness.reports.verify_text import verification_text
from harness.run.engine import Engine
from harness.run.job import exit_code
from harness.run.tool_run import ToolMeasurement, ToolRun, join_findings
from harness.scenarios.claims import Claims
from harness.scenarios.policies import Policy
from harness.scenarios.scenario import Scenario
from harness.snapshots.checking import CheckResult, SnapshotCheck, select_places
from harness.snapshots.recorded_candidate import record_candidate
from harness.snapshots.snapshot import RecordedSelection, Snapshot, make_snapshot, update_snapshot
from harness.snapshots.values import BEHAVIOUR, Level, SessionLevel
from harness.tools.judging import judge_tool
from harness.tools.result import ToolResult
from harness.tools.tool_file import HardeningTool
from harness.tools.trial import AFTER
from harness.verdicts.judging import Standing
from harness.verdicts.policy_answers import ServiceAnswer, judge_services, overall_standing

#: Complaints of Postfix's log about what a configuration sets.
_ABOUT_SETTINGS = re.compile(
    r"(?:warning|error|fatal|panic): .*(?:\bsmtpd?_\w+|\btls_\w+|TLS support|server certs?\b"
    r"|parameter|protocol list|cannot load|bad (?:numerical|boolean|string))"
)
_LOG_HEAD = re.compile(r"^.*?\b(?:postfix\S*|\S+/smtpd)\[\d+\]: ")
#: Log lines of one build that a report has.
_MOST_LOG = 6


@dataclass(frozen=True, slots=True)
class ToolFiles:
    """What a call reads. ``claims`` are what policies expect, None: no policy was named.

    ``policies`` are as the command line has them, ``named_policies`` the policies themselves.
    ``baseline`` takes the place of a base without a configuration.
    """

    tool: HardeningTool
    policies: tuple[str, ...]
    named_policies: tuple[Policy, ...]
    claims: Claims | None
    snapshot: Snapshot | None
    snapshot_path: Path | None
    snapshot_level: Level
    record_path: Path | None
    baseline: Scenario


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a call gave. ``checks`` are those of the snapshot, by build.

    ``has_policies``: policies were named, whether there is an answer or not.
    """

    report: ToolReport
    measurements: tuple[ToolMeasurement, ...] = ()
    answers: tuple[ServiceAnswer, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    data: RunData | None = None
    has_policies: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """1 for a fault, an unmet policy or a difference; 3 where something was not measured."""
        if builds_with_faults(self.report.builds):
            return ExitCode.DIFFERS
        codes = {check.exit_code() for check in self.checks}
        standing = overall_standing(self.answers) if self.answers else Standing.HOLDS
        if ExitCode.DIFFERS in codes or standing is Standing.FAILS:
            return ExitCode.DIFFERS
        if self._is_unmeasured or codes - {ExitCode.OK} or standing is not Standing.HOLDS:
            return ExitCode.INFRASTRUCTURE
        return ExitCode.OK

    @property
    def _is_unmeasured(self) -> bool:
        """Whether something was not measured, or nothing at all though the tool was tried."""
        if all(build.result.skip for build in self.report.builds):
            return False
        has_trouble = any(build.trouble for build in self.report.builds)
        has_cells = any(measurement.measured.cells for measurement in self.measurements)
        has_no_answer = self.has_policies and not self.answers
        if self.data is None or has_trouble or not has_cells or has_no_answer:
            return True
        return exit_code(self.data) != ExitCode.OK

    @property
    def unmeasured_builds(self) -> tuple[str, ...]:
        """The builds on which the tool was to be tried, and what it left was not measured."""
        measured = {each.trial.result.build for each in self.measurements if each.measured.cells}
        names = [build.result.build for build in self.report.builds if not build.result.skip]
        return tuple(name for name in names if name not in measured)

    def make_snapshot(self, selection: RecordedSelection) -> Snapshot | None:
        """The snapshot of what was measured, with the settings that the tool left on each build."""
        snapshot: Snapshot | None = None
        level = SessionLevel()
        for measurement in self.measurements:
            assert measurement.trial.after is not None
            candidate = record_candidate(measurement.trial.after)
            measured = measurement.measured
            if snapshot is None:
                snapshot = make_snapshot(level, candidate, measured, selection)
            else:
                snapshot = update_snapshot(snapshot, level, candidate, measured)
        return snapshot


class ToolSession:
    """Tries and measures a tool on the builds of a command line."""

    def __init__(self, files: ToolFiles, measuring: MeasureOptions, engine: Engine) -> None:
        self._files = files
        self._measuring = measuring
        self._run = ToolRun(
            engine,
            measuring.builds,
            measuring.runs,
            measuring.selection,
            SessionLevel(),
            files.claims,
        )
        self._checks: list[CheckResult] = []

    def run(self) -> ToolOutcome:
        """Try the tool on each build, and measure what it left there.

        A build on which it cannot be tried is reported, and the others go on.
        """
        builds: list[BuildReport] = []
        measurements: list[ToolMeasurement] = []
        for name in self._measuring.builds:
            try:
                build, measured = self._try_build(name)
            except HarnessError as error:
                if len(self._measuring.builds) == 1:
                    raise
                build, measured = BuildReport(ToolResult(name, ""), trouble=error.what), None
            builds.append(build)
            measurements += [measured] if measured is not None else []
        data = self._run.data
        answers = self._judge_policies(data, measurements)
        report = ToolReport(
            self._files.tool.title,
            str(self._files.tool.path),
            tuple(self._add_log(build, data) for build in builds),
            self._compare_clients(measurements, data),
            _policy_lines(data, answers),
            self._compare_snapshot(data),
        )
        return ToolOutcome(
            report,
            tuple(measurements),
            answers,
            tuple(self._checks),
            data,
            has_policies=self._files.claims is not None,
        )

    def _try_build(self, name: str) -> tuple[BuildReport, ToolMeasurement | None]:
        trial = self._run.try_tool(self._files.tool, name)
        measured = self._run.measure_tool(trial, self._files.baseline)
        if measured is not None and trial.after is not None:
            self._check_snapshot(trial.after, name)
        idle = measured.idle if measured is not None else ()
        return BuildReport(trial.result, judge_tool(trial.result), idle), measured

    def _check_snapshot(self, after: Scenario, build: str) -> None:
        snapshot = self._files.snapshot
        if snapshot is None:
            return
        cells = {place: of for place, of in snapshot.cells.items() if place.build == build}
        builds = {name: of for name, of in snapshot.builds.items() if name == build}
        of_build = replace(snapshot, cells=cells, builds=builds)
        check = SnapshotCheck(of_build, self._files.snapshot_level, after, self._run.measure)
        self._checks.append(check.run(select_places(of_build, after, [build])))

    def _judge_policies(
        self, data: RunData | None, measurements: Sequence[ToolMeasurement]
    ) -> tuple[ServiceAnswer, ...]:
        if self._files.claims is None or data is None or not measurements:
            return ()
        return judge_services(data, AFTER)

    def _compare_clients(
        self, measurements: Sequence[ToolMeasurement], data: RunData | None
    ) -> ComparisonReport | None:
        if not measurements:
            return None
        blames = join_blames(b for each in measurements for b in each.comparison.blames)
        report = ComparisonReport(
            subject="what the tool starts from, then what it left",
            cells=join_findings(measurements),
            scenario=AFTER,
            level=BEHAVIOUR,
            run="" if data is None else data.run.id,
            blames=blames,
        )
        return add_logs(report, data)

    def _compare_snapshot(self, data: RunData | None) -> ComparisonReport | None:
        if self._files.snapshot_path is None or not self._checks:
            return None
        report = ComparisonReport(
            subject=str(self._files.snapshot_path),
            cells=tuple(cell for check in self._checks for cell in check.comparison.cells),
            scenario=AFTER,
            level=self._files.snapshot_level.name,
            run="" if data is None else data.run.id,
            blames=join_blames(blame for check in self._checks for blame in check.blames),
            moves=tuple(move for check in self._checks for move in check.moves),
        )
        return add_logs(report, data)

    def _add_log(self, build: BuildReport, data: RunData | None) -> BuildReport:
        """The build's part with what Postfix's log complains about."""
        if data is None:
            return build
        lines = dict.fromkeys(_complaining_lines(data, build.result.build))
        return replace(build, log=tuple(lines)[:_MOST_LOG])


def _policy_lines(data: RunData | None, answers: Sequence[ServiceAnswer]) -> tuple[str, ...]:
    if data is None or not answers:
        return ()
    return tuple(verification_text(data, AFTER, answers).splitlines())


def _complaining_lines(data: RunData, build: str) -> Iterator[str]:
    """What the log of the tool's configuration complains about, without date and process."""
    instance = data.instance(build, AFTER) or {}
    lines = [str(line) for line in instance.get("startup", ())]
    for cell in data.observations:
        if cell.build == build and cell.scenario == AFTER:
            lines += [str(line) for line in (data.evidence(cell) or {}).get("log") or ()]
    for line in lines:
        if _ABOUT_SETTINGS.search(line):
            yield _LOG_HEAD.sub("", line)
