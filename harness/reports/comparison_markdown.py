"""A check, or a comparison of two runs, in Markdown for a comment of a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.counts import format_count
from harness.reports.comparison_report import (
    ComparisonReport,
    describe_blame,
    describe_cells,
    describe_change,
    describe_counts,
    describe_known_fault,
    describe_place,
    describe_strength,
    describe_unguarded,
    sort_for_display,
)
from harness.reports.plain_text import escape_markdown
from harness.snapshots.findings import FindingGroup

#: Bytes of the whole text: GitHub refuses a comment of more than 65,536 characters.
MOST_BYTES = 60 << 10


def comparison_markdown(report: ComparisonReport, most: int = MOST_BYTES) -> str:
    """The report, cut to ``most`` bytes by whole groups, with the number of those left out."""
    head = [f"**{escape_markdown(report.subject)}**: {describe_counts(report.counts)}", ""]
    tail = list(_tail_lines(report))
    rows = [_describe_row(group) for group in sort_for_display(report.groups)]
    room = most - _count_bytes([*head, *tail]) - 300
    kept = _fit_rows(rows, room)
    lines = [*head]
    if kept:
        lines += ["| | where | clients | what |", "|:--|:--|:--|:--|", *kept]
    if left := len(rows) - len(kept):
        lines += ["", f"{format_count(left, 'more group')} left out."]
    return "\n".join([*lines, *tail]).rstrip() + "\n"


def _describe_row(group: FindingGroup) -> str:
    cells = (
        f"**{group.finding}**",
        *map(
            escape_markdown, (describe_place(group), describe_cells(group), describe_change(group))
        ),
    )
    return f"| {' | '.join(cells)} |"


def _fit_rows(rows: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for row in rows:
        room -= len(row.encode()) + 1
        if room < 0:
            break
        kept.append(row)
    return kept


def _tail_lines(report: ComparisonReport) -> Iterator[str]:
    """What stands below the table: known failures, causes, versions and verdicts."""
    notes = [describe_known_fault(fault) for fault in report.known_faults]
    for blame in report.blames:
        first, *more = describe_blame(blame, report.locate)
        notes.append(f"blame: {'; '.join([first, *more])}")
    notes += [f"versions: {move.text}" for move in report.moves]
    notes += [
        f"verdict: {verdict.scenario} on {verdict.build}: {verdict.before}, then {verdict.after}"
        for verdict in report.verdicts
    ]
    if report.strength is not None:
        notes.append(f"strength: {describe_strength(report.strength)}")
        unguarded = describe_unguarded(report.strength, report.locate)
        notes += [f"not guarded: {text}" for text in unguarded]
    if notes:
        yield ""
    yield from (f"- {escape_markdown(note)}" for note in notes)


def _count_bytes(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)
