"""``postfix-matrix verify``: does this configuration meet a policy? Asked in one line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

import click

from harness.cli.candidate import named_candidate
from harness.cli.candidate_options import CandidateOptions, candidate_options
from harness.cli.commands.explain import (
    service_option,
    verbose_option,
)
from harness.cli.measure_options import (
    MeasureOptions,
    setting_options,
)
from harness.cli.signals import terminable
from harness.errors import ExitCode, UsageError
from harness.observations.run_folder import RunData
from harness.reports.problems import trouble
from harness.reports.service_labels import service_labels
from harness.reports.verify_json import verification_data
from harness.reports.verify_markdown import verification_markdown
from harness.reports.verify_remedy import TriedRemedy, why_no_remedy
from harness.reports.verify_text import told_remedy, verification
from harness.run.choosing import read_scenarios
from harness.run.engine import Engine
from harness.scenarios.claims import Claims
from harness.scenarios.expectations import (
    Expectation,
    Slip,
    Where,
)
from harness.scenarios.policies import (
    Policy,
    load_policies,
    read_policy,
)
from harness.scenarios.remedies import (
    overrides,
    parameters_of,
    remedied,
)
from harness.scenarios.scenario import Scenario
from harness.tls import Offer
from harness.verdicts.judging import Standing
from harness.verdicts.policy_answers import (
    ServiceAnswer,
    answers,
    overall_standing,
)

#: What a remedied candidate is called in its run.
REMEDIED = "candidate-remedied"
TEXT, JSON, MARKDOWN = "text", "json", "markdown"


@click.command("verify")
@click.argument("names", nargs=-1, metavar="[FILES | FOLDER | TAR | SCENARIO]")
@click.option(
    "--policy",
    "-p",
    "policies",
    multiple=True,
    required=True,
    metavar="NAME[=CLIENTS]",
    help="What must hold, such as tls12-or-newer or delivers-from='php*,mono*'; "
    "'postfix-matrix list policies' shows all.",
)
@service_option
@candidate_options(redacting=True)
@click.option(
    "--format",
    "form",
    type=click.Choice((TEXT, JSON, MARKDOWN)),
    default=TEXT,
    show_default=True,
    help="JSON has every cell that an answer rests on (docs/schemas).",
)
@verbose_option
@setting_options
def verify_command(
    names: tuple[str, ...],
    policies: tuple[str, ...],
    service: str | None,
    reading: CandidateOptions,
    form: str,
    verbose: bool,
    setting: MeasureOptions,
) -> int:
    """Measure whether a configuration, or lines of one on standard input, meet a policy.

    It may be a folder such as /etc/postfix, a tar of it, main.cf and master.cf, what 'postconf -n'
    and 'postconf -M' print, commands of 'postconf -e', or a running container's (--container).

    The answer is a sentence a service, then a table, then what to change, tried. Exit code 1 where
    the policy is not met, 3 where that could not be measured.
    """
    known = load_policies(setting.scenarios_dir)
    named = [_named(text, known) for text in policies]
    scenarios = read_scenarios(setting.scenarios_dir)
    given = named_candidate(names, scenarios, service, options=reading)
    candidate = _candidate(given, named)
    if service and not setting.selection.services:
        selection = replace(setting.selection, services=(service,))
        setting = replace(setting, selection=selection)
    # The control configuration shows what a candidate changes, which few policies ask.
    against = candidate.claims.against
    compared = any(one.effect is not None for one in candidate.claims.expectations)
    wanted = [scenarios[against]] if compared and against in scenarios else []
    wanted.append(candidate)
    with setting.display() as display, terminable(), setting.engine(display) as engine:
        data = setting.measured(engine, wanted)
        found = answers(data, candidate.id)
        if form == TEXT:
            # What is known is told before a remedy is tried, which takes as long again.
            click.echo(verification(data, candidate.id, found, verbose=verbose))
        remedy, data = _tried(setting, engine, data, wanted, found, [one for one, _ in named])
    if form == JSON:
        told = verification_data(data, candidate.id, found, policies, remedy)
        click.echo(json.dumps(told, ensure_ascii=False, indent=1))
    elif form == MARKDOWN:
        click.echo(verification_markdown(data, candidate.id, found, remedy, verbose=verbose))
    elif remedy is not None and (lines := list(told_remedy(remedy, found))):
        click.echo("\n".join(["", *lines]))
    click.echo(f"\nThe run is in {data.folder}", err=True)
    if lacking := trouble(data):
        click.echo(lacking, err=True)
    return exit_code_of(found)


def _candidate(
    given: Scenario, named: Sequence[tuple[Policy, tuple[Expectation, ...]]]
) -> Scenario:
    """What was given, with what the policies expect of it in place of what it claims itself."""
    claims = Claims(
        services=given.claims.services,
        clients=given.claims.clients,
        offers=_offers(policy for policy, _ in named),
        against=given.claims.against,
        expectations=tuple(one for _, expected in named for one in expected),
    )
    return replace(given, claims=claims)


def _named(text: str, known: dict[str, Policy]) -> tuple[Policy, tuple[Expectation, ...]]:
    """A policy as the command line names it, and what it expects."""
    name, equals, clients = text.partition("=")
    value: object = {name: clients.split(",")} if equals else name
    try:
        found = read_policy(value, Where(), known)
    except Slip as slip:
        raise UsageError(
            f"--policy {text}: {slip.what}", next_step=f"name one {slip.expected}"
        ) from None
    return known[name], found


def _offers(policies: Iterable[Policy]) -> tuple[Offer, ...]:
    return tuple(dict.fromkeys(offer for policy in policies for offer in policy.offers))


def _tried(
    setting: MeasureOptions,
    engine: Engine,
    data: RunData,
    wanted: Sequence[Scenario],
    found: Sequence[ServiceAnswer],
    policies: Sequence[Policy],
) -> tuple[TriedRemedy | None, RunData]:
    """A remedy of the services that fail, tried, and the run that it was tried in.

    None where nothing fails. The last of the scenarios wanted is the candidate.
    """
    candidate = wanted[-1]
    failing = [one for one in found if one.standing is Standing.FAILS]
    if not failing:
        return None, data
    failing = [one for one in failing if not one.only_rejected] or failing
    lines = _lines(data, candidate.id, failing, policies)
    if not lines:
        return TriedRemedy((), why_none=why_no_remedy(failing)), data
    labels = service_labels(data, candidate.id)
    services = {name for one in failing for name in (one.service, labels[one.service].entry)}
    tried = remedied(candidate, lines, services, REMEDIED)
    data = setting.measured(engine, [*wanted, tried], prior=data)
    freed = overrides(candidate.master_cf, services, parameters_of(lines))
    return TriedRemedy(lines, freed, tuple(found), answers(data, tried.id)), data


def _lines(
    data: RunData,
    scenario: str,
    failing: Sequence[ServiceAnswer],
    policies: Sequence[Policy],
) -> tuple[str, ...]:
    """The lines to try: of each policy, for how each failing service does TLS."""
    labels = service_labels(data, scenario)
    wanted = (
        line
        for policy in policies
        for one in failing
        if not one.only_rejected
        for level in labels[one.service].level.split(" or ")
        for line in policy.remedy(level)
    )
    return tuple(dict.fromkeys(wanted))


def exit_code_of(found: Sequence[ServiceAnswer]) -> int:
    """1 where a service does not meet the policies, 3 where that is not known of all."""
    match overall_standing(found):
        case Standing.FAILS:
            return ExitCode.DIFFERS
        case Standing.HOLDS:
            return ExitCode.OK
    return ExitCode.INFRASTRUCTURE
