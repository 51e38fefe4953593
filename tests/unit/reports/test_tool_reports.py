"""What ``tool`` prints: every part is there, in 80 columns, and the same in JSON and Markdown."""

from __future__ import annotations

import json
from dataclasses import replace

from harness.reports.tool_json import tool_data
from harness.reports.tool_markdown import tool_markdown
from harness.reports.tool_report import BuildReport, ToolReport, describe_second_run
from harness.reports.tool_text import builds_with_faults, tool_text
from harness.tools.judging import judge_tool
from tests.schema_files import faults
from tests.unit.tool_samples import COMPILED, IDLE, RESULT, sample_report


def test_the_text_has_each_part() -> None:
    """Protects the answer for people: base, diff, second run, services, complaints, clients."""
    text = tool_text(sample_report())
    for part in (
        "starts from  debconf",
        "debian-12: exit 0 after 0.6 s",
        "+smtpd_tls_protocols = TLSv1",
        "elsewhere    added /etc/mailname (+1 -0)",
        "second run   changes /etc/postfix/main.cf",
        "services     systemctl reload postfix (2 times)",
        "main.cf:9: unused parameter: smtpd_tls_protocls",
        "broken       smtp on debian-12",
        "no effect    main.cf:14: smtpd_tls_mandatory_protocols = >=TLSv1.2",
        "FAULT        a second run on debian-12 changes /etc/postfix/main.cf again",
        "not tried    on ubuntu-16.04: it needs Python 3.8",
        "not tried    on debian-99: there is no such image",
    ):
        assert part in text
    prose = [line for line in text.splitlines() if not line.startswith(("  ", "    "))]
    assert max(map(len, prose)) <= 80


def test_a_long_diff_is_cut_unless_it_is_to_be_verbose() -> None:
    """Protects the terminal from a rewritten file; --verbose prints it."""
    report = sample_report(lines=200)
    assert "--verbose prints all" in tool_text(report)
    assert "--verbose prints all" not in tool_text(report, verbose=True)
    assert "+line 199" in tool_text(report, verbose=True)


def test_the_markdown_begins_with_the_faults() -> None:
    """Protects readers of a CI job's summary: what failed comes before the details."""
    text = tool_markdown(sample_report())
    assert text.index("**Fault**") < text.index("| build |") < text.index("<details>")
    assert "No effect for any client" in text


def test_the_json_keeps_its_schema() -> None:
    """Protects programs that read it."""
    data = json.loads(json.dumps(tool_data(sample_report())))
    assert faults("tool", data) == []
    assert data["builds"]["debian-12"]["faults"][0]["kind"] == "not idempotent"
    assert data["builds"]["debian-12"]["no_effect"][0]["line"] == 14


def test_only_grave_faults_count() -> None:
    """Protects the exit code: a tool that changed nothing is a warning."""
    idle = replace(RESULT, changes=(), second_changes=())
    assert builds_with_faults([BuildReport(idle, judge_tool(idle))]) == []
    assert builds_with_faults([BuildReport(RESULT, judge_tool(RESULT))]) == ["debian-12"]


def test_builds_with_the_same_changes_are_named_together() -> None:
    """Protects reports on many builds: a diff is printed once for all builds that have it."""
    other = replace(RESULT, build="debian-13")
    report = ToolReport("T", "t.sh", (BuildReport(RESULT), BuildReport(other, idle=(IDLE,))))
    text = tool_text(report)
    assert text.count("+smtpd_tls_protocols = TLSv1") == 1
    assert "changed, on debian-12, debian-13" in text


def test_tables_compiled_again_are_named() -> None:
    """Protects from wondering what the second run did: postmap(1) ran, and that is no fault."""
    result = replace(RESULT, second_changes=COMPILED)
    assert describe_second_run(result) == ("changes nothing but for 1 table that it compiles again")
