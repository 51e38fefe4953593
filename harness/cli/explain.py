"""``postfix-matrix explain``: which line of a candidate does what."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.axes import read_scenarios
from harness.cli.candidate import named_candidate, tell_reading
from harness.cli.candidate_options import CandidateOptions, candidate_options
from harness.cli.folders import run_folder
from harness.cli.measuring import exit_code
from harness.cli.opening import terminable
from harness.cli.setting import Setting, setting_options
from harness.config.scenario import Scenario
from harness.config.variants import lines_of, variant
from harness.errors import UsageError
from harness.observations.rundir import RunData, load_run
from harness.reports.closing import trouble
from harness.reports.explain_text import explanation, table
from harness.tls import INBOUND
from harness.verdicts.lines import distinct, explain, pairs, variants

TEXT, MARKDOWN = "text", "markdown"

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
    type=click.Choice((TEXT, MARKDOWN)),
    default=TEXT,
    show_default=True,
    help="Markdown is a table: what each line does for each service.",
)
@candidate_options(redacting=True)
@setting_options
def explain_command(
    names: tuple[str, ...],
    service: str | None,
    folder: Path | None,
    form: str,
    reading: CandidateOptions,
    setting: Setting,
) -> int:
    """Tell what each line of a candidate does: which cells change without it, and by it alone.

    The candidate is a scenario, or a configuration in any form that 'verify' reads.
    Settings that come to the same are measured once. Pairs of lines are tried where one line alone
    does not show who acts with whom.
    """
    if folder is not None:
        data = load_run(run_folder(folder))
        name = names[0] if names else _explained(data)
    else:
        scenarios = read_scenarios(setting.scenarios_dir)
        candidate = named_candidate(names, scenarios, service, options=reading)
        tell_reading(candidate)
        name = candidate.id
        data = _measured(candidate, _control(candidate, scenarios), setting)
    found = explain(data, name)
    if form == MARKDOWN:
        click.echo(table(data, found))
    else:
        click.echo("\n".join(explanation(data, found)))
    click.echo(f"\nThe run is in {data.folder}", err=True)
    if told := trouble(data):
        click.echo(told, err=True)
    return exit_code(data)


def _measured(candidate: Scenario, control: Scenario, setting: Setting) -> RunData:
    """Measure the candidate, its control, and what shows its lines; then the pairs it takes."""
    if not lines_of(candidate):
        raise UsageError(
            f"{candidate.id} has no line to explain",
            next_step="name a scenario or a file that sets something",
        )
    wanted = [control, candidate]
    wanted += distinct(variants(candidate, control), wanted)
    with setting.display() as display, terminable():
        data = setting.measured(wanted, display)
        open_pairs = pairs(explain(data, candidate.id))
        more = [variant(candidate, control, kind, pair) for kind, pair in open_pairs]
        if more := distinct(more, wanted):
            data = setting.measured([*wanted, *more], display, prior=data)
    return data


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
