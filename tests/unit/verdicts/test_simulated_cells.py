"""Simulated cells count for and against nothing: no client was there."""

from __future__ import annotations

from dataclasses import replace

from harness.observations.record import Observation, TlsView
from harness.observations.run_folder import RunData
from harness.outcomes import Outcome
from harness.scenarios.expectations import Expectation
from harness.verdicts.judging import ComparedCell, Standing, judge_expectation
from harness.verdicts.policy_answers import PolicyAnswer, judge_services
from harness.verdicts.verdict import Verdict, judge_run
from tests.unit.sample_verdicts import CLIENT, run_of
from tests.unit.verify_samples import DEAD, MODERN, candidate_run

SIMULATED = "hello-outlook-win7"
OPEN = {"TLSv1": "TLSv1", "TLSv1.2": "TLSv1.2"}
STRICT = OPEN | {"TLSv1": "refused protocol-version"}
#: As if a tool without the exclusion had recorded it: an old version that got through.
THROUGH = TlsView("TLSv1", "ECDHE-RSA-AES256-SHA", 256)


def simulate(cell: Observation, outcome: Outcome, view: TlsView | None) -> Observation:
    """The cell as that of a recorded hello."""
    return replace(
        cell, cell=cell.cell.replace(CLIENT, SIMULATED), client=SIMULATED, outcome=outcome,
        client_saw=view, server_saw=view, reason=None, stage=None,
    )  # fmt: skip


def with_simulated(data: RunData, outcome: Outcome, view: TlsView | None) -> RunData:
    """The run with a simulated cell beside each real cell that is not of the defaults."""
    axes = replace(data.run.axes, clients=(CLIENT, SIMULATED))
    more = [
        simulate(cell, *((outcome, view) if cell.scenario != "defaults" else (cell.outcome, view)))
        for cell in data.observations
    ]
    return RunData(data.folder, replace(data.run, axes=axes), (*data.observations, *more))


def test_no_expectation_rests_on_a_simulated_cell() -> None:
    """Protects expectations: whatever a simulated cell has, it neither confirms nor contradicts."""
    cell = run_of({"defaults": {"smtp": OPEN}}).observations[0]
    for outcome in (Outcome.WOULD_NEGOTIATE, Outcome.WOULD_BE_REFUSED, Outcome.ACCEPTED):
        shown = simulate(cell, outcome, THROUGH)
        compared = ComparedCell(shown.cell, "smtp", SIMULATED, "TLSv1", shown, shown)
        for expected in (Outcome.ACCEPTED, Outcome.REFUSED, outcome):
            judged = judge_expectation(Expectation(outcome=(expected,)), [compared])
            assert (judged.mismatches, judged.witnesses, judged.unmeasured) == ((), (), ())
            assert judged.silent == 1
            assert judged.standing is not Standing.HOLDS


def test_no_verdict_rests_on_a_simulated_cell() -> None:
    """Protects verdicts: neither a change nor a harm is seen in cells that no client had."""
    expect = [Expectation(outcome=(Outcome.ACCEPTED, Outcome.REFUSED))]
    real = run_of({"defaults": {"smtp": OPEN}, "advice": {"smtp": STRICT}}, expect)
    (without,) = judge_run(real)
    assert without.verdict is Verdict.CONFIRMED
    results = ((Outcome.WOULD_BE_REFUSED, None), (Outcome.PLAINTEXT, None), (Outcome.ERROR, None))
    for outcome, view in results:
        (judged,) = judge_run(with_simulated(real, outcome, view))
        assert judged.verdict is without.verdict
        for build, build_without in zip(judged.builds, without.builds, strict=True):
            assert build.changed == build_without.changed
            assert build.regressions == build_without.regressions
            assert build.why == build_without.why


def test_no_policy_rests_on_a_simulated_cell() -> None:
    """Protects ``verify``: a simulated client is no proof that a service is open, or is strict."""
    data = candidate_run({"smtp": MODERN})
    for outcome in (Outcome.WOULD_NEGOTIATE, Outcome.ACCEPTED, Outcome.ERROR, Outcome.NOT_OFFERED):
        (service,) = judge_services(with_simulated(data, outcome, THROUGH), "candidate")
        assert service.builds["debian-12"].answer is PolicyAnswer.YES
    dead = with_simulated(candidate_run({"smtp": DEAD}), Outcome.WOULD_NEGOTIATE, THROUGH)
    (service,) = judge_services(dead, "candidate")
    assert service.builds["debian-12"].answer is PolicyAnswer.CONFIG_REJECTED


def test_simulated_cells_alone_answer_no_policy() -> None:
    """Protects ``verify`` of recorded hellos alone: nothing was measured."""
    both = with_simulated(candidate_run({"smtp": MODERN}), Outcome.WOULD_NEGOTIATE, THROUGH)
    simulated = tuple(cell for cell in both.observations if cell.is_simulated)
    axes = replace(both.run.axes, clients=(SIMULATED,))
    alone = RunData(both.folder, replace(both.run, axes=axes), simulated)
    assert judge_services(alone, "candidate") == ()
