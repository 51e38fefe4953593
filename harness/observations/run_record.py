"""``run.json``: what ran, on what, and its figures (docs/run-folder.md)."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from harness import __version__
from harness.catalog.plan import Plan
from harness.observations.counting import count_outcomes
from harness.observations.record import MeasuredWith, Observation
from harness.observations.run_folder import (
    RUN_SCHEMA,
    Missing,
)
from harness.scenarios.expectations import where_data
from harness.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class RunOpening:
    """What is known of a run before its first cell."""

    id: str
    command: Sequence[str]
    plan: Plan
    scenarios: Mapping[str, Scenario]
    started: str
    measured_with: MeasuredWith | None = None

    def record(
        self,
        images: Mapping[str, Mapping[str, Any]],
        missing: Iterable[Missing],
        summary: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The whole of ``run.json``; a run with a summary is finished."""
        return {
            "schema": RUN_SCHEMA,
            "id": self.id,
            "tool": {"name": "postfix-matrix", "version": __version__},
            "host": {"system": platform.platform(), "processors": os.cpu_count()},
            "command": list(self.command),
            "started": self.started,
            "finished": utc_now() if summary is not None else None,
            "measured_with": asdict(self.measured_with) if self.measured_with else None,
            "axes": self.plan.axes(),
            "scenarios": {
                name: _describe_scenario(self.scenarios[name]) for name in self.plan.scenarios
            },
            "images": {name: dict(image) for name, image in images.items()},
            "missing": [asdict(entry) for entry in missing],
            "summary": summary,
        }


def closing_figures(
    plan: Plan, observations: Iterable[Observation], measured_now: int, seconds: float | None
) -> dict[str, Any]:
    """The closing figures. Control cells are not counted.

    ``seconds`` is the wall time of this process's ``measured_now`` cells, from the start of the
    first to the end of the last; a resumed run's earlier cells count as outcomes, not in the speed.
    """
    counts = count_outcomes(observations)
    return {
        "planned": len(plan),
        "measured": counts.measured,
        "taken_over": counts.taken_over,
        "outcomes": dict(counts.outcomes),
        "views_compared": counts.views_compared,
        "disagreements": counts.disagreements,
        "seconds": round(seconds, 3) if seconds is not None else None,
        "cells_per_second": round(measured_now / seconds, 1) if seconds else None,
    }


def utc_now() -> str:
    """The time in UTC, to the second, in ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _describe_scenario(scenario: Scenario) -> dict[str, Any]:
    claims = scenario.claims
    return {
        "title": scenario.title,
        "source": scenario.source,
        "url": scenario.url,
        "claim": scenario.claim,
        "collection": scenario.collection,
        "main_cf": scenario.main_cf,
        "master_cf": scenario.master_cf,
        "overlay": scenario.overlay.value,
        "against": claims.against,
        "applies": where_data(claims.applies),
        "expect": [expectation.to_data() for expectation in claims.expectations],
    }
