"""What ``tool`` reports, in Markdown for a comment of a pull request or a summary of a CI job."""

from __future__ import annotations

from collections.abc import Iterator

from harness.reports.comparison_markdown import comparison_markdown
from harness.reports.plain_text import escape_markdown, fence_code
from harness.reports.tool_report import (
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


def tool_markdown(report: ToolReport) -> str:
    """The whole report; long diffs are folded."""
    return "\n\n".join(tool_sections(report))


def tool_sections(report: ToolReport) -> list[str]:
    """The parts of the Markdown, the most important first."""
    parts = [
        f"## {escape_markdown(report.title)}",
        "\n".join(_fault_items(report)),
        "\n".join(_build_rows(report)),
        *_client_parts(report),
        *_change_parts(report),
    ]
    return [part for part in parts if part]


def _fault_items(report: ToolReport) -> Iterator[str]:
    for build in report.builds:
        for fault in build.faults:
            mark = "Warning" if fault.kind.is_warning else "**Fault**"
            next_step = f" ({fault.next_step})" if fault.next_step else ""
            yield f"- {mark}: {escape_markdown(fault.text + next_step)}"


def _build_rows(report: ToolReport) -> Iterator[str]:
    """One row per build: how the tool ended, its second run, and what it did with services."""
    yield "| build | starts from | ran | second run | services |"
    yield "|---|---|---|---|---|"
    for build in report.builds:
        result = build.result
        ran = build.trouble or result.skip or describe_execution(result)
        cells = (result.build, result.base, ran, describe_second_run(result),
                 describe_calls(result.service_calls))  # fmt: skip
        yield f"| {' | '.join(escape_markdown(cell) for cell in cells)} |"


def _client_parts(report: ToolReport) -> Iterator[str]:
    if report.clients is not None:
        yield "### For clients"
        yield comparison_markdown(report.clients).rstrip()
    idle = [
        f"- No effect for any client: {escape_markdown(describe_idle(change))} "
        f"({escape_markdown(name_builds(group))})"
        for group in group_builds(report.builds, lambda build: build.idle)
        for change in group[0].idle
    ]
    yield "\n".join(idle)
    complaints = [
        f"- {escape_markdown(text)} ({escape_markdown(name_builds(group))})"
        for group in group_builds(
            report.builds, lambda build: (build.result.new_complaints, build.log)
        )
        for text in (*map(describe_complaint, group[0].result.new_complaints), *group[0].log)
    ]
    if complaints:
        yield "\n".join(["### What Postfix complains about", "", *complaints])
    if report.policies:
        yield "### Policies\n\n" + fence_code("\n".join(report.policies))
    if report.snapshot is not None:
        yield "### Compared with the snapshot\n\n" + comparison_markdown(report.snapshot).rstrip()


def _change_parts(report: ToolReport) -> Iterator[str]:
    tried = [build for build in report.builds if build.result.changes]
    for group in group_builds(tried, lambda build: build.result.changes):
        result = group[0].result
        lines = [*list_configuration_changes(result), *list_other_changes(result)]
        summary = f"What it changed on {escape_markdown(name_builds(group))}"
        code = fence_code("\n".join(lines))
        yield f"<details><summary>{summary}</summary>\n\n{code}\n\n</details>"
