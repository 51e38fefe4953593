"""``postfix-matrix since``: since which version a cell has its result."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import click

from harness.catalog.builds import UserAdditions
from harness.cli.argument_checks import InputFolder, WholeNumber
from harness.cli.completion import complete_scenarios
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.output_forms import JSON, json_options
from harness.cli.output_paths import OutputFolder
from harness.cli.printing import print_json, print_text
from harness.cli.progress import Display
from harness.cli.registry_options import registry_options
from harness.cli.signals import handle_signals
from harness.cli.source_options import (
    read_additions,
    read_mirrors,
    source_options,
)
from harness.errors import ExitCode, NothingSelectedError, UsageError
from harness.images.registry import ImageRegistry
from harness.observations.merging import merge_runs
from harness.observations.run_folder import RunData, load_run
from harness.reports.since_json import since_data
from harness.reports.wrapping import wrap_text
from harness.run.bisection import bisect
from harness.run.choosing import read_scenarios
from harness.run.engine import Engine
from harness.run.run_folders import run_folder
from harness.verdicts.since import PlaceGroup, group_places
from harness.verdicts.version_dependence_text import (
    coverage_sentences,
    dependence_sentences,
)

#: A heading names this many cells; the others are counted.
MOST_PLACES = 3


@click.command(
    "since",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix since 'defaults/smtp/*/TLSv1'",
        "postfix-matrix since answer-1-protocols --bisect",
    ),
)
@click.argument("place", shell_complete=complete_scenarios)
@click.argument("folders", type=click.Path(path_type=Path), nargs=-1)
@grouped_option(
    OptionGroup.MEASURING,
    "--bisect",
    "bisecting",
    is_flag=True,
    help="Build and measure releases between two that differ, until the version boundary is exact "
    "or no source can be reached.",
)
@grouped_option(
    OptionGroup.MEASURING,
    "--most",
    type=WholeNumber(1),
    default=12,
    show_default=True,
    help="How many builds --bisect measures at most; each may have to be compiled.",
)
@json_options("JSON has every group of cells with its version boundaries (docs/schemas).")
@grouped_option(
    OptionGroup.OUTPUT,
    "--runs",
    type=OutputFolder(),
    help="The folder that runs of --bisect are written to (default: that of the run).",
)
@grouped_option(
    OptionGroup.SOURCES,
    "--scenarios-dir",
    type=InputFolder(),
    help="With --bisect: the folder of the run's scenarios, if they are your own.",
)
@source_options
@registry_options
def since_command(
    place: str,
    folders: tuple[Path, ...],
    bisecting: bool,
    most: int,
    form: str,
    runs: Path | None,
    scenarios_dir: Path | None,
    sources: tuple[str, ...],
    mirrors: tuple[str, ...],
    registry: ImageRegistry | None,
) -> int:
    """Show since which version a result is what it is.

    PLACE is a scenario, or a glob over scenario/service/client/offer, in the runs in FOLDERS
    (default: the latest); several runs are read as one. Cells that change in the same way are
    listed once. A version boundary is between two measured neighbours; the releases between them
    are named.
    """
    of_bisecting = {
        "--source": sources,
        "--mirror": mirrors,
        "--runs": runs,
        "--scenarios-dir": scenarios_dir,
    }
    for option, value in of_bisecting.items():
        if value and not bisecting:
            raise UsageError(f"{option} has no use without --bisect", next_step="add --bisect")
    places = read_mirrors(mirrors) if bisecting else ()
    additions = read_additions(sources)
    named = [run_folder(folder) for folder in folders] or [run_folder(None)]
    data = reduce(merge_runs, [load_run(folder) for folder in named])
    groups = _find_groups(data, place, additions)
    if bisecting:
        scenarios = read_scenarios(scenarios_dir)
        with (
            Display(quiet=False) as display,
            handle_signals(),
            Engine(listener=display.show_event, mirrors=places, registry=registry) as engine,
        ):
            done = bisect(engine, data, place, scenarios, runs or named[0].parent, most, additions)
        groups = _find_groups(done.data, place, additions)
        _print_notes([*done.notes, *done.describe_open()], place, [*named, *done.folders])
    if form == JSON:
        print_json(since_data(data, place, groups))
    else:
        for group in groups:
            print_text("\n".join(_format_group(group)))
    return ExitCode.OK


def _find_groups(data: RunData, place: str, additions: UserAdditions) -> tuple[PlaceGroup, ...]:
    groups = group_places(data, place, additions)
    if not groups:
        raise NothingSelectedError(
            f"no cell of {data.folder} is at {place}",
            next_step="name a scenario of the run, or a glob such as 'defaults/smtp/*/TLSv1'",
        )
    return groups


def _print_notes(notes: Sequence[str], place: str, folders: Sequence[Path]) -> None:
    """Print what bisecting could not do, and the command that prints this again."""
    for note in dict.fromkeys(notes):
        print_text(note, err=True)
    again = shlex.join(["postfix-matrix", "since", place, *map(str, folders)])
    print_text(f"to print this again without measuring: {again}", err=True)


def _format_group(group: PlaceGroup) -> list[str]:
    shown = list(group.places[:MOST_PLACES])
    more = len(group.places) - MOST_PLACES
    details = [*dependence_sentences(group.found), *coverage_sentences(group.found)]
    if more > 0:
        shown[-1] += f" and {more} more"
    places = [line for place in shown for line in wrap_text(place, "", "  ")]
    return [*places, *(line for text in details for line in wrap_text(text, "  ", "    "))]
