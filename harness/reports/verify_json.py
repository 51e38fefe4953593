"""The answer of ``verify`` for other programs: docs/schemas/verify.schema.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.observations.run_folder import RunData
from harness.reports.service_labels import ServiceLabel, service_labels
from harness.reports.stand_ins import stand_ins_of
from harness.reports.verify_findings import VerifyFinding, findings
from harness.reports.verify_remedy import TriedRemedy, outcome_of_remedy
from harness.reports.verify_text import rejections
from harness.verdicts.policy_answers import (
    ServiceAnswer,
    overall_standing,
)

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1


def verification_data(
    data: RunData,
    scenario: str,
    found: Sequence[ServiceAnswer],
    policies: Sequence[str],
    remedy: TriedRemedy | None = None,
) -> dict[str, Any]:
    """The whole answer, with every replacement and every cell that a finding rests on."""
    labels = service_labels(data, scenario)
    replaced = stand_ins_of(data, scenario)
    return {
        "schema": SCHEMA,
        "run": data.run.id,
        "policies": list(policies),
        "standing": overall_standing(found).value,
        "services": {one.service: _service(data, one, labels[one.service]) for one in found},
        "rejected": [
            {
                "log": line,
                "services": [{"service": service, "build": build} for service, build in places],
            }
            for line, places in rejections(data, scenario, found).items()
        ],
        "replaced": [dict(one) for one in replaced.replaced],
        "base": list(replaced.base),
        "notes": list(replaced.notes),
        "remedy": None if remedy is None or not remedy.lines else _remedy(remedy),
        "missing": [{"name": lack.name, "why": lack.why} for lack in data.run.missing],
    }


def _service(data: RunData, answer: ServiceAnswer, label: ServiceLabel) -> dict[str, Any]:
    return {
        "entry": label.entry or answer.service,
        "level": label.level or None,
        "local": answer.is_local,
        "standing": answer.standing.value,
        "builds": {build: one.answer.value for build, one in answer.builds.items()},
        "findings": [_finding(one) for one in findings(data, answer)],
        "witnesses": [
            cell
            for one in answer.builds.values()
            for judged in one.judged
            for cell in judged.witnesses
        ],
    }


def _finding(one: VerifyFinding) -> dict[str, Any]:
    return {
        "kind": "gap" if one.is_gap else "contradiction",
        "asked": one.asked,
        "what": one.what,
        "cells": list(one.cells),
        "reply": one.reply or None,
        "log": one.log or None,
    }


def _remedy(remedy: TriedRemedy) -> dict[str, Any]:
    outcome = outcome_of_remedy(remedy)
    return {
        "main.cf": list(remedy.lines),
        "without": [
            {"entry": one.entry, "option": f"{one.name}={one.value}", "line": one.line}
            for one in remedy.overrides
        ],
        "met": list(outcome.met),
        "failing": list(outcome.failing),
        "unmeasured": list(outcome.unmeasured),
    }
