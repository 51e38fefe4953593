"""Verdicts for other programs: docs/schemas/verdicts.schema.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.observations.run_folder import RunData
from harness.reports.taken_over import taken_data
from harness.verdicts.judging import Judged
from harness.verdicts.since import describe_dependence
from harness.verdicts.verdict import BuildVerdict, ScenarioVerdict

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1


def verdicts_data(data: RunData, verdicts: Sequence[ScenarioVerdict]) -> dict[str, Any]:
    """Every verdict with all that it rests on, cell by cell."""
    return {
        "schema": SCHEMA,
        "run": data.run.id,
        "taken_over": taken_data(data.observations),
        "scenarios": {
            verdict.scenario: {
                "claim": data.run.scenarios[verdict.scenario].claim,
                "verdict": verdict.verdict.value,
                "borders": list(describe_dependence(verdict)),
                "builds": {build.build: _build_data(build) for build in verdict.builds},
            }
            for verdict in verdicts
        },
    }


def _build_data(verdict: BuildVerdict) -> dict[str, Any]:
    changed = verdict.changed
    return {
        "verdict": verdict.verdict.value,
        "claim": verdict.claim.value,
        "why": verdict.why,
        "postfix": str(verdict.postfix) if verdict.postfix else None,
        "openssl": str(verdict.openssl) if verdict.openssl else None,
        "changed": None
        if changed is None
        else {cell: list(names) for cell, names in changed.items()},
        "expectations": [_judged_data(judged) for judged in verdict.judged],
        "harms": [
            {"cell": regression.cell, "kind": regression.kind.value, "what": regression.what}
            for regression in verdict.regressions
        ],
    }


def _judged_data(judged: Judged) -> dict[str, Any]:
    mismatches = [{"cell": wrong.cell, "what": wrong.what} for wrong in judged.mismatches]
    return {
        "expectation": judged.expectation.to_data(),
        "standing": judged.standing.value,
        "mismatches": mismatches,
        "witnesses": list(judged.witnesses),
        "gaps": [{"cell": cell.cell, "why": cell.why} for cell in judged.unmeasured],
        "silent": judged.silent,
    }
