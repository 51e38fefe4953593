"""``postfix-matrix run``: measures, writes the reports, prints the matrix."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import click

from harness.catalog.builds import NO_ADDITIONS, Build, UserAdditions
from harness.catalog.clients import Client
from harness.catalog.plan import Plan
from harness.catalog.shard_variables import read_shard
from harness.catalog.shards import PlanShard, take_shard
from harness.cli.ci_output import CI_FORMS, GITLAB, as_text, print_annotations
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.measure_options import engine_options
from harness.cli.next_steps import print_next_steps
from harness.cli.output import output_console
from harness.cli.output_forms import TEXT, format_option
from harness.cli.printing import print_text
from harness.cli.progress import Display
from harness.cli.registry_options import registry_options
from harness.cli.reuse import add_reuse, describe_reuse, find_reused_run, reuse_options
from harness.cli.run_place import print_problems
from harness.cli.selection import axis_options
from harness.cli.signals import handle_signals
from harness.cli.source_options import (
    client_option,
    image_option,
    read_additions,
    read_clients,
    read_mirrors,
    source_options,
)
from harness.cli.verdict_exit import (
    exit_code_of,
    exit_code_option,
)
from harness.counts import format_count
from harness.errors import ExitCode, UsageError
from harness.images.registry import ImageRegistry
from harness.observations.run_folder import RunData, load_run
from harness.reports import is_large
from harness.reports.annotations import Annotation
from harness.reports.large_run import large_run_message
from harness.reports.step_summary import run_summary
from harness.reports.terminal import print_matrix
from harness.reports.verdict_annotations import verdict_annotations
from harness.run.choosing import (
    Selection,
    choose_builds,
    read_scenarios,
)
from harness.run.dask_run import measure_on_workers
from harness.run.dask_task import EngineSettings
from harness.run.engine import Options
from harness.run.job import Job, exit_code, measure_job, take_over_job
from harness.run.planning import make_plan
from harness.run.run_folders import run_folder
from harness.scenarios.scenario import Scenario
from harness.verdicts.verdict import judge_run


@click.command(
    "run",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix run -b 'debian-*' -s defaults",
        "postfix-matrix run -S submission -o TLSv1..TLSv1.2 --reuse latest --dry-run",
    ),
)
@axis_options
@image_option
@client_option
@source_options
@registry_options
@grouped_option(
    OptionGroup.SELECTION,
    "--shard",
    metavar="I/N|auto",
    help="Only part I of N, counted from 1: each machine measures one, and 'merge' joins them. "
    "'auto', or 'auto/N', reads the variables of GitLab, Kubernetes, Slurm, Buildkite or CircleCI.",
)
@grouped_option(
    OptionGroup.MEASURING,
    "--dry-run",
    is_flag=True,
    help="Print the cells that would be measured, and stop.",
)
@grouped_option(
    OptionGroup.MEASURING,
    "--resume",
    type=click.Path(path_type=Path),
    help="The folder of a stopped run, which is continued.",
)
@reuse_options
@engine_options
@grouped_option(
    OptionGroup.MEASURING,
    "--dask",
    metavar="ADDRESS",
    help="Have the workers of this Dask scheduler measure, a build each (needs the extra 'dask').",
)
@grouped_option(
    OptionGroup.MEASURING,
    "--keep",
    is_flag=True,
    help="Do not remove containers and network afterwards.",
)
@exit_code_option
@format_option(
    "github and gitlab show what refutes advice beside its lines in scenario.toml (docs/ci.md).",
    (TEXT, *CI_FORMS),
)
def run_command(
    scenarios_dir: Path | None,
    dry_run: bool,
    resume: Path | None,
    shard: str | None,
    dask: str | None,
    reuse: str | None,
    fresh: bool,
    verbose: bool,
    runs: Path,
    jobs: int,
    time_limit: float,
    keep: bool,
    quiet: bool,
    images: tuple[str, ...],
    user_clients: tuple[str, ...],
    sources: tuple[str, ...],
    mirrors: tuple[str, ...],
    registry: ImageRegistry | None,
    by_verdict: bool,
    form: str,
    **axes: tuple[str, ...],
) -> int:
    """Measure a matrix of builds, scenarios and clients.

    A cell is one build, scenario, service, client and offer. Each option of the selection takes
    globs with commas between; '!GLOB' excludes. Without a selection all cells are measured. The
    matrix is printed on standard output, progress on standard error.
    """
    places = read_mirrors(mirrors)
    job = make_job(
        Selection(**axes), scenarios_dir, resume, read_additions(sources, images), user_clients
    )
    if shard is not None:
        job = _take_shard(job, shard)
    settings = EngineSettings(Options(jobs, time_limit, keep), places, registry)
    reused = find_reused_run(reuse, fresh=fresh, resume=resume, runs=runs)
    left = None
    if reused is not None:
        _check_no_workers(dask)
        job, taken = add_reuse(job, reused, time_limit)
        left = taken.decision.reasons
        if not quiet:
            print_text("\n".join(describe_reuse(taken, verbose=verbose)), err=True)
    if dry_run:
        _print_plan(job.plan, left)
        return ExitCode.OK
    if left is not None and not left:
        folder = take_over_job(job, runs, time_limit)
    else:
        with Display(quiet=quiet) as display, handle_signals():
            folder = _measure_cells(job, runs, settings, display, dask)
    data = load_run(folder)
    verdicts = judge_run(data)
    files = {name: of.path for name, of in job.scenarios.items() if of.path is not None}
    _print_result(data, form, verdict_annotations(verdicts, files, failing=by_verdict))
    _print_place(data)
    # Advice that is known to be wrong takes precedence over cells that are unmeasured.
    judged = exit_code_of(verdicts) if by_verdict else ExitCode.OK
    return judged if judged == ExitCode.DIFFERS else exit_code(data) or judged


def _measure_cells(
    job: Job, runs: Path, settings: EngineSettings, display: Display, dask: str | None
) -> Path:
    """Measure a job here, or on the workers of a Dask scheduler; gives the run's folder."""
    if dask is not None:
        return measure_on_workers(dask, job, runs, settings, display.show_event)
    with settings.make_engine(display.show_event) as engine:
        return measure_job(engine, job, runs)


