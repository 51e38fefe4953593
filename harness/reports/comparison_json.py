"""A check, or a comparison of two runs, for other programs: docs/schemas/comparison.schema.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from harness.reports.comparison_report import (
    ComparisonReport,
    describe_blame,
    describe_change,
    describe_known_fault,
    describe_mutant,
    sort_for_display,
)
from harness.snapshots.blame import Blame, VersionMove
from harness.snapshots.findings import CellFinding, Finding, FindingGroup
from harness.snapshots.recorded_candidate import SettingChange
from harness.snapshots.strength import MutantResult
from harness.snapshots.values import CellValues

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1


def comparison_data(report: ComparisonReport) -> dict[str, Any]:
    """The whole report, with every cell that is not as before."""
    return {
        "schema": SCHEMA,
        "subject": report.subject,
        "level": report.level,
        "run": report.run or None,
        "counts": {str(finding): report.counts.get(finding, 0) for finding in Finding},
        "groups": [_group_data(report, group) for group in sort_for_display(report.groups)],
        "known_failures": [
            {"file": str(fault.known.place.file), "line": fault.known.place.line,
             "what": fault.what, "why": fault.known.why, "text": describe_known_fault(fault)}
            for fault in report.known_faults
        ],
        "blames": [_blame_data(report, blame) for blame in report.blames],
        "versions": [_move_data(move) for move in report.moves],
        "same": [
            {"build": build, "scenario": scenario or None, "service": service, "cells": number}
            for (build, scenario, service), number in _count_same(report).items()
        ],
        "strength": None if report.strength is None
        else [_mutant_data(report, mutant) for mutant in report.strength],
        "verdicts": [
            {"scenario": verdict.scenario, "build": verdict.build,
             "before": str(verdict.before), "after": str(verdict.after)}
            for verdict in report.verdicts
        ],
    }  # fmt: skip


def _count_same(report: ComparisonReport) -> Mapping[tuple[str, str, str], int]:
    """How many cells of each build, scenario and service are as before."""
    return Counter(
        (cell.place.build, cell.scenario or report.scenario, cell.place.service)
        for cell in report.cells
        if cell.finding is Finding.SAME
    )


def _mutant_data(report: ComparisonReport, mutant: MutantResult) -> dict[str, Any]:
    mutation = mutant.mutation
    return {
        "setting": mutation.line.text,
        "entry": mutation.line.entry,
        "kind": str(mutation.kind),
        "mutant": mutation.what,
        "guarded": mutant.is_guarded,
        "why": mutant.why or None,
        "text": describe_mutant(mutant, report.locate),
        "cells": [str(place) for place in mutant.changed],
    }


def _group_data(report: ComparisonReport, group: FindingGroup) -> dict[str, Any]:
    return {
        "finding": str(group.finding),
        "scenario": group.scenario or None,
        "service": group.service or None,
        "text": describe_change(group),
        "recorded": _values_data(group.recorded),
        "measured": _values_data(group.measured),
        "why": group.why or None,
        "log": report.logs.get(group.cells[0].name),
        "cells": [_cell_data(report, cell) for cell in group.cells],
    }


def _cell_data(report: ComparisonReport, cell: CellFinding) -> dict[str, Any]:
    place = cell.place
    return {
        "cell": cell.observation.cell if cell.observation is not None else report.cell_id(cell),
        "build": place.build,
        "service": place.service,
        "client": place.client,
        "offer": place.offer,
        "recorded": _values_data(cell.recorded),
        "measured": _values_data(cell.measured),
    }


def _values_data(values: CellValues | None) -> dict[str, Any] | None:
    return None if values is None else values.to_data()


def _blame_data(report: ComparisonReport, blame: Blame) -> dict[str, Any]:
    return {
        "kind": str(blame.kind),
        "text": list(describe_blame(blame, report.locate)),
        "cells": [place.cell(report.scenario).id for place in blame.cells],
        "settings": [_setting_data(report, change) for change in blame.settings],
        "files": list(blame.files),
        "versions": [_move_data(move) for move in blame.versions],
    }


def _setting_data(report: ComparisonReport, change: SettingChange) -> dict[str, Any]:
    place = report.locate(change)
    return {
        "setting": change.text,
        "entry": change.entry,
        "before": change.before,
        "now": change.now,
        "file": str(place.file),
        "line": place.line,
    }


def _move_data(move: VersionMove) -> dict[str, Any]:
    return {"build": move.build, "before": move.before.to_data(), "now": move.now.to_data()}
