"""Measuring a plan into a run folder: what ``run``, ``explain`` and ``verify`` have in common."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.catalog.builds import Build
from harness.catalog.clients import Client
from harness.catalog.plan import Plan
from harness.docker_engine.session import (
    DockerSession,
    connect,
)
from harness.errors import ExitCode, HarnessError, InfrastructureError, UsageError
from harness.observations.journal import Journal
from harness.observations.record import Outcome
from harness.observations.run_folder import (
    RunData,
    load_run,
)
from harness.observations.run_record import Opening, now, summary
from harness.reports import write_reports
from harness.run.builders import open_builder
from harness.run.events import Listener
from harness.run.matrix_run import (
    MatrixRun,
    Options,
)
from harness.run.run_folders import point_latest
from harness.scenarios.scenario import Scenario
from harness.targets.lab import Lab

#: As many requests as a driver works on at a time (images/clients/common/contract.py); more would
#: only wait there, with the harness's clock running.
MOST_JOBS = 64


@dataclass(frozen=True, slots=True)
class Job:
    """What one command measures, and how; ``prior`` is the run that it goes on with.

    ``own`` are clients of the user's. ``aside``: it only adds to another run, which stays the
    latest.
    """

    plan: Plan
    scenarios: dict[str, Scenario]
    builds: dict[str, Build]
    options: Options
    mirrors: tuple[str, ...]
    prior: RunData | None
    keep: bool
    aside: bool = False
    own: tuple[Client, ...] = ()


def measure(job: Job, where: Path, listener: Listener) -> Path:
    """Run the plan; gives the run's folder. What was measured is on disk however it ends."""
    client, prior = connect(), job.prior
    with DockerSession(client, keep=job.keep) as session, Lab(session) as lab:
        folder = prior.folder if prior else where.resolve() / session.id
        with _only_one(folder):
            journal = Journal(folder)
            opening = _opening(folder, job)

            def changed() -> None:
                journal.write_run(opening.record(_images(run, prior), run.ready.missing))

            run = MatrixRun(
                job.plan,
                job.scenarios,
                job.builds,
                lab=lab,
                shop=open_builder(session, listener, mirrors=job.mirrors),
                journal=journal,
                own=job.own,
                prior=prior.observations if prior else (),
                before={name: one.id for name, one in prior.run.images.items()} if prior else {},
                changed=changed,
                options=job.options,
                listener=listener,
            )
            changed()
            if not job.aside:
                point_latest(folder)
            try:
                asyncio.run(run.execute())
            except BaseException:
                # The error that ended the run must not be hidden by one of its reports'.
                with suppress(HarnessError, OSError):
                    changed()
                    journal.close()
                    write_reports(folder)
                raise
            journal.close()
            closing = summary(job.plan, load_run(folder).observations, run.measured, run.seconds)
            journal.write_run(opening.record(_images(run, prior), run.ready.missing, closing))
            write_reports(folder)
    return folder


def _images(run: MatrixRun, prior: RunData | None) -> dict[str, dict[str, Any]]:
    """Provenance: of a resumed run also what this process had no need of."""
    if prior is None:
        return run.ready.images
    before = {
        name: {key: value for key, value in asdict(one).items() if value is not None}
        for name, one in prior.run.images.items()
    }
    return {**before, **run.ready.images}


def _opening(folder: Path, job: Job) -> Opening:
    if job.prior is None:
        command = ["postfix-matrix", *sys.argv[1:]]
        return Opening(folder.name, command, job.plan, job.scenarios, now())
    run = job.prior.run
    return Opening(run.id, run.command, job.plan, job.scenarios, run.started)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold a run's folder, so that it is not resumed twice at a time."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(blocking=False)
    except Timeout:
        raise UsageError(
            f"another postfix-matrix is at work in {folder}",
            next_step="wait until it has ended, or start a new run",
        ) from None
    except OSError as error:
        raise InfrastructureError(
            f"the run's folder {folder} cannot be written: {error.strerror}",
            next_step="name another place with --runs",
        ) from error
    try:
        yield
    finally:
        lock.release()


def exit_code(data: RunData) -> int:
    """What the process returns for a run that came to its end."""
    errors = sum(seen.outcome is Outcome.ERROR for seen in data.observations)
    # That a build does not build is an answer; that a source is not reached is none, nor is a
    # client or a control that does not build: without it nothing is measured.
    lacking = [
        one for one in data.run.missing if (one.kind, one.category) != ("build", "does-not-build")
    ]
    return ExitCode.INFRASTRUCTURE if errors or lacking else ExitCode.OK
