"""A check's findings as annotations: on the setting that is blamed, else on the snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import FileLocation
from harness.reports.annotations import Annotation, AnnotationLevel
from harness.reports.comparison_report import (
    ComparisonReport,
    describe_blame,
    describe_cells,
    describe_change,
    describe_known_fault,
    describe_place,
    sort_for_display,
)
from harness.snapshots.blame import Blame, BlameKind
from harness.snapshots.findings import RED, Finding, FindingGroup
from harness.snapshots.values import CellPlace

#: Groups that one annotation names; the step's summary has all.
MOST_GROUPS = 5


def comparison_annotations(report: ComparisonReport) -> Iterator[Annotation]:
    """One per cause with the cells that it explains, one per other group of cells.

    A known failure is none, nor what is as recorded.
    """
    explained: set[CellPlace] = set()
    groups = sort_for_display(report.groups)
    for blame in report.blames:
        if blame.kind is BlameKind.SETTINGS:
            explained |= set(blame.cells)
            yield _annotate_blame(report, blame, groups)
    for group in groups:
        is_explained = all(cell.place in explained for cell in group.cells)
        if not is_explained and group.finding is not Finding.KNOWN:
            level = AnnotationLevel.ERROR if group.finding in RED else AnnotationLevel.WARNING
            place = _snapshot_place(report)
            yield Annotation(level, _title_of(group), _describe_group(report, group), place)
    for fault in report.known_faults:
        known = fault.known.place
        place = FileLocation(Path(known.file), known.line)
        yield Annotation(AnnotationLevel.ERROR, "known failure", describe_known_fault(fault), place)


def _annotate_blame(
    report: ComparisonReport, blame: Blame, groups: list[FindingGroup]
) -> Annotation:
    cells = set(blame.cells)
    affected = [group for group in groups if any(cell.place in cells for cell in group.cells)]
    lines = [_describe_group(report, group) for group in affected[:MOST_GROUPS]]
    if len(affected) > MOST_GROUPS:
        lines.append(f"and {len(affected) - MOST_GROUPS} more groups of cells")
    first, *rest = describe_blame(blame, report.locate)
    lines.append(f"cause: {'; '.join([first, *rest])}")
    title = _title_of(affected[0]) if affected else "not as recorded"
    places = [report.locate(setting) for setting in blame.settings]
    return Annotation(AnnotationLevel.ERROR, title, "\n".join(lines), places[0])


def _title_of(group: FindingGroup) -> str:
    """``broken: smtp``."""
    return f"{group.finding}: {group.service or 'several services'}"


def _describe_group(report: ComparisonReport, group: FindingGroup) -> str:
    """Its place, its cells, what became of them, and the log line that shows it."""
    text = f"{describe_place(group)}: {describe_cells(group)}: {describe_change(group)}"
    log = report.logs.get(group.cells[0].name)
    return f"{text}\nlog: {log}" if log else text


def _snapshot_place(report: ComparisonReport) -> FileLocation | None:
    """The snapshot's file; two runs have none."""
    return FileLocation(Path(report.subject)) if report.scenario else None
