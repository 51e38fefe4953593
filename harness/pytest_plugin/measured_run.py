"""The cells that a test measured as a run, so that the judging of a run folder applies to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.catalog.cells import Cell
from harness.catalog.clients import Client
from harness.catalog.plan import Plan
from harness.errors import UsageError
from harness.observations.record_reading import read_record
from harness.observations.run_folder import RunData
from harness.observations.run_json import Missing
from harness.observations.run_record import RunOpening
from harness.pytest_plugin.engine_requests import BuildFacts, CellAnswer
from harness.run.choosing import Selection
from harness.run.planning import make_plan
from harness.scenarios.claims import Claims
from harness.scenarios.expectation_tables import ExpectationError
from harness.scenarios.expectations import Expectation, Where
from harness.scenarios.policies import Policy, load_policies, read_policy
from harness.scenarios.scenario import Scenario
from harness.tls import Offer


def claim_policies(candidate: Scenario, names: Sequence[str], file: Path | None = None) -> Scenario:
    """A candidate that claims to meet policies: the tool's, or those of the user's ``file``.

    Raises:
        UsageError: no name is given, there is no such policy, or it needs a list of clients.
        FileError: the user's file has an error.
    """
    if not names:
        raise UsageError(
            "no policy is named", next_step="name one, such as must_meet('tls12-or-newer')"
        )
    known = load_policies(file)
    return _claim_expectations(
        candidate, [(known.get(name), _read_policy(name, known)) for name in names]
    )


def claim_delivery(candidate: Scenario, clients: Sequence[str]) -> Scenario:
    """A candidate that claims that these clients, by globs, get their mail through."""
    known = load_policies()
    reference = {"delivers-from": list(clients)}
    return _claim_expectations(
        candidate, [(known["delivers-from"], _read_policy(reference, known))]
    )


def plan_candidate(
    candidate: Scenario,
    build: str,
    *,
    services: Sequence[str] = (),
    clients: Sequence[str] = (),
    offers: Sequence[str] = (),
    own_clients: Sequence[Client] = (),
) -> Plan:
    """The plan of a candidate on one build, selected as ``postfix-matrix run`` selects.

    ``own_clients`` come beside the catalog's where no client is named.

    Raises:
        UsageError: a glob matches nothing.
        NothingSelectedError: no cell is left.
    """
    selection = Selection(services=tuple(services), clients=tuple(clients), offers=tuple(offers))
    scenarios = {candidate.id: candidate}
    return make_plan(selection, scenarios, [build], own_clients, keeps_defaults=True)


def make_run_data(
    folder: Path,
    plan: Plan,
    candidate: Scenario,
    facts: BuildFacts,
    answers: Iterable[CellAnswer],
) -> RunData:
    """The run that has a candidate's cells on a build, as a run folder would give it."""
    answers = tuple(answers)
    opening = RunOpening(folder.name, (), plan, {candidate.id: candidate}, started="")
    versions = {"kind": "build", "postfix": facts.postfix, "openssl": facts.openssl}
    images = {facts.build: {**facts.image, **versions}}
    record = read_record(opening.record(images, _list_missing(answers)))
    observations = (answer.observation for answer in answers)
    return RunData(folder, record, tuple(each for each in observations if each is not None))


def _list_missing(answers: Iterable[CellAnswer]) -> Iterable[Missing]:
    """The clients that have a cell without an observation, each with the first reason."""
    whys: dict[str, str] = {}
    for answer in answers:
        if answer.observation is None:
            whys.setdefault(Cell.parse(answer.cell).client, answer.why)
    return (Missing(client, "client", why) for client, why in whys.items())


def _claim_expectations(
    candidate: Scenario, named: Sequence[tuple[Policy | None, tuple[Expectation, ...]]]
) -> Scenario:
    offers: dict[Offer, None] = {}
    for policy, _ in named:
        offers |= dict.fromkeys(policy.offers if policy else ())
    claims = Claims(
        services=candidate.claims.services,
        offers=tuple(offers),
        expectations=tuple(expected for _, expectations in named for expected in expectations),
    )
    return replace(candidate, claims=claims)


def _read_policy(reference: object, known: dict[str, Policy]) -> tuple[Expectation, ...]:
    try:
        return read_policy(reference, Where(), known)
    except ExpectationError as error:
        raise UsageError(f"{error.what}", next_step=f"name one {error.expected}") from None