def _print_place(data: RunData) -> None:
    """Print on standard error where the run and its page are, and what went wrong in it."""
    where = f": open {data.folder / 'index.html'}" if not is_large(data) else ""
    print_text(f"\nThe run is in {data.folder}{where}", err=True)
    if is_large(data):
        print_text(large_run_message(data), err=True)
    print_problems(data)
    print_next_steps(data)


def _print_result(data: RunData, form: str, annotations: Iterable[Annotation]) -> None:
    """Print the matrix, and what a CI shows beside the user's lines."""
    if form != GITLAB:
        with as_text(form):
            print_matrix(data, output_console())
    if form in CI_FORMS:
        print_annotations(list(annotations), form, lambda most: run_summary(data, most))


def _take_shard(job: Job, text: str) -> Job:
    """The job with the cells of one shard only, which is printed.

    Raises:
        UsageError: there is no such shard, or the job goes on with a run.
    """
    if job.prior is not None:
        raise UsageError(
            "--resume keeps the shard of the run, and takes no other",
            next_step="leave out --shard: the run's record has it",
        )
    chosen = read_shard(text, os.environ)
    part = take_shard(job.plan, chosen.shard)
    print_text(_describe_shard(part, str(chosen)), err=True)
    builds = {name: job.builds[name] for name in part.plan.builds}
    return replace(job, plan=part.plan, builds=builds, shard=part)


def _describe_shard(part: PlanShard, text: str) -> str:
    cells = f"{len(part.plan)} of {format_count(len(part.whole), 'cell')}"
    return f"shard {text}: {cells}, on {' '.join(part.plan.builds)}"


def _check_no_workers(dask: str | None) -> None:
    """Refuse to take cells over where workers measure, which have no earlier run."""
    if dask is not None:
        raise UsageError(
            "--dask measures all cells, and takes none over",
            next_step="leave out --reuse, or --dask",
        )


def make_job(
    selection: Selection,
    scenarios_dir: Path | None = None,
    resume: Path | None = None,
    additions: UserAdditions = NO_ADDITIONS,
    user_clients: Sequence[str] = (),
) -> Job:
    """What the options of the command select, to be measured on an engine.

    Raises:
        UsageError: a pattern that matches nothing, or a run that cannot be resumed with these.
    """
    prior = load_run(run_folder(resume)) if resume else None
    scenarios = read_scenarios(scenarios_dir or (_find_scenarios(prior) if prior else None))
    clients = read_clients(user_clients)
    plan, builds = _make_run_plan(selection, scenarios, prior, additions, clients)
    return Job(plan, scenarios, builds, prior, clients, becomes_latest=True)


