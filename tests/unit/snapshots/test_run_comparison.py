"""Two runs compared: the findings of a check, and flaky where nothing changed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.main import run_cli
from harness.observations.run_folder import RunData
from harness.observations.run_json import ImageInfo
from harness.outcomes import Outcome
from harness.reports.comparison_report import describe_change, report_of_runs
from harness.scenarios.expectations import Expectation, Where
from harness.snapshots.findings import Finding
from harness.snapshots.run_comparison import compare_runs
from harness.snapshots.values import SessionLevel
from harness.verdicts.verdict import Verdict
from tests.schema_files import faults
from tests.unit.sample_run import write_sample_run
from tests.unit.sample_verdicts import run_of

OPEN = {"TLSv1": "TLSv1", "TLSv1.2": "TLSv1.2", "default": "TLSv1.3"}
STRICT = OPEN | {"TLSv1": "refused protocol-version"}
REFUSED = Expectation(where=(Where(offers=("TLSv1",)),), outcome=(Outcome.REFUSED,))
SCENARIOS = {"defaults": {"smtp": OPEN}, "advice": {"smtp": STRICT}}


def run_with(**results: str) -> RunData:
    """A run in which the advice has other results on debian-12; ``_`` stands for a dot."""
    changed = {offer.replace("_", "."): result for offer, result in results.items()}
    return run_of(SCENARIOS, only={"debian-12": {"advice": {"smtp": changed}}})


def moved(data: RunData) -> RunData:
    """The run with another configuration, so that differences are not flaky."""
    cells = tuple(replace(cell, config="sha256:other") for cell in data.observations)
    return replace(data, observations=cells)


def findings(before: RunData, after: RunData) -> dict[str, Finding]:
    """What is not the same, by cell."""
    cells = compare_runs(before, after).cells
    return {cell.name: cell.finding for cell in cells if cell.finding is not Finding.SAME}


def test_a_cell_that_differs_under_the_same_configuration_is_flaky() -> None:
    """Protects honesty: it is shown with both results, and verdicts are compared too."""
    first = run_of(SCENARIOS, [REFUSED])
    again = run_of(
        SCENARIOS, [REFUSED], only={"debian-12": {"advice": {"smtp": {"TLSv1": "TLSv1"}}}}
    )
    assert not findings(first, first)
    comparison = compare_runs(first, again)
    (cell,) = comparison.having(Finding.FLAKY)
    assert cell.recorded is not None
    assert cell.measured is not None
    assert (cell.recorded.outcome, cell.measured.outcome) == (Outcome.REFUSED, Outcome.ACCEPTED)
    assert [(t.build, t.before, t.after) for t in comparison.changed_verdicts] == [
        ("debian-12", Verdict.CONFIRMED, Verdict.NO_EFFECT)
    ]


def test_another_image_of_the_client_is_a_cause() -> None:
    """What a client's new image does is a change, not flaky."""
    first, again = run_with(), run_with(TLSv1="TLSv1")
    name = first.observations[0].client
    image = ImageInfo("client", id="sha256:" + "9" * 64)
    images = {**again.run.images, name: image}
    renewed = replace(again, run=replace(again.run, images=images))
    assert set(findings(first, again).values()) == {Finding.FLAKY}
    assert set(findings(first, renewed).values()) == {Finding.BROKEN}


def test_a_difference_has_the_label_of_a_check() -> None:
    """Protects one vocabulary: broken, fixed and changed mean the same in both commands."""
    worse = run_with(TLSv1="TLSv1", TLSv1_2="refused protocol-version")
    cell = "debian-12/advice/smtp/openssl-3.5.7/"
    assert findings(run_with(), moved(worse)) == {
        f"{cell}TLSv1": Finding.BROKEN, f"{cell}TLSv1.2": Finding.BROKEN
    }  # fmt: skip
    assert set(findings(worse, moved(run_with())).values()) == {Finding.FIXED}
    other = run_with(TLSv1="refused closed")
    assert set(findings(run_with(), moved(other)).values()) == {Finding.CHANGED}


@pytest.mark.parametrize("result", ["timeout", "error driver", ""])
def test_a_cell_without_a_result_is_not_checked(result: str) -> None:
    """Protects the rule: a time-out, an error and no cell at all are no difference, on no side."""
    unknown = moved(run_with(TLSv1=result))
    for pair in ((run_with(), unknown), (unknown, run_with())):
        assert set(findings(*pair).values()) == {Finding.NOT_CHECKED}


@pytest.mark.parametrize("result", ["timeout", "error driver"])
def test_a_verdict_that_a_time_out_takes_away_is_no_difference(result: str) -> None:
    """Protects ``compare`` from exit code 1 where only a machine was slow."""
    first = run_of(SCENARIOS, [REFUSED])
    slow = {"debian-12": {"advice": {"smtp": {"TLSv1": result}}}}
    unknown = moved(run_of(SCENARIOS, [REFUSED], only=slow))
    for pair in ((first, unknown), (unknown, first)):
        comparison = compare_runs(*pair)
        assert comparison.changed_verdicts == ()
        assert comparison.verdicts == compare_runs(first, first).verdicts - 1


def test_a_service_of_one_run_alone_is_gone_or_added_and_a_build_is_not_checked() -> None:
    """Protects from reading another selection as a service that was closed or opened."""
    both = run_of({"advice": {"smtp": OPEN, "submission": OPEN}})
    closed = run_of({"advice": {"smtp": OPEN}})
    assert set(findings(both, closed).values()) == {Finding.GONE}
    fewer = run_of({"advice": {"smtp": OPEN}}, builds={"debian-12": ("3.7.11", "3.0.22")})
    assert set(findings(closed, fewer).values()) == {Finding.NOT_CHECKED}
    assert set(findings(fewer, closed).values()) == {Finding.NOT_CHECKED}
    assert set(findings(closed, both).values()) == {Finding.ADDED}
    other = run_of({"defaults": {"smtp": OPEN}})
    for pair in ((closed, other), (other, closed)):
        report = report_of_runs(compare_runs(*pair), *pair, "exact")
        assert set(findings(*pair).values()) == {Finding.NOT_CHECKED}
        assert {describe_change(group) for group in report.groups} == {
            "not in the first run", "not in the second run"
        }  # fmt: skip


def test_a_cipher_counts_at_the_level_exact_only() -> None:
    """Protects both readers: of behaviour, and of everything."""
    other = moved(run_with(TLSv1_2="TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256"))
    assert list(findings(run_with(), other).values()) == [Finding.CHANGED]
    cells = compare_runs(run_with(), other, SessionLevel()).cells
    assert {cell.finding for cell in cells} == {Finding.SAME}


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_compare_prints_each_format(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the command: a run compared with itself is the same in each format."""
    folder = str(write_sample_run(tmp_path / "run"))
    assert run_cli(["compare", folder, folder, "--format", form]) == 0
    out = capsys.readouterr().out
    if form == "json":
        data = json.loads(out)
        assert faults("comparison", data) == []
        assert data["counts"]["broken"] == 0
        assert data["counts"]["not checked"] > 0
    else:
        assert "not checked" in out


def test_runs_without_a_cell_in_common_are_no_success(tmp_path: Path) -> None:
    """Protects pipelines from exit code 0 where nothing was compared."""
    folder = write_sample_run(tmp_path / "run")
    empty = tmp_path / "empty"
    shutil.copytree(folder, empty)
    (empty / "observations.jsonl").write_text("")
    assert run_cli(["compare", str(folder), str(empty)]) == 3
