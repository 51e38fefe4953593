"""``postfix-matrix run``: measure, report, print the matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import click

from harness.catalog.builds import Additions, Build
from harness.catalog.clients import Client
from harness.catalog.plan import Plan
from harness.cli.measure_options import engine_options
from harness.cli.output import output
from harness.cli.progress import Display
from harness.cli.selection import axis_options
from harness.cli.signals import terminable
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
from harness.errors import ExitCode, UsageError
from harness.observations.run_folder import (
    RunData,
    load_run,
)
from harness.reports.problems import trouble
from harness.reports.terminal import print_matrix
from harness.run.choosing import (
    Selection,
    choose_builds,
    read_scenarios,
)
from harness.run.engine import Engine, Options
from harness.run.job import Job, exit_code, measure_job
from harness.run.planning import make_plan
from harness.scenarios.scenario import Scenario
from harness.verdicts.verdict import judge_run


@click.command("run")
@axis_options
@image_option
@client_option
@source_options
@click.option("--dry-run", is_flag=True, help="Print the cells that would be measured, and stop.")
@click.option(
    "--resume", type=click.Path(path_type=Path), help="Go on with a run that was stopped."
)
@engine_options
@click.option("--keep", is_flag=True, help="Leave containers and network for a look at them.")
@exit_code_option
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
    own: tuple[str, ...],
    sources: tuple[str, ...],
    mirrors: tuple[str, ...],
    by_verdict: bool,
    **axes: tuple[str, ...],
) -> int:
    """Measure the matrix: builds × scenarios × services × clients × offers.

    Each option takes globs with commas between; '!GLOB' takes away. Without options all cells are
    measured. The matrix is printed on standard output, progress on standard error.
    """
    scenarios = read_scenarios(scenarios_dir)
    prior = load_run(resume.resolve()) if resume else None
    additions, places = read_additions(sources, images), read_mirrors(mirrors)
    clients = read_clients(own)
    plan, builds = _plan(Selection(**axes), scenarios, prior, additions, clients)
    if dry_run:
        _print_plan(plan)
        return ExitCode.OK
    options = Options(jobs=jobs, time_limit=time_limit, keep=keep)
    job = Job(plan, scenarios, builds, prior, clients)
    with (
        Display(quiet=quiet) as display,
        terminable(),
        Engine(listener=display.take, options=options, mirrors=places) as engine,
    ):
        folder = measure_job(engine, job, runs)
    data = load_run(folder)
    print_matrix(data, output())
    click.echo(f"\nThe run is in {folder}: open {folder / 'index.html'}", err=True)
    click.echo("'postfix-matrix show --full' prints every table whole", err=True)
    if told := trouble(data):
        click.echo(told, err=True)
    # What is known to be wrong counts over what could not be measured.
    judged = exit_code_of(judge_run(data)) if by_verdict else ExitCode.OK
    return judged if judged == ExitCode.DIFFERS else exit_code(data) or judged


def _plan(
    selection: Selection,
    scenarios: dict[str, Scenario],
    prior: RunData | None,
    additions: Additions,
    own: Sequence[Client],
) -> tuple[Plan, dict[str, Build]]:
    """The plan, and its builds by name."""
    if prior is None:
        builds = choose_builds(selection.builds, additions)
        plan = make_plan(selection, scenarios, builds, own)
        _check_clients_used(own, plan)
        return plan, builds
    if selection != Selection():
        raise UsageError(
            "--resume goes on with the run's own axes, and takes no selection",
            next_step="leave out the selection, or start a new run",
        )
    _check_unchanged(prior, scenarios)
    _check_additions(prior, additions, own)
    plan = Plan.from_axes(asdict(prior.run.axes))
    return plan, {name: Build.parse(name, additions) for name in plan.builds}


def _check_clients_used(own: Iterable[Client], plan: Plan) -> None:
    """Refuse a client of the user's that was not selected: its silence would mislead."""
    idle = [one.name for one in own if one.name not in plan.clients]
    if idle:
        raise UsageError(
            f"no cell of this run is measured by {' or '.join(idle)}",
            cause="-c selects other clients",
            next_step=f"name it too, such as -c {idle[0]}, or leave --client out",
        )


def _check_additions(prior: RunData, additions: Additions, own: Iterable[Client] = ()) -> None:
    """A run with a source or an image of the user's is not gone on with on the catalog's own."""
    given = {
        "--source": set(additions.releases),
        "--image": set(additions.images),
        "--client": {one.name for one in own},
    }
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