def _make_run_plan(
    selection: Selection,
    scenarios: dict[str, Scenario],
    prior: RunData | None,
    additions: UserAdditions,
    user_clients: Sequence[Client],
) -> tuple[Plan, dict[str, Build]]:
    """The plan of the run, and its builds by name."""
    if prior is None:
        builds = choose_builds(selection.builds, additions)
        plan = make_plan(selection, scenarios, builds, user_clients)
        _check_clients_used(user_clients, plan)
        return plan, builds
    if selection != Selection():
        raise UsageError(
            "--resume keeps the selection of the run, and takes no other",
            next_step="leave out the selection, or start a new run",
        )
    _check_unchanged(prior, scenarios)
    _check_additions(prior, additions, user_clients)
    plan = Plan.from_axes(asdict(prior.run.axes))
    return plan, {name: Build.parse(name, additions) for name in plan.builds}


def _check_clients_used(user_clients: Iterable[Client], plan: Plan) -> None:
    """Refuse a user's client that is not selected: results without it would mislead."""
    idle = [client.name for client in user_clients if client.name not in plan.clients]
    if idle:
        raise UsageError(
            f"no cell of this run is measured by {' or '.join(idle)}",
            cause="-c selects other clients",
            next_step=f"name it too, such as -c {idle[0]}, or leave --client out",
        )


def _check_additions(
    prior: RunData, additions: UserAdditions, user_clients: Iterable[Client] = ()
) -> None:
    """Refuse to resume a run with other sources, images or clients of the user's."""
    given = {
        "--source": set(additions.releases),
        "--image": set(additions.images),
        "--client": {client.name for client in user_clients},
    }
    commands = [part.command for part in prior.run.merged] or [prior.run.command]
    for option, now_named in given.items():
        before = {name for command in commands for name in _option_names(command, option)}
        if before != now_named:
            names = " ".join(sorted(before)) or "not given"
            raise UsageError(
                f"{prior.folder} was started with {option} {names}",
                cause=f"this command names {' '.join(sorted(now_named)) or 'none'}",
                next_step=f"give {option} as in: {' '.join(commands[0])}",
            )


def _find_scenarios(prior: RunData) -> Path | None:
    """The scenarios folder that a run was started with; None: the project's own.

    Raises:
        UsageError: it is not there.
    """
    folders = _option_values(prior.run.command, "--scenarios-dir")
    if not folders:
        return None
    folder = Path(folders[-1])
    if not folder.is_dir():
        raise UsageError(
            f"{prior.folder} was started with --scenarios-dir {folder}, which is no folder here",
            cause="it was a relative path from another folder, or was moved; of an absolute path a "
            "run folder, which may be shared, keeps the last name alone",
            next_step="name the folder with --scenarios-dir",
        )
    return folder


def _option_names(command: Sequence[str], option: str) -> set[str]:
    """The names before "=" in the values that a command line gave an option."""
    return {value.partition("=")[0] for value in _option_values(command, option)}


def _option_values(command: Sequence[str], option: str) -> list[str]:
    """The values that a command line gave an option, in order."""
    values = [text.partition("=")[2] for text in command if text.startswith(f"{option}=")]
    return values + [after for text, after in pairwise(command) if text == option]


def _check_unchanged(data: RunData, scenarios: dict[str, Scenario]) -> None:
    """Refuse to resume a run whose scenarios have changed."""
    removed = [name for name in data.run.axes.scenarios if name not in scenarios]
    changed = {
        observation.scenario
        for observation in data.observations
        if observation.scenario in scenarios
        and observation.config != scenarios[observation.scenario].digest
    }
    if removed or changed:
        raise UsageError(
            f"{data.folder} cannot be resumed: its scenarios changed since: "
            + ", ".join([*removed, *sorted(changed)]),
            next_step="start a new run",
        )


def _print_plan(plan: Plan, left: Collection[str] | None) -> None:
    """Print the plan's cells; ``left``: only these are to be measured."""
    for cell in plan.cells():
        if left is None or cell.id in left:
            print_text(cell.id)
    axes = plan.axes()
    unpinned, scopes = axes.pop("unpinned"), axes.pop("scopes")
    product = " × ".join(
        format_count(len(names), axis.removesuffix("s")) for axis, names in axes.items()
    )
    less = ", less what scenarios leave out" if scopes else ""
    print_text(f"{format_count(len(plan), 'cell')}: {product}{less}", err=True)
    if unpinned:
        print_text(
            f"only the offer default of clients without options for it: {' '.join(unpinned)}",
            err=True,
        )
