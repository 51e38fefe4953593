"""The options that ``explain`` and ``verify`` share, and how both measure with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from harness.catalog.builds import NO_ADDITIONS, Build, UserAdditions
from harness.catalog.plan import Plan
from harness.cli.argument_checks import Seconds, WholeNumber
from harness.cli.grouped_help import OptionGroup, grouped_option
from harness.cli.output_paths import OutputFolder
from harness.cli.progress import Display
from harness.cli.registry_options import registry_options
from harness.cli.selection import narrowing_options
from harness.cli.source_options import (
    image_option,
    read_additions,
    read_mirrors,
    source_options,
)
from harness.images.registry import ImageRegistry
from harness.observations.run_folder import RunData, load_run
from harness.run.choosing import (
    Selection,
    choose_builds,
)
from harness.run.engine import MOST_JOBS, Engine, Options
from harness.run.job import Job, measure_job
from harness.run.known_cells import KnownCells
from harness.run.planning import make_plan
from harness.run.run_folders import RUNS
from harness.scenarios.scenario import Scenario
from harness.tls import INBOUND

#: The longest time limit of a dialogue, in seconds: RFC 5321, 4.5.3.2 has no longer one.
MOST_SECONDS = 3600.0


#: For candidates, whose lines may be of one service, and whose answers list the stand-ins.
verbose_option = grouped_option(
    OptionGroup.OUTPUT,
    "--verbose",
    "-v",
    is_flag=True,
    help="List each setting that a stand-in replaces, and why.",
)
service_option = grouped_option(
    OptionGroup.CONFIGURATION,
    "--for-service",
    "service",
    type=click.Choice([str(service) for service in INBOUND]),
    help="The service that lines beginning with -o belong to if they have no entry.",
)


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """What to measure on and with, and where the run goes."""

    selection: Selection
    builds: dict[str, Build]
    scenarios_dir: Path | None
    runs: Path
    options: Options
    mirrors: tuple[str, ...]
    registry: ImageRegistry | None
    quiet: bool
    additions: UserAdditions = NO_ADDITIONS

    def make_display(self) -> Display:
        """The display of the progress."""
        return Display(quiet=self.quiet)

    def plan_scenarios(self, scenarios: Sequence[Scenario]) -> Plan:
        """The plan of the cells of these scenarios.

        Raises:
            UsageError: a glob matches nothing.
        """
        names = tuple(scenario.id for scenario in scenarios)
        chosen = Selection(
            scenarios=names,
            services=self.selection.services,
            clients=self.selection.clients,
            offers=self.selection.offers,
        )
        return make_plan(chosen, {scenario.id: scenario for scenario in scenarios}, self.builds)

    def make_engine(self, display: Display) -> Engine:
        """The engine to measure with, to be opened as a context manager."""
        return Engine(
            listener=display.show_event,
            options=self.options,
            mirrors=self.mirrors,
            registry=self.registry,
        )

    def measure_scenarios(
        self,
        engine: Engine,
        scenarios: Sequence[Scenario],
        prior: RunData | None = None,
        known: KnownCells | None = None,
        *,
        reports: bool = True,
    ) -> RunData:
        """Measure these scenarios; with a prior run of some of them, go on in its folder.

        ``known`` has cells that need not be measured; without ``reports``, the caller writes them.
        """
        by_id = {scenario.id: scenario for scenario in scenarios}
        job = Job(self.plan_scenarios(scenarios), by_id, self.builds, prior, known=known)
        return load_run(measure_job(engine, job, self.runs, reports=reports))


def measuring_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``measuring``, made of options that select builds, clients, offers, …"""
    return _give_measuring(command, short_offers=True)


def recording_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same without the short -o for offers, for a command whose -o names a file."""
    return _give_measuring(command, short_offers=False)


def _give_measuring(command: Callable[..., Any], *, short_offers: bool) -> Callable[..., Any]:
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
        registry: ImageRegistry | None,
        **kwargs: Any,
    ) -> Any:
        additions = read_additions(sources, images)
        measuring = MeasureOptions(
            selection=Selection(builds=builds, services=services, clients=clients, offers=offers),
            builds=choose_builds(builds, additions),
            scenarios_dir=scenarios_dir,
            runs=runs,
            options=Options(jobs=jobs, time_limit=time_limit),
            mirrors=read_mirrors(mirrors),
            registry=registry,
            quiet=quiet,
            additions=additions,
        )
        return command(*args, measuring=measuring, **kwargs)

    options = engine_options(image_option(source_options(registry_options(wrapped))))
    return narrowing_options(options, short_offers=short_offers)


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --runs, --jobs, --time-limit and --quiet to a command that measures."""
    for option in (
        grouped_option(
            OptionGroup.OUTPUT,
            "--quiet",
            "-q",
            is_flag=True,
            help="Print the result only, no progress.",
        ),
        grouped_option(
            OptionGroup.MEASURING,
            "--time-limit",
            type=Seconds(0.1, MOST_SECONDS),
            default=10.0,
            show_default=True,
            help="Seconds that one SMTP dialogue may take.",
        ),
        grouped_option(
            OptionGroup.MEASURING,
            "--jobs",
            type=WholeNumber(1, MOST_JOBS),
            default=8,
            show_default=True,
            help="SMTP dialogues at the same time.",
        ),
        grouped_option(
            OptionGroup.OUTPUT,
            "--runs",
            type=OutputFolder(),
            default=RUNS,
            show_default=True,
            help="The folder that runs are written to.",
        ),
    ):
        command = option(command)
    return command
