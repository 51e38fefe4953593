"""Times a whole run, as ``postfix-matrix run`` makes it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import find_milestones
from harness.docker_engine.session import (
    DockerSession,
    connect,
)
from harness.images.image_builder import ImageBuilder
from harness.observations.journal import Journal
from harness.observations.run_record import Opening, now
from harness.reports import write_reports
from harness.run.choosing import (
    Selection,
    choose_builds,
)
from harness.run.events import Event
from harness.run.matrix_run import MatrixRun
from harness.run.planning import make_plan
from harness.scenarios.scenario import Scenario
from harness.targets.lab import Lab


def time_run(
    scenarios: dict[str, Scenario], make_builder: Callable[[DockerSession], ImageBuilder]
) -> list[tuple[str, float]]:
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
    with tempfile.TemporaryDirectory() as name:
        with DockerSession(connect()) as session, Lab(session) as lab:
            journal = Journal(Path(name))
            opening = Opening(session.id, ["make", "bench"], plan, scenarios, now())
            builder = make_builder(session)
            run = MatrixRun(
                plan, scenarios, builds, lab=lab, shop=builder, journal=journal, listener=note_event
            )
            asyncio.run(run.execute())
            note_end("every instance checked ('postfix check')")
            journal.close()
            journal.write_run(opening.record(run.ready.images, run.ready.missing))
            write_reports(Path(name))
            note_end("reports written")
        note_end("containers and network removed")
    return [*find_milestones(events), *ends]
