"""The cells that a test measured as a run, so that the judging of a run folder applies to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.catalog.cells import Cell
from harness.catalog.plan import Plan
from harness.errors import UsageError
from harness.observations.run_folder import (
    Axes,
    ImageInfo,
    Missing,
    RunData,
    RunRecord,
    ScenarioInfo,
)
from harness.pytest_plugin.engine_requests import BuildFacts, CellAnswer
from harness.run.choosing import Selection
from harness.run.planning import make_plan
from harness.scenarios.claims import Claims
from harness.scenarios.expectations import Expectation, ExpectationError, Where, where_data
from harness.scenarios.policies import Policy, load_policies, read_policy
from harness.scenarios.scenario import Scenario
from harness.tls import Offer


def claim_policies(candidate: Scenario, names: Sequence[str]) -> Scenario:
    """A candidate that claims to meet policies.

    Raises:
        UsageError: no name is given, there is no such policy, or it needs a list of clients.
    """
    if not names:
        raise UsageError(
            "no policy is named", next_step="name one, such as must_meet('tls12-or-newer')"
        )
    known = load_policies()
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
) -> Plan:
    """The plan of a candidate on one build, selected as ``postfix-matrix run`` selects.

    Raises:
        UsageError: a glob matches nothing.
        NothingSelectedError: no cell is left.
    """
    selection = Selection(services=tuple(services), clients=tuple(clients), offers=tuple(offers))
    return make_plan(selection, {candidate.id: candidate}, [build])


def make_run_data(
    folder: Path,
    plan: Plan,
    candidate: Scenario,
    facts: BuildFacts,
    answers: Iterable[CellAnswer],
) -> RunData:
    """The run that has a candidate's cells on a build, as a run folder would give it."""
    answers = tuple(answers)
    axes = Axes(
        builds=plan.builds,
        scenarios=plan.scenarios,
        services=tuple(map(str, plan.services)),
        clients=plan.clients,
        offers=tuple(map(str, plan.offers)),
        unpinned=tuple(name for name in plan.clients if name in plan.unpinned),
    )
    claims = candidate.claims
    info = ScenarioInfo(
        title=candidate.title,
        source=candidate.source,
        claim=candidate.claim,
        main_cf=candidate.main_cf,
        master_cf=candidate.master_cf,
        against=claims.against,
        applies=where_data(claims.applies),
        expect=tuple(expectation.to_data() for expectation in claims.expectations),
    )
    image = ImageInfo("build", postfix=facts.postfix, openssl=facts.openssl)
    record = RunRecord(
        id=folder.name,
        started="",
        axes=axes,
        scenarios={candidate.id: info},
        images={facts.build: image},
        missing=tuple(_list_missing(answers)),
    )
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
