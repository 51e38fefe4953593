"""One whole run as ``postfix-matrix run`` makes it, and when what was done."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.figures import milestones
from harness.run.choosing import (
    Selection,
    choose_builds,
)
from harness.run.engine import Engine
from harness.run.events import Event
from harness.run.job import Job, measure_job
from harness.run.planning import make_plan
from harness.scenarios.scenario import Scenario


def timeline(scenarios: dict[str, Scenario]) -> list[tuple[str, float]]:
    """Seconds from the begin of a run of all cells to each milestone.

    Raises:
        HarnessError: something that every cell needs is unavailable.
    """
    begin = time.monotonic()
    events: list[tuple[float, Event]] = []
    ends: list[tuple[str, float]] = []

    def end(name: str) -> None:
        ends.append((name, time.monotonic() - begin))

    def take(event: Event) -> None:
        events.append((time.monotonic() - begin, event))

    builds = choose_builds(())
    plan = make_plan(Selection(), scenarios, builds)
    with tempfile.TemporaryDirectory() as folder:
        with Engine(listener=take) as engine:
            measure_job(engine, Job(plan, scenarios, builds, stays_aside=True), Path(folder))
            end("every instance checked, reports written")
        end("containers and network removed")
    return [*milestones(events), *ends]
