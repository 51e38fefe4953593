"""What facts and checks make of cells: values, failures with the story, or NotMeasured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.observations.record import Outcome, Stage
from harness.pytest_plugin.behaviour_check import check_same_behaviour
from harness.pytest_plugin.cell_result import CellResult
from harness.pytest_plugin.engine_requests import BuildFacts, CellAnswer
from harness.pytest_plugin.measured_run import (
    claim_delivery,
    claim_policies,
    make_run_data,
    plan_candidate,
)
from harness.pytest_plugin.not_measured import NotMeasured
from harness.pytest_plugin.policy_check import check_claims
from harness.pytest_plugin.protocol_facts import accepted_protocols
from harness.scenarios.scenario import Scenario
from tests.unit.sample_verdicts import observe

BUILD, NAME = "debian-12", "test-a-0123"
FACTS = BuildFacts(BUILD, "3.7.11", "3.0.22")
CANDIDATE = Scenario(NAME, "test_a", "a test", "", main_cf="smtpd_tls_protocols = TLSv1.2\n")
VERSIONS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


def answer(offer: str, result: str, service: str = "smtp", client: str = "") -> CellAnswer:
    """A cell's answer, with a result as ``observe`` reads it."""
    observation = observe(BUILD, NAME, service, offer, result)
    if observation.outcome is Outcome.REFUSED:
        observation = replace(observation, stage=Stage.HANDSHAKE, control="control-x/…")
    if client:
        cell = f"{BUILD}/{NAME}/{service}/{client}/{offer}"
        observation = replace(observation, client=client, cell=cell)
    return CellAnswer(observation.cell, observation)


def versions(results: Mapping[str, str]) -> list[CellAnswer]:
    """An answer for each version; those without a result are refused."""
    return [answer(name, results.get(name, "refused protocol-version")) for name in VERSIONS]


