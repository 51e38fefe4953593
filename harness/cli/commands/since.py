"""``postfix-matrix since``: since which version a cell shows what it shows."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import click

from harness.cli.progress import Display
from harness.cli.signals import terminable
from harness.cli.source_options import (
    mirror_option,
    read_mirrors,
)
from harness.errors import ExitCode, NothingSelectedError, UsageError
from harness.observations.merging import merge
from harness.observations.run_folder import (
    RunData,
    load_run,
)
from harness.reports.plain_text import plain
from harness.reports.since_json import since_data
from harness.run.bisection import bisect
from harness.run.choosing import read_scenarios
from harness.run.engine import Engine
from harness.run.run_folders import run_folder
from harness.verdicts.since import Alike, since
from harness.verdicts.version_dependence_text import (
    reach,
    sentences,
)

#: Places that a heading names; the others are counted.
MOST_PLACES = 3


@click.command("since")
@click.argument("place")
@click.argument("folders", type=click.Path(path_type=Path), nargs=-1)
@click.option(
    "--bisect",
    "bisecting",
    is_flag=True,
    help="Build and measure releases between two that differ, until the border is exact or no "
    "source is reached.",
)
@click.option(
    "--most",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="Builds that --bisect measures at most; each may have to be compiled.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON on standard output (docs/schemas).")
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    help="Where the runs of --bisect go; beside the run unless given.",
)
@click.option(
    "--scenarios-dir",
    type=click.Path(path_type=Path),
    help="With --bisect: where the run's scenarios are, if they are your own.",
)
@mirror_option
def since_command(
    place: str,
    folders: tuple[Path, ...],
    bisecting: bool,
    most: int,
    as_json: bool,
    runs: Path | None,
    scenarios_dir: Path | None,
    mirrors: tuple[str, ...],
) -> int:
    """Tell since which version PLACE of the runs in FOLDERS (the latest) is as it is.

    PLACE is a scenario, or a glob over scenario/service/client/offer. Cells that change alike are
    told together. A border lies between two measured neighbours; what lies between is named.
    Several runs are read as one.
    """
    if mirrors and not bisecting:
        raise UsageError("--mirror fetches nothing without --bisect", next_step="add --bisect")
    places = read_mirrors(mirrors) if bisecting else ()
    named = [run_folder(one) for one in folders] or [run_folder(None)]
    data = reduce(merge, [load_run(one) for one in named])
    found = _since(data, place)
    if bisecting:
        scenarios = read_scenarios(scenarios_dir)
        with (
            Display(quiet=False) as display,
            terminable(),
            Engine(listener=display.take, mirrors=places) as engine,
        ):
            done = bisect(engine, data, place, scenarios, runs or named[0].parent, most)
        found = _since(done.data, place)
        _report([*done.notes, *done.describe_open()], place, [*named, *done.folders])
    if as_json:
        click.echo(json.dumps(since_data(data, place, found), ensure_ascii=False, indent=1))
    else:
        for alike in found:
            click.echo(plain("\n".join(_lines(alike))))
    return ExitCode.OK


def _since(data: RunData, place: str) -> tuple[Alike, ...]:
    found = since(data, place)
    if not found:
        raise NothingSelectedError(
            f"no cell of {data.folder} is at {place}",
            next_step="name a scenario of the run, or a glob such as 'defaults/smtp/*/TLSv1'",
        )
    return found


def _report(notes: Sequence[str], place: str, folders: Sequence[Path]) -> None:
    """What bisecting could not do, and how to have the same said again without measuring."""
    for note in dict.fromkeys(notes):
        click.echo(note, err=True)
    again = shlex.join(["postfix-matrix", "since", place, *map(str, folders)])
    click.echo(f"to read the same again: {again}", err=True)


def _lines(alike: Alike) -> list[str]:
    shown = ", ".join(alike.places[:MOST_PLACES])
    more = len(alike.places) - MOST_PLACES
    said = [*sentences(alike.found), *reach(alike.found)]
    return [shown + (f" and {more} more" if more > 0 else ""), *(f"  {line}" for line in said)]
