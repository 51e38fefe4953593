"""``postfix-matrix run``: measure, report, print the matrix."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
from filelock import FileLock, Timeout

from harness.catalog.builds import Additions, Build
from harness.catalog.plan import Plan
from harness.cli.additions import image_option, read_additions, read_mirrors, source_options
from harness.cli.axes import (
    Selection,
    axis_options,
    choose_builds,
    make_plan,
    read_scenarios,
)
from harness.cli.display import Display
from harness.cli.folders import RUNS, point_latest
from harness.cli.opening import open_shop, terminable
from harness.cli.output import output
from harness.config.instance import candidate_files
from harness.config.keyfiles import check_files
from harness.config.scenario import Scenario
from harness.errors import ExitCode, HarnessError, InfrastructureError, UsageError
from harness.images.engine import Session, connect
from harness.observations.journal import Journal
from harness.observations.record import Outcome
from harness.observations.run_record import Opening, now, summary
from harness.observations.rundir import RunData, load_run
from harness.reports import write_reports
from harness.reports.closing import trouble
from harness.reports.terminal import print_matrix
from harness.runner import Options, Run
from harness.targets.lab import Lab

#: As many requests as a driver works on at a time (images/clients/common/contract.py); more would
#: only wait there, with the harness's clock running.
MOST_JOBS = 64


@click.command("run")
@axis_options
@image_option
@source_options
@click.option("--dry-run", is_flag=True, help="Print the cells that would be measured, and stop.")
@click.option(
    "--resume", type=click.Path(path_type=Path), help="Go on with a run that was stopped."
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=RUNS,
    show_default=True,
    help="Where runs go.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, MOST_JOBS),
    default=8,
    show_default=True,
    help="Dialogues at a time.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(0.1),
    default=10.0,
    show_default=True,
    help="Seconds that one dialogue may take.",
)
@click.option("--keep", is_flag=True, help="Leave containers and network for a look at them.")
@click.option("--quiet", "-q", is_flag=True, help="No progress; the matrix only.")
def run_command(
    scenarios_dir: Path | None,
    dry_run: bool,
    resume: Path | None,
    runs: Path,
    jobs: int,
    time_limit: float,
    keep: bool,
    quiet: bool,
    images: tuple[str, ...],
    sources: tuple[str, ...],
    mirrors: tuple[str, ...],
    **axes: tuple[str, ...],
) -> int:
    """Measure the matrix: builds × scenarios × services × clients × offers.

    Each option takes globs with commas between; '!GLOB' takes away. Without options all cells are
    measured. The matrix is printed on standard output, progress on standard error.
    """
    scenarios = read_scenarios(scenarios_dir)
    prior = load_run(resume.resolve()) if resume else None
    additions, places = read_additions(sources, images), read_mirrors(mirrors)
    plan, builds = _plan(Selection(**axes), scenarios, prior, additions)
    check_files({name: candidate_files(scenarios[name]) for name in plan.scenarios})
    if dry_run:
        _print_plan(plan)
        return ExitCode.OK
    options = Options(jobs=jobs, time_limit=time_limit)
    with Display(quiet=quiet) as display, terminable():
        job = Job(plan, scenarios, builds, options, places, prior, keep)
        folder = _measure(job, runs, display)
    data = load_run(folder)
    print_matrix(data, output())
    click.echo(f"\nThe run is in {folder}: open {folder / 'index.html'}", err=True)
    click.echo("'postfix-matrix show --full' prints every table whole", err=True)
    if told := trouble(data):
        click.echo(told, err=True)
    return _exit_code(data)


def _plan(
    selection: Selection,
    scenarios: dict[str, Scenario],
    prior: RunData | None,
    additions: Additions,
) -> tuple[Plan, dict[str, Build]]:
    """The plan, and its builds by name."""
    if prior is None:
        builds = choose_builds(selection.builds, additions)
        return make_plan(selection, scenarios, builds), builds
    if selection != Selection():
        raise UsageError(
            "--resume goes on with the run's own axes, and takes no selection",
            next_step="leave out the selection, or start a new run",
        )
    _check_unchanged(prior, scenarios)
    _check_additions(prior, additions)
    plan = Plan.from_axes(asdict(prior.run.axes))
    return plan, {name: Build.parse(name, additions) for name in plan.builds}


def _check_additions(prior: RunData, additions: Additions) -> None:
    """A run with a source or an image of the user's is not gone on with on the catalog's own."""
    given = {"--source": set(additions.releases), "--image": set(additions.images)}
    for option, now_named in given.items():
        before = _named(prior.run.command, option)
        if before != now_named:
            raise UsageError(
                f"{prior.folder} was begun with {option} {' '.join(sorted(before)) or 'not given'}",
                cause=f"this command names {' '.join(sorted(now_named)) or 'none'}",
                next_step=f"give {option} as in: {' '.join(prior.run.command)}",
            )


def _named(command: Sequence[str], option: str) -> set[str]:
    """What a command line gave an option: the names before "="."""
    values = [text.partition("=")[2] for text in command if text.startswith(f"{option}=")]
    values += [after for text, after in pairwise(command) if text == option]
    return {value.partition("=")[0] for value in values}


def _check_unchanged(data: RunData, scenarios: dict[str, Scenario]) -> None:
    """A run is of one text of each scenario; another text is another run."""
    gone = [name for name in data.run.axes.scenarios if name not in scenarios]
    changed = {
        seen.scenario
        for seen in data.observations
        if seen.scenario in scenarios and seen.config != scenarios[seen.scenario].digest
    }
    if gone or changed:
        raise UsageError(
            f"{data.folder} cannot be resumed: its scenarios changed since: "
            + ", ".join([*gone, *sorted(changed)]),
            next_step="start a new run",
        )


def _print_plan(plan: Plan) -> None:
    for cell in plan.cells():
        click.echo(cell.id)
    axes = plan.axes()
    unpinned, scopes = axes.pop("unpinned"), axes.pop("scopes")
    product = " × ".join(_count(len(names), axis) for axis, names in axes.items())
    less = ", less where a scenario is about something else" if scopes else ""
    click.echo(f"{_count(len(plan), 'cells')}: {product}{less}", err=True)
    if unpinned:
        click.echo(f"only default of what cannot be told: {' '.join(unpinned)}", err=True)


def _count(number: int, things: str) -> str:
    return f"{number} {things if number != 1 else things.removesuffix('s')}"


@dataclass(frozen=True, slots=True)
class Job:
    """What one command measures, and how; ``prior`` is the run that it goes on with."""

    plan: Plan
    scenarios: dict[str, Scenario]
    builds: dict[str, Build]
    options: Options
    mirrors: tuple[str, ...]
    prior: RunData | None
    keep: bool


def _measure(job: Job, where: Path, display: Display) -> Path:
    """Run the plan; gives the run's folder. What was measured is on disk however it ends."""
    client, prior = connect(), job.prior
    with Session(client, keep=job.keep) as session, Lab(session) as lab:
        folder = prior.folder if prior else where.resolve() / session.id
        with _only_one(folder):
            journal = Journal(folder)
            opening = _opening(folder, job)

            def changed() -> None:
                journal.write_run(opening.record(_images(run, prior), run.ready.missing))

            run = Run(
                job.plan,
                job.scenarios,
                job.builds,
                lab=lab,
                shop=open_shop(session, display, mirrors=job.mirrors),
                journal=journal,
                prior=prior.observations if prior else (),
                before={name: one.id for name, one in prior.run.images.items()} if prior else {},
                changed=changed,
                options=job.options,
                listener=display.take,
            )
            changed()
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


def _images(run: Run, prior: RunData | None) -> dict[str, dict[str, Any]]:
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


def _exit_code(data: RunData) -> int:
    errors = sum(seen.outcome is Outcome.ERROR for seen in data.observations)
    # That a build does not build is an answer; that a source is not reached is none, nor is a
    # client or a control that does not build: without it nothing is measured.
    lacking = [
        one for one in data.run.missing if (one.kind, one.category) != ("build", "does-not-build")
    ]
    return ExitCode.INFRASTRUCTURE if errors or lacking else ExitCode.OK
