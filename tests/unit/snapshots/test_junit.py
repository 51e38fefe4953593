"""The JUnit report: other programs read it, it keeps its schema, and nothing unmeasured passes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import xmlschema
from junitparser import Error, Failure, JUnitXml, Skipped

from harness.cli.main import run_cli
from harness.outcomes import Outcome
from harness.reports.comparison_json import comparison_data
from harness.reports.junit import CHECK_FILE, make_suites, render_junit
from harness.scenarios.expectations import Expectation
from harness.snapshots.findings import RED, UNPROVED, Finding
from tests.schema_files import FOLDER
from tests.unit.sample_run import HOSTILE, write_sample_run
from tests.unit.sample_verdicts import run_of
from tests.unit.snapshots.snapshot_samples import everything

SCHEMA = xmlschema.XMLSchema(str(FOLDER / "junit.xsd"))
OPEN = {"TLSv1": "TLSv1", "TLSv1.2": "TLSv1.2"}
EXPECT = [
    Expectation(outcome=(Outcome.ACCEPTED,), says="all get in", line=7),
    Expectation(outcome=(Outcome.REFUSED,), says="none gets in", line=9),
]


def write_xml(text: str, folder: Path) -> Path:
    """The report as a file, which must keep the schema."""
    path = folder / "junit.xml"
    path.write_text(text, encoding="utf-8")
    SCHEMA.validate(str(path))
    return path


def test_expectations_are_cases_and_what_was_not_measured_is_an_error(tmp_path: Path) -> None:
    """Protects CI: holds passes, a mismatch fails, a cell without a result is an error."""
    data = run_of(
        {"defaults": {"smtp": OPEN}, "advice": {"smtp": OPEN}},
        EXPECT,
        only={"debian-13": {"advice": {"smtp": {"TLSv1": "timeout", "TLSv1.2": "timeout"}}}},
    )
    path = write_xml(render_junit(data), tmp_path)
    results = {
        (suite.name, case.name): [type(result) for result in case.result]
        for suite in JUnitXml.fromfile(str(path))
        for case in suite
    }
    assert results == {
        ("debian-11/advice", "all get in"): [],
        ("debian-11/advice", "none gets in"): [Failure],
        ("debian-12/advice", "all get in"): [],
        ("debian-12/advice", "none gets in"): [Failure],
        ("debian-13/advice", "all get in"): [Error],
        ("debian-13/advice", "none gets in"): [Error],
    }
    text = path.read_text("utf-8")
    assert 'file="advice/scenario.toml" line="9"' in text
    cell = "debian-11/advice/smtp/openssl-3.5.7/TLSv1"
    assert re.search(f'value="postfix-matrix show --run [^ "]+ {re.escape(cell)}"', text)


def test_advice_for_other_versions_is_skipped(tmp_path: Path) -> None:
    """Protects the figures: what does not apply neither passes nor fails."""
    data = run_of(
        {"defaults": {"smtp": OPEN}, "advice": {"smtp": OPEN}}, EXPECT, applies={"postfix": ">=99"}
    )
    xml = JUnitXml.fromfile(str(write_xml(render_junit(data), tmp_path)))
    results = [case.result for suite in xml for case in suite]
    assert all(isinstance(result, Skipped) for (result,) in results)
    assert (xml.tests, xml.skipped, xml.failures, xml.errors) == (3, 3, 0, 0)


def test_a_checks_groups_are_cases(tmp_path: Path) -> None:
    """Protects pipelines with snapshots: red groups fail, flaky ones are errors, with the line."""
    data = run_of({"defaults": {"smtp": OPEN}}, folder=tmp_path)
    check = json.loads(json.dumps(comparison_data(everything())))
    (tmp_path / CHECK_FILE).write_text(json.dumps(check))
    xml = JUnitXml.fromfile(str(write_xml(render_junit(data), tmp_path)))
    kinds = {
        (suite.name, case.name.split(":")[1].split("(")[0].strip()): [type(r) for r in case.result]
        for suite in xml
        for case in suite
    }
    assert kinds["debian-12/candidate", "broken"] == [Failure]
    assert kinds["debian-12/candidate", "flaky"] == [Error]
    assert kinds["debian-12/candidate", "not checked"] == [Skipped]
    assert kinds["debian-13/candidate", "as recorded"] == []
    assert kinds["known.toml/known failures", "matches no cell"] == [Failure]
    assert 'file="main.cf" line="2"' in (tmp_path / "junit.xml").read_text("utf-8")
    red = sum(check["counts"][finding] > 0 for finding in RED)
    assert red
    assert xml.failures >= red
    assert xml.errors == 1


def test_each_case_has_at_most_one_problem_and_the_counts_are_right() -> None:
    """Protects readers that count: the totals are those of the cases."""
    data = run_of({"defaults": {"smtp": OPEN}, "advice": {"smtp": OPEN}}, EXPECT)
    for suite in make_suites(data, comparison_data(everything())):
        problems = [case.problem for case in suite.cases]
        assert set(problems) <= {"", "failure", "error", "skipped"}
        assert suite.count("failure") == problems.count("failure")
        names = [case.name for case in suite.cases]
        assert len(set(names)) == len(names)


def test_every_finding_is_a_kind_of_result() -> None:
    """Protects from a finding that would pass without a thought."""
    assert {Finding.SAME} == {
        f for f in Finding if f not in (*RED, *UNPROVED, Finding.KNOWN, Finding.NOT_CHECKED)
    }


def test_report_writes_it_from_a_run_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the command: any run's folder is enough, hostile log lines included."""
    folder = write_sample_run(tmp_path / "run")
    assert run_cli(["report", str(folder), "--junit"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.name == "junit.xml"
    SCHEMA.validate(str(path))
    assert HOSTILE not in path.read_text("utf-8")
    assert run_cli(["report", str(folder), "--junit", "--table", "clients"]) == 4
