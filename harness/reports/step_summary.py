"""What GitHub shows on the page of a job: a report in Markdown, cut to what a step may write."""

from __future__ import annotations

from collections.abc import Sequence

from harness.observations.run_folder import RunData
from harness.reports.annotations import fit_sections
from harness.reports.comparison_markdown import comparison_markdown
from harness.reports.comparison_report import ComparisonReport
from harness.reports.markdown import render_sections
from harness.reports.plain_text import escape_markdown
from harness.reports.problems import describe_problems
from harness.reports.tool_markdown import tool_sections
from harness.reports.tool_report import ToolReport
from harness.reports.verify_markdown import verification_sections
from harness.reports.verify_remedy import TriedRemedy
from harness.verdicts.policy_answers import ServiceAnswer, overall_standing

#: Bytes of one step's summary; GitHub drops one of more than 1 MiB (1,024 KiB) as a whole.
MOST_BYTES = 1000 << 10


def check_summary(report: ComparisonReport, most: int) -> str:
    """A check, with a heading."""
    heading = "## postfix-matrix check\n\n"
    return heading + comparison_markdown(report, most - len(heading))


def verify_summary(
    data: RunData,
    scenario: str,
    answers: Sequence[ServiceAnswer],
    policies: Sequence[str],
    most: int,
    remedy: TriedRemedy | None = None,
) -> str:
    """The answers on a configuration, the table first, which is what a reader looks for."""
    sections = verification_sections(data, scenario, answers, remedy)
    names = escape_markdown(", ".join(policies))
    heading = f"## postfix-matrix verify: {names}: {overall_standing(answers)}"
    order = [name for name in ("table", "answers", "remedy", "stand-ins") if name in sections]
    return fit_sections([heading, *(sections[name] for name in order)], most, "sections")


def tool_summary(report: ToolReport, most: int) -> str:
    """What a tool did, faults first, diffs last."""
    return fit_sections(tool_sections(report), most, "sections")


def run_summary(data: RunData, most: int) -> str:
    """A run: its figures, then one section per scenario, the legend last."""
    first, *scenarios, legend = render_sections(data)
    problems = describe_problems(data)
    head = f"{first}\n\n{escape_markdown(problems)}" if problems else first
    return fit_sections([head, legend, *scenarios], most, "scenarios")
