"""Answers to policies: what counts as TLS, what shows nothing about it, and how it is reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.commands.verify import exit_code_of as exit_code_of_answers
from harness.cli.verdict_exit import exit_code_of
from harness.errors import ExitCode
from harness.observations.record import BEFORE_TLS, Observation, Stage
from harness.observations.run_folder import RunData
from harness.outcomes import Outcome
from harness.scenarios.expectations import Expectation
from harness.verdicts.judging import (
    AFTER_TLS,
    ComparedCell,
    Standing,
    judge_expectation,
    negotiated_protocol,
)
from harness.verdicts.policy_answers import (
    PolicyAnswer,
    ServiceAnswer,
    judge_services,
)
from harness.verdicts.verdict import judge_run
from tests.unit.sample_verdicts import observe, run_of
from tests.unit.verify_samples import (
    DEAD,
    MODERN,
    NO_TLS,
    candidate_run,
    expectations,
    refused_later,
)


def answered(data: RunData) -> dict[str, PolicyAnswer]:
    """The answer of each service of a run on its one build."""
    return {
        answer.service: answer.builds["debian-12"].answer
        for answer in judge_services(data, "candidate")
    }


def refusing(protocol: str | None, stage: Stage, reason: str, policy: str) -> PolicyAnswer:
    """The answer where every offer but an old one ends with this refusal."""
    data = candidate_run({"smtp": {"TLSv1.2": "TLSv1.2", "default": "TLSv1.2"}}, policy)
    observations = tuple(refused_later(cell, protocol, stage, reason) for cell in data.observations)
    return answered(replace(data, observations=observations))["smtp"]


@pytest.mark.parametrize(
    ("cells", "answer"),
    [
        (MODERN, PolicyAnswer.YES),
        (MODERN | {"TLSv1": "TLSv1"}, PolicyAnswer.NO),
        (MODERN | {"TLSv1.2": "refused protocol-version"}, PolicyAnswer.NO),
        (NO_TLS, PolicyAnswer.NONE),
        (NO_TLS | {"default": "timeout"}, PolicyAnswer.NONE),
        (dict.fromkeys(MODERN, "refused tls-disabled-no-certificate"), PolicyAnswer.NONE),
        (dict.fromkeys(MODERN, "refused tls-not-available"), PolicyAnswer.NONE),
        (NO_TLS | {"TLSv1": "refused protocol-version"}, PolicyAnswer.NO),
        (DEAD, PolicyAnswer.CONFIG_REJECTED),
        (DEAD | {"default": "timeout"}, PolicyAnswer.CONFIG_REJECTED),
        (MODERN | {"TLSv1.2": "timeout"}, PolicyAnswer.UNMEASURED),
        (MODERN | {"TLSv1.2": "error"}, PolicyAnswer.UNMEASURED),
        (MODERN | {"TLSv1.2": ""}, PolicyAnswer.UNMEASURED),
    ],
)
def test_each_kind_of_service_has_its_own_word(cells: dict[str, str], answer: PolicyAnswer) -> None:
    """Protects the column of answers: no TLS and no Postfix are distinguished from old TLS."""
    assert answered(candidate_run({"smtp": cells})) == {"smtp": answer}


@pytest.mark.parametrize("stage", [Stage.AUTH, Stage.MAIL, Stage.RCPT, Stage.DATA])
def test_a_version_that_was_negotiated_counts_whatever_came_later(stage: Stage) -> None:
    """Protects from "yes" by accident: TLSv1, then a refused recipient, counted as meeting it."""
    assert refusing("TLSv1", stage, "access-denied", "tls12-or-newer") is PolicyAnswer.NO


@pytest.mark.parametrize("stage", [Stage.AUTH, Stage.MAIL, Stage.RCPT, Stage.DATA])
def test_a_refusal_that_is_not_about_tls_is_never_no(stage: Stage) -> None:
    """Protects from "no" for a table or a login that is not here: it is not measured."""
    assert refusing("TLSv1.2", stage, "access-denied", "tls12-or-newer") is PolicyAnswer.UNMEASURED


def test_a_server_that_no_client_reached_meets_nothing() -> None:
    """Protects from "yes, nothing old was negotiated" where nothing was asked."""
    for stage in BEFORE_TLS:
        assert refusing(None, stage, "closed", "tls12-or-newer") is PolicyAnswer.UNMEASURED
        assert refusing(None, stage, "closed", "no-plaintext") is PolicyAnswer.UNMEASURED


@pytest.mark.parametrize(
    ("stage", "reason", "standing"),
    [
        (Stage.MAIL, "must-starttls", Standing.HOLDS),
        (Stage.AUTH, "auth-required-tls", Standing.HOLDS),
        (Stage.AUTH, "unrecognised", Standing.HOLDS),
        (Stage.AUTH, "auth-failed", Standing.UNMEASURED),
        (Stage.RCPT, "access-denied", Standing.UNMEASURED),
    ],
)
def test_doing_without_tls_is_refused_for_its_own_sake_only(
    stage: Stage, reason: str, standing: Standing
) -> None:
    """Protects no-plaintext-auth: a login that was taken and failed is no "no login"."""
    (expectation, *_) = expectations("no-plaintext-auth")
    observation = refused_later(
        observe("debian-12", "candidate", "submission", "plaintext", "plaintext"),
        None,
        stage,
        reason,
    )
    place = ComparedCell(
        observation.cell,
        observation.service,
        observation.client,
        observation.offer,
        observation,
        None,
    )
    assert judge_expectation(expectation, [place]).standing is standing


def test_a_scenario_s_own_claim_is_taken_at_its_word() -> None:
    """Protects verdicts: advice that promises delivery is refuted by a refused recipient."""
    observation = refused_later(
        observe("debian-12", "advice", "smtp", "TLSv1.2", "TLSv1.2"),
        "TLSv1.2",
        Stage.RCPT,
        "access-denied",
    )
    place = ComparedCell(
        observation.cell,
        observation.service,
        observation.client,
        observation.offer,
        observation,
        None,
    )
    claim = Expectation(outcome=(Outcome.ACCEPTED,))
    assert judge_expectation(claim, [place]).standing is Standing.FAILS
    (_, policy) = expectations("tls12-or-newer")
    assert judge_expectation(policy, [place]).standing is Standing.UNMEASURED


def test_what_was_negotiated_before_a_timeout_counts_against_only() -> None:
    """Protects both ways: TLSv1 is no less negotiated for it, and TLSv1.2 proves no delivery."""
    (newer, _) = expectations("tls12-or-newer")
    for protocol, standing in (("TLSv1", Standing.FAILS), ("TLSv1.2", Standing.UNMEASURED)):
        cell = observe("debian-12", "candidate", "smtp", "default", "timeout")
        observation = replace(
            refused_later(cell, protocol, Stage.DATA, ""), outcome=Outcome.TIMEOUT
        )
        place = ComparedCell(
            observation.cell,
            observation.service,
            observation.client,
            observation.offer,
            observation,
            None,
        )
        assert judge_expectation(newer, [place]).standing is standing


def cells() -> st.SearchStrategy[Observation]:
    """Any cell of a service, as far as a policy looks at it."""

    def cell(outcome: Outcome, stage: Stage | None, protocol: str | None, reason: str):  # type: ignore[no-untyped-def]
        observation = observe("debian-12", "candidate", "smtp", "TLSv1.2", "TLSv1.2")
        return replace(
            refused_later(observation, protocol, stage or Stage.QUIT, reason), outcome=outcome
        )

    reasons = st.sampled_from(["must-starttls", "auth-failed", "access-denied", "closed"])
    protocols = st.sampled_from([None, "TLSv1", "TLSv1.2", "TLSv1.3"])
    return st.builds(cell, st.sampled_from(Outcome), st.sampled_from(Stage), protocols, reasons)


@given(cells())
def test_old_tls_is_never_told_as_met_and_new_tls_never_as_old(observation: Observation) -> None:
    """Protects the policy's heart, for every outcome, stage, reason and protocol."""
    newer, _ = expectations("tls12-or-newer")
    place = ComparedCell(
        observation.cell,
        observation.service,
        observation.client,
        observation.offer,
        observation,
        None,
    )
    judged = judge_expectation(newer, [place])
    version = negotiated_protocol(observation)
    if version == "TLSv1":
        assert judged.standing is Standing.FAILS
    else:
        assert not judged.mismatches
    if observation.stage in AFTER_TLS | BEFORE_TLS and version is None:
        assert judged.standing is not Standing.HOLDS or observation.reason == "must-starttls"


