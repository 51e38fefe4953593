"""``postfix-matrix verify``: whether a configuration meets a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import click

from harness.cli.candidate import named_candidate
from harness.cli.candidate_options import (
    CandidateOptions,
    candidate_argument,
    candidate_options,
)
from harness.cli.cell_reuse import CellReuse
from harness.cli.ci_output import CI_FORMS
from harness.cli.completion import complete_policies
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.measure_options import (
    MeasureOptions,
    measuring_options,
    service_option,
    verbose_option,
)
from harness.cli.next_steps import print_steps_of_answer
from harness.cli.output_forms import JSON, MARKDOWN, TEXT, format_option
from harness.cli.policy_options import claim_policies, parse_policy
from harness.cli.printing import print_text
from harness.cli.run_place import print_problems
from harness.cli.signals import handle_signals
from harness.cli.snapshot_files import make_locate
from harness.cli.verify_output import AnswerOutput
from harness.errors import ExitCode
from harness.observations.run_folder import RunData
from harness.reports import write_reports
from harness.reports.service_labels import service_labels
from harness.reports.verify_remedy import TriedRemedy, why_no_remedy
from harness.run.choosing import ScenarioFolder
from harness.scenarios.claims import Claims
from harness.scenarios.expectations import Expectation
from harness.scenarios.policies import Policy, load_policies
from harness.scenarios.remedies import (
    apply_remedy,
    find_overrides,
    parameters_of,
)
from harness.scenarios.scenario import Scenario
from harness.verdicts.judging import Standing
from harness.verdicts.policy_answers import (
    ServiceAnswer,
    judge_services,
    overall_standing,
)

#: The id of a remedied candidate in its run.
REMEDIED = "candidate-remedied"


@click.command(
    "verify",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix verify /etc/postfix --policy tls12-or-newer",
        "postconf -n | postfix-matrix verify - -p no-plaintext-auth",
    ),
)
@candidate_argument
@grouped_option(
    OptionGroup.SELECTION,
    "--policy",
    "-p",
    "policies",
    multiple=True,
    required=True,
    metavar="NAME[=CLIENTS]",
    shell_complete=complete_policies,
    help="The policy, such as tls12-or-newer or delivers-from='php*,mono*'; "
    "'postfix-matrix list policies' shows all.",
)
@service_option
@candidate_options(redacting=True)
@format_option(
    "JSON has every cell that an answer depends on (docs/schemas); github and gitlab show the "
    "findings beside your lines (docs/ci.md).",
    (TEXT, JSON, MARKDOWN, *CI_FORMS),
)
@verbose_option
@grouped_option(
    OptionGroup.MEASURING,
    "--fresh",
    is_flag=True,
    help="Measure the baseline configuration and the controls too, even if they were measured "
    "before and nothing has changed.",
)
@measuring_options
def verify_command(
    names: tuple[str, ...],
    policies: tuple[str, ...],
    service: str | None,
    reading: CandidateOptions,
    form: str,
    verbose: bool,
    fresh: bool,
    measuring: MeasureOptions,
) -> int:
    """Measure whether a configuration meets a policy.

    The configuration is a folder such as /etc/postfix, a tar of it, main.cf and master.cf, the
    output of 'postconf -n' and 'postconf -M', commands of 'postconf -e', that of a running
    container (--container), or lines of any of these on standard input.

    The answer has one sentence per service, then a table, then a change that was tried, where the
    policy is not met. The exit code is 1 where it is not met, and 3 where that could not be
    measured.
    """
    known = load_policies(measuring.scenarios_dir)
    named = [parse_policy(text, known) for text in policies]
    scenarios = ScenarioFolder(measuring.scenarios_dir)
    given = named_candidate(names, scenarios, service, options=reading)
    candidate = _claim_policies(given, named)
    measuring = _select_service(measuring, service)
    to_measure = [*_find_baseline(candidate, scenarios), candidate]
    # What is wrong with the selection is said before the engine is spoken to.
    measuring.plan_scenarios(to_measure)
    named_policies = tuple(policy for policy, _ in named)
    output = AnswerOutput(candidate, named_policies, policies, form, verbose)
    reuse = CellReuse(measuring, fresh=fresh)
    locate = make_locate(names if candidate.path is None else (str(candidate.path.parent),))
    with (
        measuring.make_display() as display,
        handle_signals(),
        measuring.make_engine(display) as engine,
    ):
        measure = partial(
            measuring.measure_scenarios,
            engine,
            known=reuse.find_cells(engine, to_measure),
            reports=False,
        )
        data = measure(to_measure)
        try:
            service_answers = judge_services(data, candidate.id)
            # The answer is printed before a remedy is tried, which takes as long again.
            output.print_answer(data, service_answers)
            remedy, data = _try_remedy(measure, data, to_measure, service_answers, named_policies)
            output.print_rest(data, service_answers, remedy, locate)
        finally:
            # The answer does not wait for these.
            engine.finish()
            write_reports(data.folder)
        reuse.keep_cells(data, to_measure)
    _print_place(data, reuse)
    print_steps_of_answer(data, _find_cell(service_answers), names)
    return exit_code_of(service_answers)


def _select_service(measuring: MeasureOptions, service: str | None) -> MeasureOptions:
    """Measure the service that lines are for alone, unless services are selected."""
    if not service or measuring.selection.services:
        return measuring
    return replace(measuring, selection=replace(measuring.selection, services=(service,)))


def _print_place(data: RunData, reuse: CellReuse) -> None:
    """Print on standard error where the run is, what was taken over, and what went wrong in it."""
    print_text(f"\nThe run is in {data.folder}", err=True)
    reuse.print_notes(data)
    print_problems(data)


def _find_cell(service_answers: Sequence[ServiceAnswer]) -> str:
    """A cell that contradicts the policies; "" where none does."""
    builds = (build for answer in service_answers for build in answer.builds.values())
    return next((wrong.cell for build in builds for _, wrong in build.mismatches), "")


def _claim_policies(
    given: Scenario, named: Sequence[tuple[Policy, tuple[Expectation, ...]]]
) -> Scenario:
    """The configuration with the policies' expectations in place of its own claims."""
    claims = Claims(
        services=given.claims.services,
        clients=given.claims.clients,
        against=given.claims.against,
    )
    return replace(given, claims=claim_policies(claims, named))


