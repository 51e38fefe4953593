"""``postfix-matrix since``: since which version a cell shows what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from harness.catalog.builds import Build
from harness.catalog.plan import Plan
from harness.catalog.releases import releases
from harness.catalog.versions import Version
from harness.cli.axes import read_scenarios
from harness.cli.display import Display
from harness.cli.folders import RUNS, run_folder
from harness.cli.measuring import Job, measure
from harness.cli.opening import terminable
from harness.errors import ExitCode, NothingSelectedError, UsageError
from harness.observations.merging import merge
from harness.observations.rundir import RunData, load_run
from harness.reports.plain import plain
from harness.runner import Options
from harness.verdicts.bisecting import candidates, open_borders
from harness.verdicts.border_words import reach, sentences
from harness.verdicts.borders import Axis, Border
from harness.verdicts.since import Alike, since
from harness.verdicts.verdict import versions

#: Builds that one command measures at most; each may have to be compiled.
MOST_BUILDS = 12


@click.command("since")
@click.argument("place")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "--bisect",
    is_flag=True,
    help="Build and measure releases between two that differ, until the border is exact or no "
    "source is reached.",
)
@click.option("--runs", type=click.Path(path_type=Path), default=RUNS, show_default=True)
def since_command(place: str, folder: Path | None, bisect: bool, runs: Path) -> int:
    """Tell since which version PLACE of the run in FOLDER (the latest) is as it is.

    PLACE is a scenario, or a glob over scenario/service/client/offer. Cells that change alike are
    told together. A border lies between two measured neighbours; what lies between is named.
    """
    data = load_run(run_folder(folder))
    found = _since(data, place)
    if bisect:
        with Display(quiet=False) as display, terminable():
            data, notes = _bisected(data, place, runs, display)
        found = _since(data, place)
        for note in notes:
            click.echo(note, err=True)
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


def _lines(alike: Alike) -> list[str]:
    shown = ", ".join(alike.places[:3])
    more = f" and {len(alike.places) - 3} more" if len(alike.places) > 3 else ""
    said = [*sentences(alike.found), *reach(alike.found)]
    return [f"{shown}{more}", *(f"  {line}" for line in said)]


def _bisected(data: RunData, place: str, runs: Path, display: Display) -> tuple[RunData, list[str]]:
    """The run with what was measured between its borders, and what could not be had."""
    tried: dict[str, None] = dict.fromkeys(data.run.axes.builds)
    notes: list[str] = []
    for _ in range(MOST_BUILDS):
        borders = open_borders(alike.found for alike in since(data, place))
        name = next((n for b in borders for n in candidates(b, _others(data, b), tried)), None)
        if name is None:
            break
        tried[name] = None
        more = load_run(measure(_job(data, place, name), runs, display))
        notes += [f"{lack.name}: {lack.why.splitlines()[0]}" for lack in more.run.missing]
        data = merge(data, more)
    left = open_borders(alike.found for alike in since(data, place))
    notes += [f"not exact: {_border(one)}" for one in left]
    return data, notes


def _border(border: Border) -> str:
    between = ", ".join(map(str, border.between[:6]))
    more = f" and {len(border.between) - 6} more" if len(border.between) > 6 else ""
    return (
        f"between {border.axis} {border.before.last} and {border.after.first} lie {between}{more}"
    )


def _others(data: RunData, border: Border) -> Sequence[Version]:
    """The other axis' releases to pair with: those of the builds beside the border first."""
    other = Axis.OPENSSL if border.axis is Axis.POSTFIX else Axis.POSTFIX
    known = [Version.parse(one.version) for one in releases(other.lower())]
    beside = [
        found[1] if other is Axis.OPENSSL else found[0]
        for build in data.run.axes.builds
        if (found := versions(data, build))
    ]
    return [one for one in dict.fromkeys(v for v in beside if v) if one in known]


def _job(data: RunData, place: str, build: str) -> Job:
    """What to measure on one more build: the place's scenarios, as the run measured them."""
    scenarios = read_scenarios(None)
    wanted = dict.fromkeys(p.partition("/")[0] for a in since(data, place) for p in a.places)
    gone = [name for name in wanted if name not in scenarios]
    if gone:
        raise UsageError(
            f"there is no scenario {', '.join(gone)} to measure on more builds",
            next_step="--bisect is for the scenarios that come with the tool",
        )
    plan = Plan.from_axes(asdict(data.run.axes))
    narrow = replace(
        plan,
        builds=(build,),
        scenarios=tuple(wanted),
        scopes={name: scope for name, scope in plan.scopes.items() if name in wanted},
    )
    return Job(narrow, scenarios, {build: Build.parse(build)}, Options(), (), None, keep=False)
