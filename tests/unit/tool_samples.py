"""A tool's result and report with something in each part, for tests of what is printed."""

from __future__ import annotations

from dataclasses import replace

from harness.outcomes import Outcome
from harness.reports.comparison_report import ComparisonReport
from harness.reports.tool_report import BuildReport, ToolReport
from harness.snapshots.findings import CellFinding, Finding
from harness.snapshots.recorded_candidate import SettingChange
from harness.snapshots.values import CellPlace, CellValues
from harness.tools.file_changes import FileKindOf, PathState, compare_files
from harness.tools.judging import judge_tool
from harness.tools.recorders import parse_calls
from harness.tools.result import Complaint, ToolExecution, ToolResult

MAIN = "/etc/postfix/main.cf"


def _state(text: str) -> PathState:
    return PathState(FileKindOf.FILE, 0o644, data=text.encode())


CALLS = parse_calls("systemctl reload postfix\nsystemctl is-active postfix\n" * 2)
RUN = ToolExecution(0, "done\n", 0.6, CALLS)
COMPILED = compare_files({"/etc/aliases.db": _state("\0a")}, {"/etc/aliases.db": _state("\0b")})
IDLE = SettingChange("smtpd_tls_mandatory_protocols", None, ">=TLSv1.2", line=14)
RESULT = ToolResult(
    "debian-12",
    'debconf, Debian\'s answer "Internet Site"',
    runs=(RUN, RUN),
    changes=compare_files(
        {MAIN: _state("a = b\n")},
        {MAIN: _state("a = b\nsmtpd_tls_protocols = TLSv1\n"), "/etc/mailname": _state("m\n")},
    ),
    second_changes=compare_files({MAIN: _state("x\n")}, {MAIN: _state("x\nx\n")}),
    complaints=(Complaint("unused parameter: smtpd_tls_protocls", "main.cf", 9),),
    left=("main.cf", "master.cf"),
    passing=3,
)


def sample_report(lines: int = 1) -> ToolReport:
    """A report of a tool on three builds, of which it was tried on one."""
    result = RESULT
    if lines > 1:
        text = "".join(f"line {number}\n" for number in range(lines))
        result = replace(RESULT, changes=compare_files({}, {MAIN: _state(text)}))
    place = CellPlace("debian-12", "smtp", "openssl-3.5.7", "TLSv1.3")
    finding = CellFinding(
        place,
        Finding.BROKEN,
        CellValues(Outcome.ACCEPTED, protocol="TLSv1.3"),
        CellValues(Outcome.REFUSED, reason="protocol-version"),
    )
    return ToolReport(
        "a script that hardens",
        "harden.sh",
        (
            BuildReport(
                result, judge_tool(result), (IDLE,), ("warning: Invalid TLS protocol list",)
            ),
            BuildReport(ToolResult("ubuntu-16.04", "", skip="it needs Python 3.8")),
            BuildReport(ToolResult("debian-99", ""), trouble="there is no such image"),
        ),
        ComparisonReport("before, then after", (finding,), scenario="tool", level="behaviour"),
    )
