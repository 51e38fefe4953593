"""Findings beside a line of the user's file, as GitHub and GitLab read them."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import FileLocation
from harness.observations.run_folder import RunData, load_run
from harness.reports.annotations import (
    MOST_PER_LEVEL,
    Annotation,
    AnnotationLevel,
    code_quality,
    fit_sections,
    github_command,
    github_commands,
)
from harness.reports.comparison_annotations import comparison_annotations
from harness.reports.step_summary import (
    MOST_BYTES,
    check_summary,
    run_summary,
    tool_summary,
    verify_summary,
)
from harness.reports.tool_annotations import tool_annotations
from harness.reports.verdict_annotations import verdict_annotations
from harness.reports.verify_annotations import find_logged_setting, verify_annotations
from harness.reports.verify_remedy import TriedRemedy
from harness.scenarios.policies import load_policies
from harness.scenarios.scenario import Scenario
from harness.snapshots.findings import CellFinding, Finding
from harness.snapshots.recorded_candidate import SettingChange
from harness.snapshots.values import CellPlace
from harness.verdicts.policy_answers import judge_services
from harness.verdicts.verdict import judge_run
from tests.ci_steps import MODULES, find_node
from tests.unit import sample_run
from tests.unit.sample_verdicts import run_of
from tests.unit.snapshots.snapshot_samples import everything
from tests.unit.tool_samples import sample_report
from tests.unit.verify_samples import ESTABLISHED, candidate_run, expectations, with_evidence

DATA = Path(__file__).parents[1] / "data"
ROOT = Path("/checkout")
HARD_TEXTS = (
    *("plain", "100% of", "a\nb", "a\r\nb", "a: b, c=d", "::error::x", "%0A", "ä – ✓", "title=x,y"),
)


def annotate(
    message: str, file: str | None = None, line: int | None = None, title: str = "t"
) -> Annotation:
    """An error at a place."""
    place = None if file is None else FileLocation(ROOT / file, line)
    return Annotation(AnnotationLevel.ERROR, title, message, place)


def test_commands_are_those_of_githubs_toolkit() -> None:
    """Protects annotations: escaping and properties are those that @actions/core writes."""
    cases = [
        *(annotate(text, title=text.replace("\r", "")) for text in HARD_TEXTS),
        *(annotate("x", name, line) for name in ("main.cf", "a:b,c%.cf") for line in (None, 14)),
    ]
    given = [
        {
            "level": case.level,
            "message": case.message.replace("\r\n", "\n"),
            "title": case.title,
            "file": str(case.place.file.relative_to(ROOT)) if case.place else "",
            "line": case.place.line if case.place else None,
        }
        for case in cases
    ]
    command = [find_node(), str(DATA / "print_commands.mjs"), str(MODULES), json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [github_command(case, ROOT) for case in cases] == done.stdout.splitlines()


def test_a_path_is_relative_to_the_checkout() -> None:
    """Protects the place in a pull request: GitHub shows only paths of the checkout."""
    inside = github_command(annotate("x", "conf/main.cf", 14), ROOT)
    assert "file=conf/main.cf,line=14::" in inside
    outside = Annotation(AnnotationLevel.ERROR, "t", "x", FileLocation(Path("/etc/main.cf")))
    assert "file=/etc/main.cf::" in github_command(outside, ROOT)


@pytest.mark.parametrize("number", [9, 10, 11, 500])
def test_no_finding_is_dropped_without_a_remark(number: int) -> None:
    """GitHub shows ten of a level and hides the rest: the tenth says how many there are."""
    commands = github_commands([annotate(str(n)) for n in range(number)], ROOT)
    assert len(commands) == min(number, MOST_PER_LEVEL)
    left = re.search(r"::(\d+) more findings", commands[-1])
    assert (number - 9 if number > 10 else None) == (int(left[1]) if left else None)


def test_errors_are_shown_before_warnings() -> None:
    """What makes the exit code 1 is never the part that GitHub hides."""
    warning = replace(annotate("w"), level=AnnotationLevel.WARNING)
    commands = github_commands([warning] * 12 + [annotate("e")], ROOT)
    assert commands[0] == "::error title=t::e"
    assert len(commands) == 11


def test_gitlab_gets_a_path_a_line_and_a_fingerprint_of_its_own() -> None:
    """GitLab refuses a record without these, and shows one of two with the same fingerprint."""
    records = code_quality([annotate("a\nb", "main.cf", 3), annotate("c", "main.cf")], ROOT)
    assert records[0]["location"] == {"path": "main.cf", "lines": {"begin": 3}}
    assert records[1]["location"] == {"path": "main.cf", "lines": {"begin": 1}}
    assert records[0]["description"] == "a b"
    assert records[0]["severity"] == "major"
    assert records[0]["fingerprint"] != records[1]["fingerprint"]


def test_a_check_points_at_the_setting_that_it_blames() -> None:
    """The reviewer of a pull request sees the line that broke something, and for whom."""
    made = list(comparison_annotations(everything()))
    blamed = [each for each in made if each.place == FileLocation(Path("main.cf"), 2)]
    assert [each.level for each in blamed] == [AnnotationLevel.ERROR]
    assert "smtp on debian-12, debian-13: openssl-3.5.7 TLSv1.3" in blamed[0].message
    assert "cause: main.cf:2: smtpd_tls_protocols = " in blamed[0].message
    others = {each.title: each for each in made if each not in blamed}
    assert others["known failure"].place == FileLocation(Path("tests/known.toml"), 1)
    flaky = [each for each in made if each.title.startswith("flaky")]
    assert {each.level for each in flaky} == {AnnotationLevel.WARNING}
    assert not any(each.title.startswith(("known:", "same")) for each in made)


def test_cells_without_a_blamed_setting_are_on_the_snapshot() -> None:
    """What no setting explains has a place too: the file that a change of it would go into."""
    report = replace(everything(), blames=())
    broken = [e for e in comparison_annotations(report) if e.title.startswith("broken")]
    assert broken
    assert {each.place for each in broken} == {FileLocation(Path(report.subject))}


def locate(change: SettingChange) -> FileLocation:
    """A setting's place in the candidate as it was read."""
    return FileLocation(Path(change.file), change.line)


