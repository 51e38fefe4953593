"""One whole run as ``postfix-matrix run`` makes it, and when what was done."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import milestones
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


def timeline(
    scenarios: dict[str, Scenario], make_shop: Callable[[DockerSession], ImageBuilder]
) -> list[tuple[str, float]]:
    """Seconds from the begin of a run of all cells to each milestone.

    Raises:
        HarnessError: something that every cell needs could not be had.
    """
    begin = time.monotonic()
    events: list[tuple[float, Event]] = []
    ends: list[tuple[str, float]] = []

    def past(name: str) -> None:
        ends.append((name, time.monotonic() - begin))

    def take(event: Event) -> None:
        events.append((time.monotonic() - begin, event))

    builds = choose_builds(())
    plan = make_plan(Selection(), scenarios, builds)
    with tempfile.TemporaryDirectory() as name:
        with DockerSession(connect()) as session, Lab(session) as lab:
            journal = Journal(Path(name))
            opening = Opening(session.id, ["make", "bench"], plan, scenarios, now())
            shop = make_shop(session)
            run = MatrixRun(
                plan, scenarios, builds, lab=lab, shop=shop, journal=journal, listener=take
            )
            asyncio.run(run.execute())
            past("every instance checked ('postfix check')")
            journal.close()
            journal.write_run(opening.record(run.ready.images, run.ready.missing))
            write_reports(Path(name))
            past("reports written")
        past("containers and network removed")
    return [*milestones(events), *ends]
