"""``run.json``: what ran, on what, and its figures (docs/run-folder.md)."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from harness import __version__
from harness.catalog.plan import Plan
from harness.observations.counting import count_outcomes
from harness.observations.licence import citation, data_licence
from harness.observations.local_paths import (
    hide_in_command,
    hide_local_paths,
    places_of_machine,
)
from harness.observations.record import MeasuredWith, Observation
from harness.observations.run_json import (
    RUN_SCHEMA,
    ImageInfo,
    MergedRun,
    Missing,
    PaceInfo,
    RunRecord,
)
from harness.scenarios.expectations import where_data
from harness.scenarios.scenario import Scenario

TOOL = "postfix-matrix"

#: How run.json has times, in UTC, for strftime(3).
TIME_FORM = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class RunOpening:
    """What is known of a run before its first cell.

    ``folder`` is the run's, ``licence`` that of its data (observations.licence).
    ``shard`` is its key of that name, None for a run of a whole plan. ``origins`` are the keys that
    a run which goes on keeps: see ``prior_origins``.
    """

    id: str
    command: Sequence[str]
    plan: Plan
    scenarios: Mapping[str, Scenario]
    started: str
    folder: Path = Path()
    licence: str = field(default_factory=data_licence)
    measured_with: MeasuredWith | None = None
    shard: Mapping[str, Any] | None = None
    origins: Mapping[str, Any] = field(default_factory=dict)

    def record(
        self,
        images: Mapping[str, Mapping[str, Any]],
        missing: Iterable[Missing],
        summary: Mapping[str, Any] | None = None,
        pace: PaceInfo | None = None,
    ) -> dict[str, Any]:
        """The whole of ``run.json``; a run with a summary is finished.

        It names no path of this machine (observations.local_paths). ``pace`` is how slow it was.
        """
        places = places_of_machine(self.folder)
        return {
            "schema": RUN_SCHEMA,
            "id": self.id,
            "tool": {"name": TOOL, "version": __version__},
            "licence": self.licence,
            "citation": citation(f"{TOOL} {__version__}", self.id, self.started, self.licence),
            "host": describe_host(),
            "command": list(hide_in_command(self.command)),
            "started": self.started,
            "finished": utc_now() if summary is not None else None,
            "measured_with": asdict(self.measured_with) if self.measured_with else None,
            "axes": self.plan.axes(),
            **({"shard": dict(self.shard)} if self.shard else {}),
            **self.origins,
            "scenarios": {
                name: _describe_scenario(self.scenarios[name], places)
                for name in self.plan.scenarios
            },
            "images": {name: _hide_places(image, places) for name, image in images.items()},
            "missing": hide_local_paths([asdict(entry) for entry in missing], places),
            **({"pace": asdict(pace)} if pace else {}),
            "summary": summary,
        }


def closing_figures(
    plan: Sized, observations: Iterable[Observation], measured_now: int, seconds: float | None
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


def prior_origins(run: RunRecord) -> dict[str, Any]:
    """The keys ``shard``, ``merged`` and ``flaky`` of a run that goes on, as JSON has them."""
    origins: dict[str, Any] = {}
    if run.shard is not None:
        origins["shard"] = asdict(run.shard)
    if run.merged:
        origins["merged"] = [describe_merged(part) for part in run.merged]
        origins["flaky"] = list(run.flaky)
    return origins


def describe_merged(run: MergedRun) -> dict[str, Any]:
    """An entry of the key ``merged``; the axes of a shard are those of the merged run."""
    shard = run.shard
    return {
        **asdict(run),
        "shard": {"index": shard.index, "count": shard.count} if shard else None,
    }


def describe_image(image: ImageInfo) -> dict[str, Any]:
    """What run.json has of an image."""
    return {key: value for key, value in asdict(image).items() if value is not None}


def describe_host() -> dict[str, Any]:
    """The machine that the tool runs on."""
    return {"system": platform.platform(), "processors": os.cpu_count()}


def utc_now() -> str:
    """The time in UTC, to the second, in ISO 8601."""
    return datetime.now(UTC).strftime(TIME_FORM)


def _hide_places(image: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    described: dict[str, Any] = hide_local_paths(dict(image), places)
    if log := image.get("build_log"):
        described["build_log"] = PurePath(log).name
    return described


def _describe_scenario(scenario: Scenario, places: Mapping[str, str]) -> dict[str, Any]:
    claims = scenario.claims
    return {
        "title": scenario.title,
        "source": hide_local_paths(scenario.source, places),
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
