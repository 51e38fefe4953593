"""The answer of ``verify`` as Markdown, to be put into a document or an issue."""

from __future__ import annotations

from collections.abc import Sequence

from harness.observations.run_folder import RunData
from harness.reports.plain_text import escape_markdown, fence_code
from harness.reports.stand_ins import stand_ins_markdown
from harness.reports.verify_remedy import TriedRemedy
from harness.reports.verify_text import VerifyReport, make_report
from harness.verdicts.policy_answers import ServiceAnswer


def verification_markdown(
    data: RunData,
    scenario: str,
    answers: Sequence[ServiceAnswer],
    remedy: TriedRemedy | None = None,
    *,
    verbose: bool = False,
) -> str:
    """Stand-ins, the table, and what each answer rests on, with the same wording as the text."""
    return "\n\n".join(
        verification_sections(data, scenario, answers, remedy, verbose=verbose).values()
    )


def verification_sections(
    data: RunData,
    scenario: str,
    answers: Sequence[ServiceAnswer],
    remedy: TriedRemedy | None = None,
    *,
    verbose: bool = False,
) -> dict[str, str]:
    """The parts of the Markdown by name, in order, without those that are empty."""
    report = make_report(data, scenario, answers, remedy)
    parts = {
        "stand-ins": stand_ins_markdown(report.stand_ins, verbose=verbose),
        "table": _markdown_table(report),
        "answers": fence_code("\n".join(report.answers)),
        "remedy": fence_code("\n".join(report.remedy)) if report.remedy else "",
    }
    return {name: text for name, text in parts.items() if text}


def _markdown_table(report: VerifyReport) -> str:
    head = ["service", *report.builds]
    rows = [
        [escape_markdown(label.text), *map(escape_markdown, cells)] for label, cells in report.rows
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