def failing_run() -> RunData:
    """A run in which smtp, at the level may, accepts TLSv1."""
    services = [{"service": "smtp", "entry": "smtp", "level": "may"}]
    run = candidate_run({"smtp": {"TLSv1": "TLSv1", "TLSv1.2": "TLSv1.2"}})
    return with_evidence(run, [ESTABLISHED], None, {"services": services})


def scenario_of(main_cf: str, master_cf: str = "") -> Scenario:
    """A candidate of these texts, with the id that sample runs have."""
    return Scenario("candidate", "t", "s", "c", main_cf=main_cf, master_cf=master_cf)


def test_verify_points_at_the_setting_that_decides() -> None:
    """The line to change is the last one that sets what the policy's remedy would."""
    policy = load_policies()["tls12-or-newer"]
    data = failing_run()
    answers = judge_services(data, "candidate")
    main_cf = "myhostname = mx.test\nsmtpd_tls_protocols = !SSLv2\nsmtpd_tls_protocols = !SSLv3\n"
    (annotation,) = verify_annotations(data, scenario_of(main_cf), answers, [policy], locate)
    assert annotation.level is AnnotationLevel.ERROR
    assert annotation.place == FileLocation(Path("main.cf"), 3)
    assert "set here: smtpd_tls_protocols = !SSLv3" in annotation.message
    assert annotation.title == "tls12-or-newer: smtp"
    assert "openssl-3.5.7 with TLSv1: negotiated TLSv1" in annotation.message


def test_verify_says_what_was_tried_and_helps() -> None:
    """The remedy stands beside the line that it replaces, only where it was measured to help."""
    policy = load_policies()["tls12-or-newer"]
    data = failing_run()
    answers = judge_services(data, "candidate")
    better = judge_services(candidate_run({"smtp": {"TLSv1.2": "TLSv1.2"}}), "candidate")
    for after, helps in ((better, True), (answers, False)):
        remedy = TriedRemedy(("smtpd_tls_protocols = >=TLSv1.2",), (), answers, after)
        annotations = verify_annotations(data, scenario_of(""), answers, [policy], locate, remedy)
        (annotation,) = annotations
        assert annotation.message.endswith("smtpd_tls_protocols = >=TLSv1.2") is helps


def test_verify_points_at_a_file_where_nothing_is_set() -> None:
    """A parameter that is not there has no line; the finding is still shown."""
    policy = load_policies()["tls12-or-newer"]
    data = failing_run()
    answers = judge_services(data, "candidate")
    (annotation,) = verify_annotations(data, scenario_of(""), answers, [policy], locate)
    assert annotation.place == FileLocation(Path("main.cf"))
    assert "set here" not in annotation.message


