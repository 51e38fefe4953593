"""A plan measured into a run folder: what every command that measures has in common."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.catalog.builds import Build
from harness.catalog.clients import Client
from harness.catalog.plan import Plan
from harness.catalog.shards import PlanShard
from harness.data_models import load_form
from harness.docker_engine.session import new_session_id
from harness.errors import (
    ExitCode,
    HarnessError,
    InfrastructureError,
    RunInterruptedError,
    UsageError,
)
from harness.observations.journal import Journal
from harness.observations.record import MeasuredWith, Observation, Outcome
from harness.observations.run_folder import RunData, load_run
from harness.observations.run_json import PaceInfo, RunRecord
from harness.observations.run_record import (
    RunOpening,
    closing_figures,
    describe_image,
    prior_origins,
    utc_now,
)
from harness.reports import write_reports
from harness.run.engine import Engine
from harness.run.known_cells import KnownCells
from harness.run.matrix_run import MatrixRun
from harness.run.reuse import make_setup
from harness.run.run_folders import point_latest
from harness.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Job:
    """What one command measures; ``prior`` is the run that it goes on with.

    ``builds`` has the plan's, by name; ``user_clients`` are clients of the user's.
    ``becomes_latest``: it is the run that commands mean which name none; a question that was
    answered, such as that of ``verify``, is not. ``folder`` is where a new run is kept, if it is
    not to be named after the engine's session. ``only``: of the plan's cells only these are
    measured, by id; None: all. ``alone``: one cell at a time. ``known`` has what is taken over
    from earlier runs. ``shard``: the plan is this part of another one.
    """

    plan: Plan
    scenarios: dict[str, Scenario]
    builds: dict[str, Build]
    prior: RunData | None = None
    user_clients: tuple[Client, ...] = ()
    becomes_latest: bool = False
    folder: Path | None = None
    only: frozenset[str] | None = None
    alone: bool = False
    known: KnownCells | None = None
    shard: PlanShard | None = None


def measure_job(engine: Engine, job: Job, runs: Path, *, reports: bool = True) -> Path:
    """Measure a job's cells in a folder below ``runs``, or in its prior run's; gives the folder.

    What was measured is on disk however it ends. Without ``reports`` the answer comes sooner: the
    caller lets the engine finish what is still checked, and writes them then.

    Raises:
        HarnessError: something that every cell needs is unavailable, or the folder is not writable.
    """
    folder = job.prior.folder if job.prior else job.folder or _new_folder(engine, runs)
    with hold_folder(folder):
        journal = Journal(folder)
        opening = open_record(folder, job, engine.options.time_limit)
        taken = _take_cells(job, journal)

        def write_record(closing: dict[str, Any] | None = None) -> None:
            images = {**earlier_images(job), **run.resources.images}
            pace = describe_pace(engine)
            journal.write_run(opening.record(images, run.resources.missing, closing, pace))

        run = MatrixRun(
            engine,
            job.plan,
            job.scenarios,
            job.builds,
            journal=journal,
            user_clients=job.user_clients,
            prior=(*(job.prior.observations if job.prior else ()), *taken),
            image_ids={name: str(record["id"]) for name, record in earlier_images(job).items()},
            on_change=write_record,
            only=job.only,
            alone=job.alone,
            known=job.known,
            checks_later=not reports,
        )
        write_record()
        if job.becomes_latest:
            point_latest(folder)
        # Needed to read the run in the end; containers take longer to start.
        threading.Thread(target=load_form, args=(RunRecord,), daemon=True).start()
        with keep_on_error(folder, write_record, journal.close):
            engine.run(run.execute())
        journal.close()
        observations = load_run(folder).observations
        write_record(closing_figures(job.plan, observations, run.cells.measured, run.cells.seconds))
        if reports:
            write_reports(folder)
    return folder


def describe_pace(engine: Engine) -> PaceInfo:
    """How slow the machine was, as run.json has it."""
    pace = engine.lab.pace
    return PaceInfo(round(pace.most_stretched, 1), pace.round_trips)


def take_over_job(job: Job, runs: Path, time_limit: float) -> Path:
    """Make the run folder of a job of which no cell is left to measure, without an engine.

    ``time_limit`` is the one that its cells were measured with, in seconds.

    Raises:
        HarnessError: the folder is not writable.
    """
    folder = job.folder or runs.resolve() / new_session_id()
    with hold_folder(folder):
        journal = Journal(folder)
        opening = open_record(folder, job, time_limit)
        taken = _take_cells(job, journal)
        journal.close()
        closing = closing_figures(job.plan, taken, 0, None)
        journal.write_run(opening.record(earlier_images(job), (), closing))
        if job.becomes_latest:
            point_latest(folder)
        write_reports(folder)
    return folder


def _take_cells(job: Job, journal: Journal) -> Sequence[Observation]:
    """Record what is taken over from earlier runs; a run that is resumed has done so before.

    Raises:
        InfrastructureError: the run's folder cannot be written.
    """
    if job.known is None or job.prior is not None:
        return ()
    try:
        return job.known.take_cells(journal)
    except OSError as error:
        raise InfrastructureError(
            f"the evidence of an earlier run cannot be copied: {error}",
            cause="the disk is full, or a file of that run cannot be read",
            next_step="make room, or measure all with --fresh",
        ) from error


def _new_folder(engine: Engine, runs: Path) -> Path:
    """A run's folder has the name of the session that its containers carry, if it is the first."""
    folder = runs.resolve() / engine.session.id
    return folder if not folder.exists() else folder.with_name(new_session_id())


