"""What ``explain`` and ``verify`` measure with: options that both have, and one way to measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from harness.catalog.builds import Build
from harness.catalog.plan import Plan
from harness.cli.progress import Display
from harness.cli.selection import narrowing_options
from harness.cli.source_options import (
    image_option,
    read_additions,
    read_mirrors,
    source_options,
)
from harness.observations.run_folder import (
    RunData,
    load_run,
)
from harness.run.choosing import (
    Selection,
    choose_builds,
)
from harness.run.engine import Engine, Options
from harness.run.job import MOST_JOBS, Job, measure_job
from harness.run.planning import make_plan
from harness.run.run_folders import RUNS
from harness.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """Where, on what and with what to measure."""

    selection: Selection
    builds: dict[str, Build]
    scenarios_dir: Path | None
    runs: Path
    options: Options
    mirrors: tuple[str, ...]
    quiet: bool

    def display(self) -> Display:
        """What tells of the progress."""
        return Display(quiet=self.quiet)

    def plan(self, scenarios: Sequence[Scenario]) -> Plan:
        """The cells of just these scenarios.

        Raises:
            UsageError: a glob matches nothing.
        """
        names = tuple(one.id for one in scenarios)
        chosen = Selection(
            scenarios=names,
            services=self.selection.services,
            clients=self.selection.clients,
            offers=self.selection.offers,
        )
        return make_plan(chosen, {one.id: one for one in scenarios}, self.builds)

    def engine(self, display: Display) -> Engine:
        """The engine to measure with, to be opened as a context manager."""
        return Engine(listener=display.take, options=self.options, mirrors=self.mirrors)

    def measured(
        self, engine: Engine, scenarios: Sequence[Scenario], prior: RunData | None = None
    ) -> RunData:
        """Measure these scenarios, in the folder of a prior run of some of them if there is one."""
        by_id = {scenario.id: scenario for scenario in scenarios}
        job = Job(self.plan(scenarios), by_id, self.builds, prior)
        return load_run(measure_job(engine, job, self.runs))


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a ``setting``, by options that choose builds, clients, offers and so on."""

    @wraps(command)
    def wrapped(
        *args: Any,
        scenarios_dir: Path | None,
        builds: tuple[str, ...],
        services: tuple[str, ...],
        clients: tuple[str, ...],
        offers: tuple[str, ...],
        runs: Path,
        jobs: int,
        time_limit: float,
        quiet: bool,
        images: tuple[str, ...],
        sources: tuple[str, ...],
        mirrors: tuple[str, ...],
        **kwargs: Any,
    ) -> Any:
        setting = MeasureOptions(
            selection=Selection(builds=builds, services=services, clients=clients, offers=offers),
            builds=choose_builds(builds, read_additions(sources, images)),
            scenarios_dir=scenarios_dir,
            runs=runs,
            options=Options(jobs=jobs, time_limit=time_limit),
            mirrors=read_mirrors(mirrors),
            quiet=quiet,
        )
        return command(*args, setting=setting, **kwargs)

    return narrowing_options(engine_options(image_option(source_options(wrapped))))


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --runs, --jobs, --time-limit and --quiet to a command that measures."""
    for option in (
        click.option("--quiet", "-q", is_flag=True, help="No progress; the result only."),
        click.option(
            "--time-limit",
            type=click.FloatRange(0.1),
            default=10.0,
            show_default=True,
            help="Seconds that one dialogue may take.",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(1, MOST_JOBS),
            default=8,
            show_default=True,
            help="Dialogues at a time.",
        ),
        click.option(
            "--runs",
            type=click.Path(path_type=Path),
            default=RUNS,
            show_default=True,
            help="Where runs go.",
        ),
    ):
        command = option(command)
    return command
