"""The exit code of ``tool``: a tool that was not measured is not one that works."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.main import run_cli
from harness.cli.tool_session import ToolOutcome
from harness.errors import ExitCode
from harness.observations.run_folder import RunData, load_run
from harness.outcomes import Outcome
from harness.reports.tool_report import BuildReport, ToolReport
from harness.run.tool_run import ToolMeasurement
from harness.snapshots.checking import CheckResult
from harness.snapshots.comparison import Comparison
from harness.snapshots.snapshot import Measurement
from harness.snapshots.values import place_of
from harness.tools.result import ToolResult
from harness.tools.trial import ToolTrial
from tests.unit.sample_run import ACCEPTED_CELL, write_sample_run

RESULT = ToolResult("debian-12", "stock", left=("main.cf",))


def outcome_of(data: RunData | None, result: ToolResult = RESULT) -> ToolOutcome:
    """The outcome of a tool without faults; of a run with one cell of it measured."""
    report = ToolReport("a tool", "harden.sh", (BuildReport(result),))
    if data is None:
        return ToolOutcome(report)
    cell = data.find(ACCEPTED_CELL)
    assert cell is not None
    measured = Measurement({place_of(cell): cell})
    check = CheckResult(Comparison(()), measured, "tool")
    return ToolOutcome(
        report, (ToolMeasurement(ToolTrial(result), check, (), measured),), data=data
    )


def sample_data(folder: Path) -> RunData:
    """A run in which all that was planned was measured."""
    data = load_run(write_sample_run(folder))
    cells = tuple(cell for cell in data.observations if cell.outcome is not Outcome.ERROR)
    return replace(data, run=replace(data.run, missing=()), observations=cells)


def test_what_was_measured_is_good(tmp_path: Path) -> None:
    """Protects the other tests of this file: they differ from this outcome in one thing."""
    assert outcome_of(sample_data(tmp_path / "run")).exit_code is ExitCode.OK


def test_cells_that_could_not_be_measured_are_no_success(tmp_path: Path) -> None:
    """Protects a pipeline from a pass that nothing measured: errors, and builds without image."""
    data = load_run(write_sample_run(tmp_path / "run"))
    good = sample_data(tmp_path / "good")
    with_errors = replace(good, observations=data.observations)
    with_missing = replace(good, run=data.run)
    for trouble in (with_errors, with_missing):
        assert outcome_of(trouble).exit_code is ExitCode.INFRASTRUCTURE


def test_a_tool_of_which_nothing_was_measured_is_no_success() -> None:
    """Protects from exit code 0 where the selection, or an empty main.cf, left no cell."""
    assert outcome_of(None).exit_code is ExitCode.INFRASTRUCTURE


def test_policies_without_an_answer_are_not_met(tmp_path: Path) -> None:
    """Protects from exit code 0 where no measured service is one that a policy is about."""
    outcome = replace(outcome_of(sample_data(tmp_path / "run")), has_policies=True)
    assert outcome.exit_code is ExitCode.INFRASTRUCTURE


def test_a_file_that_is_no_snapshot_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects what was measured: without a place for it, nothing is measured."""
    (tmp_path / "harden.sh").write_text("true\n", "utf-8")
    (tmp_path / "notes.json").write_text("notes\n", "utf-8")
    command = ["tool", str(tmp_path / "harden.sh"), "-b", "debian-12", "--force"]
    runs = ["--runs", str(tmp_path / "runs"), "--record", str(tmp_path / "notes.json")]
    assert run_cli([*command, *runs]) == ExitCode.USAGE
    assert "notes.json:1: is not JSON" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_tool_that_its_description_skips_is_no_failure() -> None:
    """Protects a CI matrix with one job for each build: the description says what is left out."""
    assert outcome_of(None, replace(RESULT, skip="it needs Python 3.8")).exit_code is ExitCode.OK
