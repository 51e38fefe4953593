"""A check, or a comparison of two runs, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.reports.comparison_report import (
    ComparisonReport,
    describe_blame,
    describe_cells,
    describe_change,
    describe_counts,
    describe_known_fault,
    describe_mutant,
    describe_place,
    describe_strength,
    describe_unguarded,
    sort_for_display,
)
from harness.reports.evidence_command import evidence_command
from harness.reports.wrapping import wrap_text
from harness.snapshots.findings import UNPROVED, Finding, FindingGroup
from harness.snapshots.strength import MutantResult

#: Columns of the labels at the left.
_LABEL = 13
_INDENT = " " * _LABEL
#: Findings whose log line and command are printed.
_WITH_EVIDENCE = (
    *(Finding.BROKEN, Finding.CHANGED, Finding.FIXED, Finding.ADDED, Finding.STALE),
    *UNPROVED,
)


def comparison_lines(report: ComparisonReport, *, verbose: bool = False) -> list[str]:
    """The report as lines; ``verbose`` names every cell."""
    lines = [
        line
        for group in sort_for_display(report.groups)
        for line in _group_lines(report, group, verbose=verbose)
    ]
    for fault in report.known_faults:
        lines += _label_lines("known", [describe_known_fault(fault)])
    for blame in report.blames:
        lines += _label_lines("blame", describe_blame(blame, report.locate))
    lines += [line for move in report.moves for line in _label_lines("versions", [move.text])]
    for verdict in report.verdicts:
        text = f"{verdict.scenario} on {verdict.build}: {verdict.before}, then {verdict.after}"
        lines += _label_lines("verdict", [text])
    if report.strength is not None:
        lines += _strength_lines(report, report.strength, verbose=verbose)
    lines += wrap_text(describe_counts(report.counts))
    if report.verdicts_compared:
        lines.append(f"{len(report.verdicts)} of {report.verdicts_compared} verdicts differ")
    return lines


def _group_lines(report: ComparisonReport, group: FindingGroup, *, verbose: bool) -> Iterator[str]:
    first = group.cells[0]
    texts = [f"{describe_place(group)}: {describe_cells(group)}", describe_change(group)]
    yield from _label_lines(str(group.finding), texts)
    if verbose:
        for cell in group.cells:
            yield f"{_INDENT}- {cell.name}"
    if group.finding in _WITH_EVIDENCE and first.observation is not None:
        if log := report.logs.get(first.name):
            yield from wrap_text(f"log  {log}", _INDENT, _INDENT + "     ")
        yield f"{_INDENT}see  {_name_evidence(report, first.observation.cell)}"


def _name_evidence(report: ComparisonReport, cell: str) -> str:
    """The command for a cell's evidence; without a run's folder that of the latest run."""
    if report.folder is None:
        return f"postfix-matrix show {cell}"
    return evidence_command(report.folder, cell)


def _strength_lines(
    report: ComparisonReport, mutants: Sequence[MutantResult], *, verbose: bool
) -> Iterator[str]:
    texts = [describe_strength(mutants)]
    texts += [f"not guarded: {text}" for text in describe_unguarded(mutants, report.locate)]
    if verbose:
        texts += [
            f"- {describe_mutant(mutant, report.locate)}"
            for mutant in sorted(mutants, key=lambda mutant: mutant.is_guarded)
        ]
    yield from _label_lines("strength", texts)


def _label_lines(label: str, texts: Iterable[str]) -> Iterator[str]:
    """Paragraphs with a label before the first."""
    before = label.ljust(_LABEL)
    for text in texts:
        yield from wrap_text(text, before, _INDENT)
        before = _INDENT