def test_a_rejected_configuration_is_shown_on_the_line_that_postfix_names() -> None:
    """The log has the parameter's name, or only its value."""
    candidate = scenario_of("a_b = 1\nsmtpd_tls_protocols = !SSLv9\nsmtpd_tls_ciphers = hgih\n")
    named = find_logged_setting(candidate, "fatal: bad smtpd_tls_ciphers: x")
    assert named is not None
    assert named.line == 3
    valued = find_logged_setting(candidate, 'warning: Invalid TLS protocol list "!SSLv9": no TLS')
    assert valued is not None
    assert valued.line == 2
    assert find_logged_setting(candidate, "fatal: no 1 fits") is None


@pytest.mark.parametrize("failing", [True, False])
def test_refuted_advice_is_on_its_expectation(failing: bool) -> None:
    """The author of a scenario sees which promise is broken; an error only where it fails."""
    scenarios = {
        "advice": {"smtp": {"TLSv1": "TLSv1", "TLSv1.2": "refused closed"}},
        "defaults": {"smtp": {"TLSv1": "TLSv1", "TLSv1.2": "TLSv1.2"}},
    }
    data = run_of(scenarios, expectations("tls12-or-newer"))
    verdicts = judge_run(data)
    made = list(verdict_annotations(verdicts, {"advice": Path("s/scenario.toml")}, failing=failing))
    assert made
    level = AnnotationLevel.ERROR if failing else AnnotationLevel.WARNING
    assert {each.level for each in made} <= {level, AnnotationLevel.WARNING}
    assert any(each.level is level for each in made)
    assert all(each.place and each.place.file == Path("s/scenario.toml") for each in made)


def test_a_tools_faults_are_on_its_file() -> None:
    """A tool's configuration lies in no file of the checkout; the tool does."""
    report = sample_report()
    made = list(tool_annotations(report, [annotate("a policy is not met", "main.cf", 3)]))
    assert {each.place for each in made} == {FileLocation(Path(report.path))}
    by_title = {each.title: each for each in made}
    assert by_title["tool: not idempotent"].level is AnnotationLevel.ERROR
    assert "/etc/postfix/main.cf" in by_title["tool: not idempotent"].message
    assert "debian-99" in by_title["tool: not tried"].message
    assert by_title["tool: not tried"].level is AnnotationLevel.WARNING
    assert any(each.message == "a policy is not met" for each in made)
    summary = tool_summary(report, MOST_BYTES)
    assert summary.index("**Fault**") < summary.index("| build |")


def many_cells(number: int) -> tuple[CellFinding, ...]:
    """So many groups of a check, each with a service of its own."""
    first = next(cell for cell in everything().cells if cell.finding is Finding.BROKEN)
    return tuple(
        replace(first, place=CellPlace("debian-12", str(10000 + n), "c" * 60, "default"))
        for n in range(number)
    )


def test_a_checks_summary_is_cut_by_whole_groups() -> None:
    """GitHub drops a summary of more than 1,024 KiB as a whole."""
    text = check_summary(replace(everything(), cells=many_cells(9000)), MOST_BYTES)
    assert len(text.encode()) <= MOST_BYTES
    assert re.search(r"^\d+ more groups left out\.$", text, re.M)


def test_a_runs_summary_is_cut_by_whole_scenarios(tmp_path: Path) -> None:
    """What is left out is counted, and no table is torn."""
    data = load_run(sample_run.write_sample_run(tmp_path / "run"))
    whole = run_summary(data, MOST_BYTES)
    assert whole.count("\n## ") >= len(sample_run.SCENARIOS)
    assert "](evidence/" not in whole
    assert "left out" not in whole
    cut = run_summary(data, len(whole.encode()) - 2000)
    assert len(cut.encode()) <= len(whole.encode()) - 2000
    assert re.search(r"^\d more scenarios left out of this summary", cut, re.M)
    assert all(line.endswith("|") for line in cut.splitlines() if line.startswith("|"))


def test_verifys_summary_begins_with_the_table() -> None:
    """A reader of the job's page sees the answer first."""
    data = failing_run()
    answers = judge_services(data, "candidate")
    text = verify_summary(data, "candidate", answers, ["tls12-or-newer"], MOST_BYTES)
    assert text.startswith("## postfix-matrix verify: tls12-or-newer: fails\n\n| service |")


def test_sections_say_what_they_leave_out() -> None:
    """The limit is kept to the byte, also with letters of several bytes."""
    sections = ["head", *("ä" * 100 for _ in range(50))]
    for most in (300, 1000, 5000, 20000):
        text = fit_sections(sections, most, "parts")
        assert len(text.encode()) <= most
        kept = text.count("ä" * 100)
        assert ("left out" in text) is (kept < 50)
        assert kept == 50 or f"{50 - kept} more parts left out" in text
