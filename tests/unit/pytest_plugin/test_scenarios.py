"""Scenario folders as tests: which cells they need, and what their cells show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.catalog.versions import Constraint
from harness.observations.record import Observation, Outcome
from harness.paths import scenarios_dir
from harness.pytest_plugin.engine_requests import BuildFacts, CellAnswer, ScenarioRecord
from harness.pytest_plugin.scenario_judging import judge_record
from harness.pytest_plugin.scenario_plan import SelectedExpectation, plan_selected
from harness.scenarios.expectations import Effect, Expectation, Where
from harness.scenarios.scenario import load_scenario
from harness.verdicts.judging import Standing
from tests.unit.sample_verdicts import CLIENT, observe

BUILD = "debian-12"
SHIPPED = load_scenario(scenarios_dir() / "answer-1-protocols")
BASELINE = load_scenario(scenarios_dir() / "defaults")
REFUSED = Expectation(where=(Where(offers=("TLSv1",)),), outcome=(Outcome.REFUSED,))


def record(
    results: Mapping[str, str],
    baselines: Mapping[str, str] | None = None,
    *,
    check: str = "",
    folder: Path = Path("/nowhere"),
) -> ScenarioRecord:
    """What was measured of the shipped scenario on smtp, by offer."""
    answers = []
    for offer, result in results.items():
        observation = observe(BUILD, SHIPPED.id, "smtp", offer, result)
        measured: Observation | None = None if result == "refused unmeasured" else observation
        answers.append(CellAnswer(observation.cell, measured, "" if measured else "no image"))
    before = {
        f"smtp/{CLIENT}/{offer}": observe(BUILD, "defaults", "smtp", offer, result)
        for offer, result in (baselines or {}).items()
    }
    facts = BuildFacts(BUILD, "3.7.11", "3.0.22")
    return ScenarioRecord(facts, tuple(answers), before, check, folder)


def test_only_the_cells_of_selected_expectations_are_planned() -> None:
    """Protects `-k`: what no selected test needs is not measured."""
    expectations = {e.text: e for e in SHIPPED.claims.expectations}
    expectation = expectations["a client that offers TLSv1 alone is refused"]
    selected = [SelectedExpectation(SHIPPED.id, "debian-12", expectation)]
    plan = plan_selected(selected, {SHIPPED.id: SHIPPED})
    cells = list(plan.cells())
    assert cells
    assert {str(cell.offer) for cell in cells} == {"TLSv1"}
    assert {cell.build for cell in cells} == {"debian-12"}
    every = [
        SelectedExpectation(SHIPPED.id, build, each)
        for build in ("debian-12", "debian-13")
        for each in expectations.values()
    ]
    assert len(plan_selected(every, {SHIPPED.id: SHIPPED})) > 2 * len(cells)


def test_an_effect_needs_the_baseline() -> None:
    """Protects expectations of an effect: both configurations are measured, in the same cells."""
    expectation = Expectation(where=(Where(offers=("TLSv1",)),), effect=Effect.SOME)
    claims = replace(SHIPPED.claims, expectations=(expectation,))
    scenario = replace(SHIPPED, claims=claims)
    selected = [SelectedExpectation(scenario.id, BUILD, expectation)]
    plan = plan_selected(selected, {BASELINE.id: BASELINE, scenario.id: scenario})
    places = {
        name: {replace(cell, scenario="") for cell in plan.cells() if cell.scenario == name}
        for name in (scenario.id, BASELINE.id)
    }
    assert places[scenario.id] == places[BASELINE.id] != set()
    assert judge_record(
        expectation, scenario, record({"TLSv1": "refused protocol-version"}, {"TLSv1": "TLSv1"})
    ).standing is Standing.HOLDS  # fmt: skip
    unknown = judge_record(expectation, scenario, record({"TLSv1": "refused protocol-version"}))
    assert unknown.standing is Standing.UNMEASURED


def test_clients_that_cannot_be_pinned_have_no_pinned_cells() -> None:
    """Protects the narrowed plan: it has no cell that the whole one has not."""
    claims = replace(SHIPPED.claims, clients=("mono-smtpclient", "openssl-3.5.7"))
    scenario = replace(SHIPPED, claims=claims)
    every = [SelectedExpectation(scenario.id, BUILD, each) for each in claims.expectations]
    plan = plan_selected(every, {scenario.id: scenario})
    offers = {str(cell.offer) for cell in plan.cells() if cell.client == "mono-smtpclient"}
    assert offers <= {"default"}


def test_a_mismatch_fails_and_says_where(tmp_path: Path) -> None:
    """Protects the failure's story: cell, claim, place in the file, command."""
    result = judge_record(REFUSED, SHIPPED, record({"TLSv1": "TLSv1"}, folder=tmp_path))
    assert result.standing is Standing.FAILS
    first, claim, place, *_ = result.text.splitlines()
    assert first == f"{CLIENT} TLSv1 → smtp on {BUILD}: accepted, not refused"
    assert claim == f"claim: {SHIPPED.claim}"
    assert "answer-1-protocols/scenario.toml" in place
    cell = f"{BUILD}/{SHIPPED.id}/smtp/{CLIENT}/TLSv1"
    assert f"postfix-matrix show --run {tmp_path} {cell}" in result.text


@pytest.mark.parametrize("result", ["timeout", "error", "client-incapable", "refused unmeasured"])
def test_what_was_not_measured_never_passes(result: str) -> None:
    """Protects against a pass without a measurement."""
    judged = judge_record(REFUSED, SHIPPED, record({"TLSv1": result}))
    assert judged.standing is Standing.UNMEASURED
    assert judged.is_applicable
    assert judged.text.startswith("not measured: ")


def test_no_planned_cell_is_no_pass() -> None:
    """Protects expectations whose selectors fit no cell."""
    assert judge_record(REFUSED, SHIPPED, record({})).standing is Standing.UNMEASURED


def test_an_expectation_for_other_versions_is_not_applicable() -> None:
    """Protects advice with limits: it is skipped where it is about something else."""
    where = Where(postfix=Constraint.parse(">=3.8"))
    limited = replace(REFUSED, where=(where, *REFUSED.where))
    judged = judge_record(limited, SHIPPED, record({"TLSv1": "TLSv1"}))
    assert not judged.is_applicable
    assert ">=3.8" in judged.text
    scenario = replace(SHIPPED, claims=replace(SHIPPED.claims, applies=where))
    assert not judge_record(REFUSED, scenario, record({"TLSv1": "TLSv1"})).is_applicable


def test_a_parameter_that_this_release_does_not_know_is_no_mismatch() -> None:
    """Protects old builds; a name that no release knows is an error of the advice."""
    check = "warning: /etc/postfix/main.cf: unused parameter: smtpd_tls_protocols=TLSv1.2"
    judged = judge_record(REFUSED, SHIPPED, record({"TLSv1": "TLSv1"}, check=check))
    assert not judged.is_applicable
    assert "does not know smtpd_tls_protocols" in judged.text
    scenario = replace(SHIPPED, main_cf="smtpd_tls_protocol = TLSv1.2\n")
    misspelt = check.replace("protocols", "protocol")
    judged = judge_record(REFUSED, scenario, record({"TLSv1": "TLSv1"}, check=misspelt))
    assert judged.standing is Standing.FAILS
    assert judged.is_applicable
