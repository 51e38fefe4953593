"""The answer of ``verify`` for other programs: docs/schemas/verify.schema.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.observations.run_folder import RunData
from harness.reports.service_labels import ServiceLabel, service_labels
from harness.reports.stand_ins import stand_ins_of
from harness.reports.taken_over import taken_data
from harness.reports.verify_findings import VerifyFinding, service_findings
from harness.reports.verify_remedy import TriedRemedy, outcome_of_remedy
from harness.reports.verify_text import rejected_places
from harness.verdicts.policy_answers import (
    ServiceAnswer,
    overall_standing,
)

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1


def verification_data(
    data: RunData,
    scenario: str,
    answers: Sequence[ServiceAnswer],
    policies: Sequence[str],
    remedy: TriedRemedy | None = None,
) -> dict[str, Any]:
    """The whole answer, with every replacement and every cell that a finding rests on."""
    labels = service_labels(data, scenario)
    replaced = stand_ins_of(data, scenario)
    return {
        "schema": SCHEMA,
        "run": data.run.id,
        "taken_over": taken_data(data.observations),
        "policies": list(policies),
        "standing": overall_standing(answers).value,
        "services": {
            answer.service: _service_data(data, answer, labels[answer.service])
            for answer in answers
        },
        "rejected": [
            {
                "log": line,
                "services": [{"service": service, "build": build} for service, build in places],
            }
            for line, places in rejected_places(data, scenario, answers).items()
        ],
        "replaced": [dict(replacement) for replacement in replaced.replaced],
        "base": list(replaced.base),
        "notes": list(replaced.notes),
        "remedy": None if remedy is None or not remedy.lines else _remedy_data(remedy),
        "missing": [{"name": entry.name, "why": entry.why} for entry in data.run.missing],
    }


def _service_data(data: RunData, answer: ServiceAnswer, label: ServiceLabel) -> dict[str, Any]:
    return {
        "entry": label.entry or answer.service,
        "level": label.level or None,
        "local": answer.is_local,
        "standing": answer.standing.value,
        "builds": {name: build.answer.value for name, build in answer.builds.items()},
        "findings": [_finding_data(finding) for finding in service_findings(data, answer)],
        "witnesses": [
            cell
            for build in answer.builds.values()
            for judged in build.judged
            for cell in judged.witnesses
        ],
    }


def _finding_data(finding: VerifyFinding) -> dict[str, Any]:
    return {
        "kind": "gap" if finding.is_unknown else "contradiction",
        "asked": finding.required,
        "what": finding.what,
        "cells": list(finding.cells),
        "reply": finding.reply or None,
        "log": finding.log or None,
    }


def _remedy_data(remedy: TriedRemedy) -> dict[str, Any]:
    outcome = outcome_of_remedy(remedy)
    return {
        "main.cf": list(remedy.lines),
        "without": [
            {
                "entry": override.entry,
                "option": f"{override.name}={override.value}",
                "line": override.line,
            }
            for override in remedy.overrides
        ],
        "met": list(outcome.met),
        "failing": list(outcome.failing),
        "unmeasured": list(outcome.unmeasured),
    }
