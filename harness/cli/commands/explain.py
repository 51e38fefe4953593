"""``postfix-matrix explain``: which line of a candidate does what."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli.candidate import named_candidate
from harness.cli.candidate_options import CandidateOptions, candidate_options
from harness.cli.confirmation import agreed
from harness.cli.measure_options import (
    MeasureOptions,
    setting_options,
)
from harness.cli.signals import terminable
from harness.errors import NothingSelectedError, UsageError
from harness.observations.run_folder import (
    RunData,
    load_run,
)
from harness.reports.explain_json import explanation_data
from harness.reports.explain_text import explanation, table
from harness.reports.problems import trouble
from harness.reports.stand_ins import stand_ins_markdown, stand_ins_of
from harness.run.choosing import read_scenarios
from harness.run.job import exit_code
from harness.run.run_folders import run_folder
from harness.scenarios.bearing import left_out
from harness.scenarios.scenario import Scenario
from harness.scenarios.variants import (
    lines_of,
    variant,
)
from harness.tls import INBOUND
from harness.verdicts.line_effects import (
    distinct,
    explain,
    pairs,
    repeats,
    variants,
)

TEXT, JSON, MARKDOWN = "text", "json", "markdown"

verbose_option = click.option(
    "--verbose", "-v", is_flag=True, help="Each setting that a stand-in took the place of, and why."
)
service_option = click.option(
    "--service",
    type=click.Choice([str(one) for one in INBOUND]),
    help="Whose options lines that begin with -o are.",
)


@click.command("explain")
@click.argument("names", nargs=-1, metavar="[SCENARIO | FILES | FOLDER | TAR]")
@service_option
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path),
    help="Explain by a run of 'explain' that is there, without Docker.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice((TEXT, JSON, MARKDOWN)),
    default=TEXT,
    show_default=True,
    help="Markdown is a table: what each line does for each service.",
)
@candidate_options(redacting=True)
@click.option("--yes", "-y", is_flag=True, help="Do not ask, however long it takes.")
@verbose_option
@setting_options
def explain_command(
    names: tuple[str, ...],
    service: str | None,
    folder: Path | None,
    form: str,
    reading: CandidateOptions,
    yes: bool,
    verbose: bool,
    setting: MeasureOptions,
) -> int:
    """Tell what each line of a candidate does: which cells change without it, and by it alone.

    The candidate is a scenario, or a configuration in any form that 'verify' reads.
    Settings that come to the same are measured once. Pairs of lines are tried where one line alone
    does not show who acts with whom. Lines that cannot bear on what is asked are left out, and what
    takes longer than a minute is asked first.
    """
    if folder is not None:
        data = load_run(run_folder(folder))
        name = names[0] if names else _explained(data)
    else:
        scenarios = read_scenarios(setting.scenarios_dir)
        candidate = named_candidate(names, scenarios, service, options=reading)
        name = candidate.id
        control = None if candidate.whole else _control(candidate, scenarios)
        data = _measured(candidate, control, setting, yes=yes)
    found = explain(data, name)
    if form == JSON:
        click.echo(json.dumps(explanation_data(data, found), ensure_ascii=False, indent=1))
    elif form == MARKDOWN:
        replaced = stand_ins_markdown(stand_ins_of(data, name), verbose=verbose)
        click.echo("\n\n".join(part for part in (replaced, table(data, found)) if part))
    else:
        click.echo("\n".join(explanation(data, found, verbose=verbose)))
    click.echo(f"\nThe run is in {data.folder}", err=True)
    if told := trouble(data):
        click.echo(told, err=True)
    return exit_code(data)


def _measured(
    candidate: Scenario, control: Scenario | None, setting: MeasureOptions, *, yes: bool
) -> RunData:
    """Measure the candidate, its control, and what shows its lines; then what it takes besides.

    Those are pairs of lines, and once more the configurations by which a line seems to act.
    ``control`` is None for a whole configuration: its lines are held against itself.
    """
    first = [candidate] if control is None else [control, candidate]
    numbers = _numbers(candidate, setting)
    wanted = [*first, *distinct(variants(candidate, control, numbers), first)]
    agreed("explain", len(setting.plan(wanted)), yes=yes, quiet=setting.quiet)
    with setting.display() as display, terminable(), setting.engine(display) as engine:
        data = setting.measured(engine, wanted)
        found = explain(data, candidate.id)
        more = list(repeats(found, candidate))
        if control is not None:
            tried = [variant(candidate, control, kind, pair) for kind, pair in pairs(found)]
            more += distinct(tried, wanted)
        if more:
            data = setting.measured(engine, [*wanted, *more], prior=data)
    return data


def _numbers(candidate: Scenario, setting: MeasureOptions) -> list[int]:
    """The lines to look at.

    Raises:
        UsageError: there is no line.
        NothingSelectedError: none that can bear on what is asked.
    """
    lines = lines_of(candidate)
    if not lines:
        raise UsageError(
            f"{candidate.id} has no line to explain",
            next_step="name a scenario or a file that sets something",
        )
    out = left_out(candidate, setting.plan([candidate]).services)
    numbers = [line.number for line in lines if line.number not in out]
    if not numbers:
        why = "; ".join(dict.fromkeys(out.values()))
        raise NothingSelectedError(
            f"no line of {candidate.id} can bear on what is asked: {why}",
            next_step="select another service (-S)",
        )
    return numbers


def _control(candidate: Scenario, scenarios: dict[str, Scenario]) -> Scenario:
    against = candidate.claims.against
    if against not in scenarios or against == candidate.id:
        raise UsageError(
            f"there is nothing to hold {candidate.id} against: no other scenario {against!r}",
            next_step="explain a scenario that changes something, or add a control scenario",
        )
    return scenarios[against]


def _explained(data: RunData) -> str:
    """The scenario that a run of ``explain`` was made for: the one that has variants."""
    for name in data.run.scenarios:
        if any(other.startswith(f"{name}--") for other in data.run.scenarios):
            return name
    raise UsageError(
        f"{data.folder} has no variants of a scenario",
        next_step="name the scenario, or measure with 'postfix-matrix explain SCENARIO'",
    )