def test_protocols_are_those_that_were_negotiated() -> None:
    """Protects the plainest fact."""
    found = accepted_protocols(versions({"TLSv1.2": "TLSv1.2", "TLSv1.3": "TLSv1.3"}))
    assert found == {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize("result", ["timeout", "error", "client-incapable"])
def test_an_unmeasured_version_is_not_left_out(result: str) -> None:
    """Protects `==` and `<=`: a set without a version that was not measured would be a lie."""
    with pytest.raises(NotMeasured, match=r"TLSv1\.1"):
        accepted_protocols(versions({"TLSv1.1": result, "TLSv1.2": "TLSv1.2"}))


def test_a_second_client_may_show_what_the_first_cannot() -> None:
    """Protects versions of which one client has no cipher that the server takes."""
    answers = versions({"TLSv1.2": "client-incapable"})
    with pytest.raises(NotMeasured):
        accepted_protocols(answers)
    assert accepted_protocols([*answers, answer("TLSv1.2", "TLSv1.2")]) == {"TLSv1.2"}


def test_a_refusal_without_proof_shows_nothing() -> None:
    """Protects against a client that refuses by itself: no control shows that it can."""
    answers = versions({})
    observation = answers[0].observation
    assert observation is not None
    answers[0] = CellAnswer(answers[0].cell, replace(observation, control=None))
    with pytest.raises(NotMeasured, match="SSLv2"):
        accepted_protocols(answers)


@pytest.mark.parametrize("result", ["timeout", "error", "client-incapable"])
def test_no_comparison_swallows_what_is_unknown(result: str, tmp_path: Path) -> None:
    """Protects `!=`, `not in` and `or`: each property raises in place of a value."""
    shown = CellResult.of(answer("TLSv1", result), tmp_path)
    for name in ("outcome", "reason", "stage", "protocol", "cipher", "group"):
        with pytest.raises(NotMeasured, match="shows nothing"):
            getattr(shown, name)
    assert result in repr(shown)
    with pytest.raises(NotMeasured, match="no image"):
        CellResult.of(CellAnswer("a/b/smtp/c/TLSv1", None, "no image"), tmp_path)


def test_values_are_plain(tmp_path: Path) -> None:
    """Protects pytest's diffs: 'refused', and no member of an enumeration."""
    refused = CellResult.of(answer("TLSv1", "refused protocol-version"), tmp_path)
    assert [type(refused.outcome), refused.outcome] == [str, "refused"]
    assert (refused.reason, refused.stage) == ("protocol-version", "handshake")
    accepted = CellResult.of(answer("TLSv1.2", "TLSv1.2 AES128-SHA"), tmp_path)
    assert (accepted.outcome, accepted.protocol, accepted.cipher) == (
        "accepted", "TLSv1.2", "AES128-SHA",
    )  # fmt: skip
    assert "postfix-matrix show --run" in accepted.evidence


def check(candidate: Scenario, answers: Iterable[CellAnswer], folder: Path) -> None:
    """Judge what a candidate claims by these cells of openssl-3.5.7 on smtp."""
    plan = plan_candidate(candidate, BUILD, services=["smtp"], clients=["openssl-3.5.7"])
    data = make_run_data(folder, plan, candidate, FACTS, answers)
    check_claims(data, BUILD, candidate.id)


def test_a_policy_that_is_met_says_nothing(tmp_path: Path) -> None:
    """Protects the passing test."""
    candidate = claim_policies(CANDIDATE, ["tls12-or-newer"])
    results = {"TLSv1.2": "TLSv1.2", "TLSv1.3": "TLSv1.3"}
    check(candidate, [*versions(results), answer("default", "TLSv1.3")], tmp_path)


def test_a_failure_has_the_claim_each_cell_and_the_command(tmp_path: Path) -> None:
    """Protects the whole story of a failing check, and its first line, which summaries repeat."""
    candidate = claim_policies(CANDIDATE, ["tls12-or-newer"])
    results = {"TLSv1": "TLSv1", "TLSv1.1": "TLSv1.1", "TLSv1.2": "TLSv1.2"}
    with pytest.raises(AssertionError) as raised:
        check(candidate, [*versions(results), answer("default", "TLSv1.2")], tmp_path)
    first, *rest = str(raised.value).splitlines()
    assert first == (
        "smtp on debian-12: not tls12-or-newer: openssl-3.5.7 TLSv1: "
        "negotiated TLSv1, not TLSv1.2 or TLSv1.3 (and 1 more cell)"
    )
    text = "\n".join(rest)
    assert "nothing older than TLSv1.2 is negotiated" in text
    assert text.count("→ smtp on debian-12: negotiated") == 2
    assert f"postfix-matrix show --run {tmp_path} {BUILD}/{NAME}/smtp/openssl-3.5.7/TLSv1.1" in text


def test_a_policy_is_not_met_by_cells_that_are_unknown(tmp_path: Path) -> None:
    """Protects against a pass that was not measured."""
    candidate = claim_policies(CANDIDATE, ["tls12-or-newer"])
    answers = [*versions({"TLSv1": "timeout", "TLSv1.2": "TLSv1.2"}), answer("default", "TLSv1.2")]
    with pytest.raises(NotMeasured, match="no answer in the cell's time"):
        check(candidate, answers, tmp_path)
    cell = f"{BUILD}/{NAME}/smtp/openssl-3.5.7/TLSv1"
    answers[2] = CellAnswer(cell, None, "its image does not build")
    with pytest.raises(NotMeasured, match="its image does not build"):
        check(candidate, answers, tmp_path)


def test_delivery_is_about_clients_as_they_come(tmp_path: Path) -> None:
    """Protects the check of clients: a refusal fails it, and plaintext does not."""
    candidate = claim_delivery(CANDIDATE, ["openssl-3.5.7"])
    check(candidate, [answer("default", "plaintext")], tmp_path)
    with pytest.raises(AssertionError, match="mail must get through"):
        check(candidate, [answer("default", "refused no-shared-cipher")], tmp_path)


def test_unknown_policies_are_refused() -> None:
    """Protects against a misspelt name; one that needs clients has a check of its own."""
    for names in ([], ["tls12"], ["delivers-from"]):
        with pytest.raises(UsageError):
            claim_policies(CANDIDATE, names)


def same(pairs: Mapping[str, tuple[str, str]], folder: Path) -> None:
    """Compare two servers by their results for each offer."""
    plan = plan_candidate(CANDIDATE, BUILD, services=["smtp"], clients=["openssl-3.5.7"])
    here = {offer: answer(offer, result) for offer, (result, _) in pairs.items()}
    there = {offer: answer(offer, result) for offer, (_, result) in pairs.items()}
    data = make_run_data(folder, plan, CANDIDATE, FACTS, here.values())
    check_same_behaviour(data, here, there, "the other")


def test_another_cipher_is_no_other_behaviour(tmp_path: Path) -> None:
    """Protects comparisons from a library's new order of ciphers."""
    same({"TLSv1.2": ("TLSv1.2 AES128-SHA", "TLSv1.2 AES256-SHA")}, tmp_path)


def test_differences_are_shown_with_both_results(tmp_path: Path) -> None:
    """Protects the comparison of two servers; a failure of the harness is no difference."""
    pairs = {"TLSv1": ("TLSv1", "refused protocol-version"), "TLSv1.1": ("error", "TLSv1.1")}
    with pytest.raises(AssertionError) as raised:
        same(pairs, tmp_path)
    text = str(raised.value)
    assert "here      accepted with TLSv1" in text
    assert "there     refused at handshake (protocol-version)" in text
    assert "TLSv1.1" not in text
    with pytest.raises(NotMeasured, match=r"TLSv1\.1"):
        same({"TLSv1.1": ("timeout", "TLSv1.1")}, tmp_path)


def test_an_unknown_on_both_sides_is_no_pass(tmp_path: Path) -> None:
    """Protects against two servers that are alike because neither was measured."""
    with pytest.raises(NotMeasured):
        same({"TLSv1.1": ("timeout", "timeout")}, tmp_path)