def _find_baseline(candidate: Scenario, scenarios: Mapping[str, Scenario]) -> list[Scenario]:
    """The baseline configuration, which only policies on what a candidate changes need."""
    against = candidate.claims.against
    compared = any(expectation.effect is not None for expectation in candidate.claims.expectations)
    return [scenarios[against]] if compared and against in scenarios else []


def _try_remedy(
    measure: Callable[..., RunData],
    data: RunData,
    to_measure: Sequence[Scenario],
    service_answers: Sequence[ServiceAnswer],
    policies: Sequence[Policy],
) -> tuple[TriedRemedy | None, RunData]:
    """Try a remedy for the services that fail; gives it, and the run that it was tried in.

    It is None where no service fails. The last scenario of ``to_measure`` is the candidate;
    ``measure`` goes on with a run that is given as ``prior``.
    """
    candidate = to_measure[-1]
    failing = [answer for answer in service_answers if answer.standing is Standing.FAILS]
    if not failing:
        return None, data
    failing = [answer for answer in failing if not answer.only_rejected] or failing
    lines = _remedy_lines(data, candidate.id, failing, policies)
    if not lines:
        return TriedRemedy((), why_none=why_no_remedy(failing)), data
    labels = service_labels(data, candidate.id)
    services = {
        name for answer in failing for name in (answer.service, labels[answer.service].entry)
    }
    tried = apply_remedy(candidate, lines, services, REMEDIED)
    data = measure([*to_measure, tried], prior=data)
    freed = find_overrides(candidate.master_cf, services, parameters_of(lines))
    return TriedRemedy(lines, freed, tuple(service_answers), judge_services(data, tried.id)), data


def _remedy_lines(
    data: RunData,
    scenario: str,
    failing: Sequence[ServiceAnswer],
    policies: Sequence[Policy],
) -> tuple[str, ...]:
    """The lines to try: those of each policy for the TLS level of each failing service."""
    labels = service_labels(data, scenario)
    lines = (
        line
        for policy in policies
        for answer in failing
        if not answer.only_rejected
        for level in labels[answer.service].level.split(" or ")
        for line in policy.remedy(level)
    )
    return tuple(dict.fromkeys(lines))


def exit_code_of(service_answers: Sequence[ServiceAnswer]) -> int:
    """1 where a service does not meet the policies, else 3 where one is unmeasured, else 0."""
    match overall_standing(service_answers):
        case Standing.FAILS:
            return ExitCode.DIFFERS
        case Standing.HOLDS:
            return ExitCode.OK
    return ExitCode.INFRASTRUCTURE
