"""``postfix-matrix explain``: which line of a candidate changes what."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.candidate import named_candidate
from harness.cli.candidate_options import (
    CandidateOptions,
    candidate_argument,
    candidate_options,
)
from harness.cli.confirmation import confirm_measuring
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.measure_options import (
    MeasureOptions,
    measuring_options,
    service_option,
    verbose_option,
)
from harness.cli.output_forms import JSON, MARKDOWN, format_option
from harness.cli.printing import print_json, print_text
from harness.cli.run_place import print_run_place
from harness.cli.signals import handle_signals
from harness.errors import NothingSelectedError, UsageError
from harness.observations.run_folder import RunData, load_run
from harness.reports.explain_json import explanation_data
from harness.reports.explain_text import explanation_lines, explanation_table
from harness.reports.stand_ins import stand_ins_markdown, stand_ins_of
from harness.run.choosing import read_scenarios
from harness.run.job import exit_code
from harness.run.run_folders import run_folder
from harness.scenarios.relevant_lines import left_out
from harness.scenarios.scenario import Scenario
from harness.scenarios.variants import (
    lines_of,
    make_variant,
)
from harness.verdicts.line_effects import (
    distinct_scenarios,
    explain_lines,
    line_variants,
    next_pairs,
    repeated_scenarios,
)


@click.command(
    "explain",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix explain answer-1-protocols",
        "postfix-matrix explain /etc/postfix -b debian-12 --format markdown",
    ),
)
@candidate_argument
@service_option
@grouped_option(
    OptionGroup.SOURCES,
    "--run",
    "folder",
    type=click.Path(path_type=Path),
    help="The folder of an earlier run of 'explain'; nothing is measured, without Docker.",
)
@format_option("Markdown is a table: what each line does for each service.")
@candidate_options(redacting=True)
@grouped_option(
    OptionGroup.MEASURING,
    "--yes",
    "-y",
    is_flag=True,
    help="Measure without asking, even if it takes long.",
)
@verbose_option
@measuring_options
def explain_command(
    names: tuple[str, ...],
    service: str | None,
    folder: Path | None,
    form: str,
    reading: CandidateOptions,
    yes: bool,
    verbose: bool,
    measuring: MeasureOptions,
) -> int:
    """Show what each line of a configuration changes.

    For each line: which cells change without it, and which change by it alone. The candidate is a
    scenario, or a configuration in any form that 'verify' reads.

    Lines that have the same effect on a build's settings are measured once. Pairs of lines are
    tried where single lines leave open which of them act jointly. Lines that cannot matter for the
    selected services are left out. You are asked before a measurement of more than a minute.
    """
    if folder is not None:
        data = load_run(run_folder(folder))
        name = names[0] if names else _find_explained(data)
    else:
        scenarios = read_scenarios(measuring.scenarios_dir)
        candidate = named_candidate(names, scenarios, service, options=reading)
        name = candidate.id
        baseline = None if candidate.whole else _find_baseline(candidate, scenarios)
        data = _measure_candidate(candidate, baseline, measuring, yes=yes)
    effects = explain_lines(data, name)
    if form == JSON:
        print_json(explanation_data(data, effects))
    elif form == MARKDOWN:
        replaced = stand_ins_markdown(stand_ins_of(data, name), verbose=verbose)
        print_text(
            "\n\n".join(part for part in (replaced, explanation_table(data, effects)) if part)
        )
    else:
        print_text("\n".join(explanation_lines(data, effects, verbose=verbose)))
    print_run_place(data)
    return exit_code(data)


def _measure_candidate(
    candidate: Scenario, baseline: Scenario | None, measuring: MeasureOptions, *, yes: bool
) -> RunData:
    """Measure the candidate, its baseline configuration and its variants, then what they call for.

    The latter are pairs of lines, and repeats of the configurations in which a line has an effect.
    ``baseline`` is None for a whole configuration: its variants are compared with itself.
    """
    first = [candidate] if baseline is None else [baseline, candidate]
    numbers = _choose_lines(candidate, measuring)
    scenarios = [*first, *distinct_scenarios(line_variants(candidate, baseline, numbers), first)]
    confirm_measuring(
        "explain", len(measuring.plan_scenarios(scenarios)), yes=yes, quiet=measuring.quiet
    )
    with (
        measuring.make_display() as display,
        handle_signals(),
        measuring.make_engine(display) as engine,
    ):
        data = measuring.measure_scenarios(engine, scenarios)
        effects = explain_lines(data, candidate.id)
        more = list(repeated_scenarios(effects, candidate))
        if baseline is not None:
            tried = [
                make_variant(candidate, baseline, kind, pair) for kind, pair in next_pairs(effects)
            ]
            more += distinct_scenarios(tried, scenarios)
        if more:
            data = measuring.measure_scenarios(engine, [*scenarios, *more], prior=data)
    return data


def _choose_lines(candidate: Scenario, measuring: MeasureOptions) -> list[int]:
    """The numbers of the lines to measure.

    Raises:
        UsageError: the candidate has no line.
        NothingSelectedError: no line can matter for the selected services.
    """
    lines = lines_of(candidate)
    if not lines:
        raise UsageError(
            f"{candidate.id} has no line to explain",
            next_step="name a scenario or a file that sets something",
        )
    out = left_out(candidate, measuring.plan_scenarios([candidate]).services)
    numbers = [line.number for line in lines if line.number not in out]
    if not numbers:
        why = "; ".join(dict.fromkeys(out.values()))
        raise NothingSelectedError(
            f"no line of {candidate.id} can matter for the selected services: {why}",
            next_step="select another service (-S)",
        )
    return numbers


def _find_baseline(candidate: Scenario, scenarios: dict[str, Scenario]) -> Scenario:
    against = candidate.claims.against
    if against not in scenarios or against == candidate.id:
        raise UsageError(
            f"there is nothing to compare {candidate.id} with: no other scenario {against!r}",
            next_step="explain a scenario that changes something, or add its baseline scenario",
        )
    return scenarios[against]


def _find_explained(data: RunData) -> str:
    """The scenario that a run of ``explain`` was made for: it has variants."""
    for name in data.run.scenarios:
        if any(other.startswith(f"{name}--") for other in data.run.scenarios):
            return name
    raise UsageError(
        f"{data.folder} has no variants of a scenario",
        next_step="name the scenario, or measure with 'postfix-matrix explain SCENARIO'",
    )