@given(cells())
def test_a_message_that_was_not_queued_never_gets_through(observation: Observation) -> None:
    """Protects "gets through": only an accepted cell bears it out."""
    _, through = expectations("tls12-or-newer")
    place = ComparedCell(
        observation.cell,
        observation.service,
        observation.client,
        observation.offer,
        observation,
        None,
    )
    judged = judge_expectation(through, [place])
    assert (judged.standing is Standing.HOLDS) == (observation.outcome is Outcome.ACCEPTED)


@pytest.mark.parametrize(
    ("cells", "code"),
    [(MODERN, 0), (NO_TLS, 1), (DEAD, 1), (MODERN | {"TLSv1": "TLSv1"}, 1),
     (MODERN | {"TLSv1.2": "timeout"}, 3)],
)  # fmt: skip
def test_exit_codes_say_what_the_answer_says(cells: dict[str, str], code: int) -> None:
    """Protects scripts: no TLS is not met, trouble is not measured, and one "no" is enough."""
    data = candidate_run({"smtp": cells})
    assert exit_code_of_answers(judge_services(data, "candidate")) == code
    both = candidate_run({"smtp": cells, "submission": MODERN | {"TLSv1": "TLSv1"}})
    assert exit_code_of_answers(judge_services(both, "candidate")) == 1
    assert exit_code_of_answers([]) == ExitCode.INFRASTRUCTURE


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"TLSv1": "TLSv1 ECDHE-RSA-AES128-SHA"}, 1),
        ({"TLSv1": "TLSv1"}, 0),
        ({"TLSv1": "refused protocol-version"}, 0),
        ({"TLSv1": "timeout"}, 3),
    ],
)
def test_verdicts_become_exit_codes_when_asked(cells: dict[str, str], code: int) -> None:
    """Protects CI: refuted is 1, unmeasured 3; what holds, or has no effect, 0."""
    data = run_of(
        {"defaults": {"smtp": {"TLSv1": "TLSv1"}}, "advice": {"smtp": cells}},
        [Expectation(outcome=(Outcome.REFUSED,))],
        folder=Path("/nowhere"),
    )
    assert exit_code_of(judge_run(data)) == code


def test_a_service_without_answers_is_no_yes() -> None:
    """Protects from an empty "yes": of nothing nothing is known."""
    assert ServiceAnswer("smtp", {}).standing is Standing.UNMEASURED
