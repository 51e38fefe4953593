"""``postfix-matrix verify``: does this configuration meet a policy? Asked in one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import click

from harness.cli.axes import read_scenarios
from harness.cli.candidate import named_candidate, tell_reading
from harness.cli.candidate_options import CandidateOptions, candidate_options
from harness.cli.explain import service_option
from harness.cli.opening import terminable
from harness.cli.setting import Setting, setting_options
from harness.config.claims import Claims
from harness.config.expectations import Expectation, Slip, Where
from harness.config.logical import ended
from harness.config.maincf import parse_main_cf
from harness.config.policies import Policy, load_policies, read_policy
from harness.config.scenario import Scenario
from harness.errors import ExitCode, UsageError
from harness.observations.rundir import RunData
from harness.reports import verify_text
from harness.reports.closing import trouble
from harness.reports.explain_text import levels_of
from harness.tls import Offer, Service
from harness.verdicts.claims import Standing
from harness.verdicts.policy import ServiceAnswer, answers

#: What a remedied candidate is called in its run.
REMEDIED = "candidate-remedied"


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
@setting_options
def verify_command(
    names: tuple[str, ...],
    policies: tuple[str, ...],
    service: str | None,
    reading: CandidateOptions,
    setting: Setting,
) -> int:
    """Measure whether a configuration, or lines of one on standard input, meet a policy.

    It may be a folder such as /etc/postfix, a tar of it, main.cf and master.cf, what 'postconf -n'
    and 'postconf -M' print, commands of 'postconf -e', or a running container's (--container).

    The answer is a sentence a service, then a table, then what to change, tried. Exit code 1 where
    the policy is not met, 3 where that could not be measured.
    """
    known = load_policies(setting.scenarios_dir)
    named = [_named(text, known) for text in policies]
    expectations = tuple(one for _, found in named for one in found)
    scenarios = read_scenarios(setting.scenarios_dir)
    given = named_candidate(names, scenarios, service, options=reading)
    tell_reading(given)
    only = (Service(service),) if service and not setting.selection.services else ()
    claims = Claims(
        services=only or given.claims.services,
        clients=given.claims.clients,
        offers=_offers(policy for policy, _ in named),
        expectations=expectations,
    )
    candidate = replace(given, claims=claims)
    control = [scenarios[claims.against]] if claims.against in scenarios else []
    with setting.display() as display, terminable():
        data = setting.measured([*control, candidate], display)
        found = answers(data, candidate.id)
        _print(data, candidate.id, found)
        lines = _remedy(data, candidate.id, found, [policy for policy, _ in named])
        if lines:
            tried = _with(candidate, lines)
            data = setting.measured([*control, candidate, tried], display, prior=data)
            after = answers(data, tried.id)
        else:
            after = ()
    if any(answer.standing is Standing.FAILS for answer in found):
        click.echo("\n".join(["", *verify_text.remedy(lines, found, after)]))
    click.echo(f"\nThe run is in {data.folder}", err=True)
    if told := trouble(data):
        click.echo(told, err=True)
    return _exit_code(found)


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


def _remedy(
    data: RunData, scenario: str, found: Sequence[ServiceAnswer], policies: Sequence[Policy]
) -> tuple[str, ...]:
    """The lines to try: of each policy, for how each failing service does TLS."""
    levels = levels_of(data, scenario)
    failing = [a.service for a in found if a.standing is Standing.FAILS]
    wanted = (
        line
        for policy in policies
        for service in failing
        for level in levels.get(service, "").split(" or ")
        for line in policy.remedy(level)
    )
    return tuple(dict.fromkeys(wanted))


def _with(candidate: Scenario, lines: Sequence[str]) -> Scenario:
    """The candidate with the lines in place of those that set the same."""
    names = set(parse_main_cf("\n".join(lines)).values)
    kept = [s.text for s in parse_main_cf(candidate.main_cf).settings if s.name not in names]
    main = "".join(map(ended, kept)) + "".join(map(ended, lines))
    return replace(candidate, id=REMEDIED, title="the candidate with what to change", main_cf=main)


def _print(data: RunData, scenario: str, found: Sequence[ServiceAnswer]) -> None:
    lines = [*verify_text.sentences(data, scenario, found), "", *verify_text.table(found)]
    click.echo("\n".join(lines))


def _exit_code(found: Sequence[ServiceAnswer]) -> int:
    standings = {answer.standing for answer in found}
    if Standing.FAILS in standings:
        return ExitCode.DIFFERS
    return ExitCode.OK if standings == {Standing.HOLDS} else ExitCode.INFRASTRUCTURE
