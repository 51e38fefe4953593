"""Cells with their evidence for other programs: docs/schemas/show.schema.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness.observations.record import Observation
from harness.observations.run_folder import RunData
from harness.reports.grid import build_grid

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1


def cells_data(
    data: RunData, observations: Sequence[Observation], *, with_evidence: bool
) -> dict[str, Any]:
    """Cells by their observations; evidence and instance are None where they are left out."""
    cells = []
    for observation in observations:
        evidence = data.evidence(observation) if with_evidence else None
        instance = data.instance(observation.build, observation.scenario) if with_evidence else None
        cells.append(
            {
                "observation": json.loads(observation.to_json()),
                "evidence": evidence,
                "instance": instance,
            }
        )
    return {"schema": SCHEMA, "run": data.run.id, "cells": cells, "unmeasured": []}


def matrix_data(data: RunData, *, controls: bool) -> dict[str, Any]:
    """All cells of a run in the order of its tables, and those that were not measured."""
    grid = build_grid(data)
    scenarios = grid.all_scenarios if controls else grid.scenarios
    places = [cell for scenario in scenarios for cell in scenario.cells]
    measured = [cell.observation for cell in places if cell.observation is not None]
    lost = [cell for cell in places if cell.observation is None and cell.planned]
    return {
        **cells_data(data, measured, with_evidence=False),
        "unmeasured": [{"cell": cell.id, "why": cell.why or ""} for cell in lost],
    }