def earlier_images(job: Job) -> dict[str, dict[str, Any]]:
    """The images of runs that are resumed or taken over, also those that nothing here needs."""
    prior = job.prior.run.images if job.prior else {}
    known = job.known.images if job.known else {}
    return {**known, **{name: describe_image(image) for name, image in prior.items()}}


def open_record(folder: Path, job: Job, time_limit: float) -> RunOpening:
    """What is known of a job before its first cell; of a run that goes on, from its record."""
    setup: MeasuredWith | None = make_setup(job.plan, job.scenarios, time_limit)
    if job.prior is None:
        command = ["postfix-matrix", *sys.argv[1:]]
        return RunOpening(
            folder.name,
            command,
            job.plan,
            job.scenarios,
            utc_now(),
            folder,
            measured_with=setup,
            shard=job.shard.record() if job.shard else None,
        )
    run = job.prior.run
    # Cells that were measured in two ways must not be taken over as if in one.
    setup = setup if run.measured_with == setup else None
    return RunOpening(
        run.id,
        run.command,
        job.plan,
        job.scenarios,
        run.started,
        folder,
        run.licence,
        setup,
        origins=prior_origins(run),
    )


@contextmanager
def keep_on_error(
    folder: Path, write_record: Callable[[], None], close: Callable[[], None]
) -> Iterator[None]:
    """Finish a run's folder with what was measured, if measuring ends with an error.

    ``close`` brings the observations to disk.

    Raises:
        RunInterruptedError: the user stopped it.
    """
    try:
        yield
    except BaseException as error:
        # The error that ended the run must not be hidden by one of its reports'.
        with suppress(HarnessError, OSError):
            write_record()
            close()
            write_reports(folder)
        if isinstance(error, KeyboardInterrupt):
            raise RunInterruptedError(folder) from error
        raise


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
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
    errors = sum(observation.outcome is Outcome.ERROR for observation in data.observations)
    # That a build does not build is an answer; that a source is not reached is none, nor is a
    # client or a control that does not build: without it nothing is measured.
    unavailable = [
        missing
        for missing in data.run.missing
        if (missing.kind, missing.category) != ("build", "does-not-build")
    ]
    return ExitCode.INFRASTRUCTURE if errors or unavailable else ExitCode.OK
