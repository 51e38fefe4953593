"""What ``tool`` prints: for a terminal of 80 columns, section by section, builds grouped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.plain_text import escape_controls
from harness.reports.comparison_text import comparison_lines
from harness.reports.tool_report import (
    BuildReport,
    ToolReport,
    describe_calls,
    describe_complaint,
    describe_execution,
    describe_idle,
    describe_second_run,
    group_builds,
    list_configuration_changes,
    list_other_changes,
    name_builds,
)
from harness.reports.wrapping import wrap_text
from harness.tools.result import ToolFault

#: Columns of the labels at the left.
_LABEL = 13
_INDENT = " " * _LABEL
#: Lines of a diff that are printed without --verbose.
MOST_DIFF_LINES = 60


def tool_text(report: ToolReport, *, verbose: bool = False) -> str:
    """The whole report; ``verbose`` prints diffs whole, and names every cell."""
    parts = [
        list(_head_lines(report)),
        list(_change_lines(report, verbose=verbose)),
        list(_postfix_lines(report)),
        list(_client_lines(report, verbose=verbose)),
        list(report.policies),
        list(_snapshot_lines(report, verbose=verbose)),
        list(_fault_lines(report)),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _head_lines(report: ToolReport) -> Iterator[str]:
    yield from wrap_text(report.title)
    for group in group_builds(report.builds, lambda build: (build.result.base, build.result.skip)):
        if group[0].result.skip:
            yield from _label_lines(
                "not tried", [f"on {name_builds(group)}: {group[0].result.skip}"]
            )
        else:
            yield from _label_lines(
                "starts from", [f"{group[0].result.base}, on {name_builds(group)}"]
            )
    for build in report.builds:
        if build.trouble:
            yield from _label_lines("not tried", [f"on {build.result.build}: {build.trouble}"])
        elif build.result.runs:
            text = f"{build.result.build}: {describe_execution(build.result)}"
            yield from _label_lines("ran", [text])


def _change_lines(report: ToolReport, *, verbose: bool) -> Iterator[str]:
    tried = [build for build in report.builds if build.result.runs]
    for group in group_builds(tried, lambda build: build.result.changes):
        result = group[0].result
        if not result.changes:
            continue
        lines = [escape_controls(line) for line in list_configuration_changes(result)]
        most = len(lines) if verbose else MOST_DIFF_LINES
        yield f"changed, on {name_builds(group)}"
        yield from (f"  {line}" for line in lines[:most])
        if len(lines) > most:
            yield f"  ... and {len(lines) - most} more lines (--verbose prints all)"
        if others := list_other_changes(result):
            yield from _label_lines("elsewhere", others)
    for group in group_builds(tried, lambda build: describe_second_run(build.result)):
        if text := describe_second_run(group[0].result):
            yield from _label_lines("second run", [f"{text} ({name_builds(group)})"])
    for group in group_builds(tried, lambda build: describe_calls(build.result.service_calls)):
        if text := describe_calls(group[0].result.service_calls):
            yield from _label_lines("services", [f"{text} ({name_builds(group)})"])


def _postfix_lines(report: ToolReport) -> Iterator[str]:
    """What Postfix's own tools, and its log, complain about."""
    for group in group_builds(report.builds, lambda build: build.result.new_complaints):
        texts = [describe_complaint(complaint) for complaint in group[0].result.new_complaints]
        if texts:
            yield from _label_lines("postconf", [*texts, f"({name_builds(group)})"])
    for group in group_builds(report.builds, lambda build: build.log):
        if group[0].log:
            yield from _label_lines("log", [*group[0].log, f"({name_builds(group)})"])


def _client_lines(report: ToolReport, *, verbose: bool) -> Iterator[str]:
    if report.clients is None:
        return
    yield "for clients, compared with what the tool starts from"
    yield from comparison_lines(report.clients, verbose=verbose)
    for group in group_builds(report.builds, lambda build: build.idle):
        if texts := [describe_idle(change) for change in group[0].idle]:
            what = f"changes nothing for any client (of {name_builds(group)})"
            yield from _label_lines("no effect", [*texts, what])


def _snapshot_lines(report: ToolReport, *, verbose: bool) -> Iterator[str]:
    if report.snapshot is not None:
        yield f"compared with {report.snapshot.subject}"
        yield from comparison_lines(report.snapshot, verbose=verbose)
    if report.recorded:
        yield report.recorded


def _fault_lines(report: ToolReport) -> Iterator[str]:
    for build in report.builds:
        for fault in build.faults:
            yield from format_fault(fault)


def format_fault(fault: ToolFault) -> Iterator[str]:
    """A fault as lines: what, the lines that show it, what to do."""
    label = "warning" if fault.kind.is_warning else "FAULT"
    yield from _label_lines(label, [fault.text])
    yield from (f"    {escape_controls(line)}" for line in fault.lines)
    if fault.next_step:
        yield from wrap_text(f"next step: {fault.next_step}", "  ", "    ")


def _label_lines(label: str, texts: Iterable[str]) -> Iterator[str]:
    """Paragraphs with a label before the first."""
    before = label.ljust(_LABEL)
    for text in texts:
        yield from wrap_text(text, before, _INDENT)
        before = _INDENT


def builds_with_faults(builds: Sequence[BuildReport]) -> list[str]:
    """The builds on which the tool itself is at fault."""
    return [
        build.result.build
        for build in builds
        if any(not fault.kind.is_warning for fault in build.faults)
    ]
