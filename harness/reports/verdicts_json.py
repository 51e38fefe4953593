"""Verdicts for other programs: docs/schemas/verdicts.schema.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.observations.run_folder import RunData
from harness.verdicts.judging import Judged
from harness.verdicts.since import describe_dependence
from harness.verdicts.verdict import BuildVerdict, ScenarioVerdict

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1


def verdicts_data(data: RunData, verdicts: Sequence[ScenarioVerdict]) -> dict[str, Any]:
    """Every verdict with all it rests on: mismatches, gaps, harms and changes, cell by cell."""
    return {
        "schema": SCHEMA,
        "run": data.run.id,
        "scenarios": {
            one.scenario: {
                "claim": data.run.scenarios[one.scenario].claim,
                "verdict": one.verdict.value,
                "borders": list(describe_dependence(one)),
                "builds": {each.build: _build(each) for each in one.builds},
            }
            for one in verdicts
        },
    }


def _build(one: BuildVerdict) -> dict[str, Any]:
    return {
        "verdict": one.verdict.value,
        "claim": one.claim.value,
        "why": one.why,
        "postfix": str(one.postfix) if one.postfix else None,
        "openssl": str(one.openssl) if one.openssl else None,
        "changed": None
        if one.changed is None
        else {cell: list(names) for cell, names in one.changed.items()},
        "expectations": [_judged(judged) for judged in one.judged],
        "harms": [{"cell": h.cell, "kind": h.kind.value, "what": h.what} for h in one.regressions],
    }


def _judged(judged: Judged) -> dict[str, Any]:
    return {
        "expectation": judged.expectation.to_data(),
        "standing": judged.standing.value,
        "mismatches": [{"cell": one.cell, "what": one.what} for one in judged.mismatches],
        "witnesses": list(judged.witnesses),
        "gaps": [{"cell": one.cell, "why": one.why} for one in judged.unmeasured],
        "silent": judged.silent,
    }
