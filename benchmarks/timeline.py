"""Times a whole run, as ``postfix-matrix run`` makes it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.figures import find_milestones
from harness.run.choosing import (
    Selection,
    choose_builds,
)
from harness.run.engine import Engine
from harness.run.events import Event
from harness.run.job import Job, measure_job
from harness.run.planning import make_plan
from harness.scenarios.scenario import Scenario


def time_run(scenarios: dict[str, Scenario]) -> list[tuple[str, float]]:
    """Run all cells; gives the seconds from the start to each milestone.

    Raises:
        HarnessError: something that every cell needs is unavailable.
    """
    begin = time.monotonic()
    events: list[tuple[float, Event]] = []
    ends: list[tuple[str, float]] = []

    def note_end(name: str) -> None:
        ends.append((name, time.monotonic() - begin))

    def note_event(event: Event) -> None:
        events.append((time.monotonic() - begin, event))

    builds = choose_builds(())
    plan = make_plan(Selection(), scenarios, builds)
    with tempfile.TemporaryDirectory() as folder:
        with Engine(listener=note_event) as engine:
            measure_job(engine, Job(plan, scenarios, builds), Path(folder))
            note_end("every instance checked, reports written")
        note_end("containers and network removed")
    return [*find_milestones(events), *ends]
