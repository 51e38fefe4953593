"""What each line of a candidate does, for other programs: docs/schemas/explain.schema.json."""

from __future__ import annotations

from typing import Any

from harness.observations.run_folder import RunData
from harness.reports.stand_ins import stand_ins_of
from harness.verdicts.line_effects import (
    Compared,
    Explanation,
    LineEffect,
)

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1


def explanation_data(data: RunData, explanation: Explanation) -> dict[str, Any]:
    """Every line with every cell that it changes."""
    replaced = stand_ins_of(data, explanation.scenario)
    return {
        "schema": SCHEMA,
        "run": data.run.id,
        "scenario": explanation.scenario,
        "against": explanation.against,
        "lines": [_line_data(effect) for effect in explanation.lines],
        "replaced": [dict(replacement) for replacement in replaced.replaced],
        "base": list(replaced.base),
    }


def _line_data(effect: LineEffect) -> dict[str, Any]:
    line = effect.line
    return {
        "number": line.number,
        "entry": line.entry,
        "name": line.name,
        "value": line.value,
        "part": effect.part.value,
        "left_out": effect.left_out or None,
        "partners": list(effect.partners),
        "without": _compared_data(effect.removed),
        "alone": None if effect.alone is None else _compared_data(effect.alone),
    }


def _compared_data(compared: Compared) -> dict[str, Any]:
    return {
        "changes": [
            {
                "with": change.with_it.cell,
                "without": change.without_it.cell,
                "differs_in": list(change.names),
            }
            for change in compared.changes
        ],
        "same": compared.same,
        "gaps": compared.unmeasured,
        "unsteady": compared.unsteady,
    }
