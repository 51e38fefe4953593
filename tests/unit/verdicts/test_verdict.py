"""Verdicts: what the cells carry, and nothing that they do not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.observations.record import Observation, TlsView
from harness.observations.run_folder import RunData
from harness.outcomes import Outcome
from harness.reports.answer_text import render_answer
from harness.reports.verdicts_text import finding_lines, render_verdicts
from harness.scenarios.expectations import (
    Effect,
    Expectation,
    Where,
)
from harness.tls import Protocol
from harness.verdicts.judging import Standing
from harness.verdicts.regressions import RegressionKind
from harness.verdicts.since import describe_dependence
from harness.verdicts.verdict import SILENT, ScenarioVerdict, Verdict, judge_run, overall_verdict
from tests.unit.sample_verdicts import BUILDS, CLIENT, run_of

NEWER = tuple(protocol for protocol in Protocol if protocol.rank >= Protocol.TLSv1_2.rank)
OPEN = {"TLSv1": "TLSv1", "TLSv1.2": "TLSv1.2", "default": "TLSv1.3"}
STRICT = OPEN | {"TLSv1": "refused protocol-version"}
REFUSED = Expectation(where=(Where(offers=("TLSv1",)),), outcome=(Outcome.REFUSED,))
NO_OLD = Expectation(protocol=NEWER)


def verdict(data: RunData) -> ScenarioVerdict:
    """The one scenario's that expects anything."""
    (judged,) = judge_run(data)
    return judged


def advice(results: dict[str, str], *expect: Expectation, **more: object) -> ScenarioVerdict:
    """The verdict on advice with these results on 25, beside open defaults."""
    scenarios = {"defaults": {"smtp": OPEN}, "advice": {"smtp": results}}
    return verdict(run_of(scenarios, expect, **more))  # type: ignore[arg-type]


def test_a_promise_that_is_kept_is_confirmed() -> None:
    """Every cell is as promised, and it is the advice's doing."""
    judged = advice(STRICT, REFUSED, NO_OLD)
    assert judged.verdict is Verdict.CONFIRMED
    assert {build.verdict for build in judged.builds} == {Verdict.CONFIRMED}
    cell = f"debian-11/advice/smtp/{CLIENT}/TLSv1"
    assert judged.builds[0].changed == {cell: ("outcome", "reason", "protocol", "cipher")}


def test_all_mismatches_are_kept_not_just_the_first() -> None:
    """An expert looks at each cell that speaks against the advice."""
    result = advice({"TLSv1": "TLSv1", "TLSv1.2": "TLSv1.1", "default": "TLSv1.1"}, NO_OLD)
    (judged,) = result.builds[0].judged
    assert [m.cell.rpartition("/")[2] for m in judged.mismatches] == ["TLSv1", "TLSv1.2", "default"]
    assert judged.mismatches[0].what == "negotiated TLSv1, not TLSv1.2 or TLSv1.3"


def test_what_fails_and_changes_something_is_refuted() -> None:
    """TLSv1.1 goes, TLSv1 stays: it acts, and not as promised."""
    scenarios = {
        "defaults": {"smtp": OPEN | {"TLSv1.1": "TLSv1.1"}},
        "advice": {"smtp": OPEN | {"TLSv1.1": "refused protocol-version"}},
    }
    judged = verdict(run_of(scenarios, [REFUSED]))
    assert judged.verdict is Verdict.REFUTED
    assert judged.builds[0].why.endswith("/TLSv1: accepted, not refused")


@pytest.mark.parametrize(
    ("expectation", "claim", "text"),
    [(REFUSED, Standing.FAILS, "is not so"), (NO_OLD, Standing.FAILS, "is not so"),
     (Expectation(where=(Where(offers=("TLSv1.2",)),), outcome=(Outcome.ACCEPTED,)),
      Standing.HOLDS, "is so without it")],
)  # fmt: skip
def test_no_effect_is_said_whether_the_promise_holds_or_not(
    expectation: Expectation, claim: Standing, text: str
) -> None:
    """A promise that is so anyway is not the advice's doing."""
    judged = advice(OPEN, expectation)
    assert judged.verdict is Verdict.NO_EFFECT
    assert judged.builds[0].claim is claim
    assert text in judged.builds[0].why


def test_an_expected_effect_of_none_is_confirmed_by_none() -> None:
    """A claim that a line does nothing is right where it does nothing."""
    nothing, something = Expectation(effect=Effect.NONE), Expectation(effect=Effect.SOME)
    assert advice(OPEN, nothing).verdict is Verdict.CONFIRMED
    assert advice(STRICT, nothing).verdict is Verdict.REFUTED
    assert advice(STRICT, something).verdict is Verdict.CONFIRMED
    assert advice(OPEN, something).verdict is Verdict.NO_EFFECT


@pytest.mark.parametrize("gap", ["", "error driver", "timeout"])
def test_a_gap_gives_no_verdict_and_hides_none(gap: str) -> None:
    """Incomplete observations carry no confirmation; one true mismatch refutes all the same."""
    open_cell = advice(STRICT | {"TLSv1": gap}, REFUSED, NO_OLD)
    assert open_cell.verdict is Verdict.UNMEASURED
    assert open_cell.builds[0].claim is Standing.UNMEASURED
    wrong = advice({"TLSv1": gap, "TLSv1.2": "TLSv1.1", "default": "TLSv1.3"}, NO_OLD)
    assert wrong.builds[0].claim is Standing.FAILS


def test_a_disagreement_gives_no_verdict() -> None:
    """What client and server report differently proves nothing."""
    data = run_of({"defaults": {"smtp": OPEN}, "advice": {"smtp": STRICT}}, [NO_OLD])
    changed = tuple(
        replace(cell, agree=False)
        if cell.scenario == "advice" and cell.offer == "default"
        else cell
        for cell in data.observations
    )
    assert verdict(replace(data, observations=changed)).verdict is Verdict.UNMEASURED


def test_a_client_that_cannot_says_nothing() -> None:
    """A client without TLSv1 is no proof that TLSv1 is refused."""
    judged = advice(STRICT | {"TLSv1": "client-incapable"}, REFUSED)
    assert judged.builds[0].claim is Standing.UNMEASURED
    assert judged.builds[0].judged[0].silent == 1


def test_weaker_than_without_it_is_harmful() -> None:
    """Naming TLSv1.2 alone takes TLSv1.3 away, which was not requested."""
    judged = advice(STRICT | {"default": "TLSv1.2"}, REFUSED)
    assert judged.verdict is Verdict.HARMFUL
    (regression,) = judged.builds[0].regressions
    assert (regression.kind, regression.what) == (
        RegressionKind.WEAKER,
        "TLSv1.2; without it TLSv1.3",
    )


@pytest.mark.parametrize(
    ("result", "kind"),
    [("plaintext", RegressionKind.WEAKER), ("TLSv1.3 AES256-SHA", RegressionKind.WEAKER),
     ("not-offered", RegressionKind.LESS_DELIVERABLE),
     ("config-rejected", RegressionKind.LESS_DELIVERABLE),
     ("refused no-shared-cipher", RegressionKind.LESS_DELIVERABLE)],
)  # fmt: skip
def test_each_way_to_be_worse_is_named(result: str, kind: RegressionKind) -> None:
    """Plaintext, no forward secrecy, and mail that does not come through any more."""
    (regression,) = advice(STRICT | {"default": result}, REFUSED).builds[0].regressions
    assert regression.kind is kind


def test_what_the_advice_asks_for_is_no_harm() -> None:
    """Turning old clients away is the point of hardening, not its damage."""
    scenarios = {
        "defaults": {"smtp": {"default": "TLSv1", "TLSv1.2": "TLSv1.2"}},
        "advice": {"smtp": {"default": "refused protocol-version", "TLSv1.2": "TLSv1.2"}},
    }
    assert verdict(run_of(scenarios, [NO_OLD])).verdict is Verdict.CONFIRMED
    assert verdict(run_of(scenarios, [REFUSED])).verdict is Verdict.HARMFUL


def test_builds_that_differ_make_it_depend_with_the_border() -> None:
    """The user's version decides, and the answer names it."""
    other = {"debian-11": {"advice": {"smtp": {"TLSv1": "TLSv1"}}}}
    judged = advice(STRICT, REFUSED, NO_OLD, only=other)
    assert judged.verdict is Verdict.DEPENDS
    text = "\n".join(describe_dependence(judged))
    assert "confirmed for Postfix ≥ 3.7.11, no-effect before" in text
    assert "do not tell these apart" in text


def test_advice_for_other_versions_does_not_apply() -> None:
    """Nobody is refuted on what he did not speak of."""
    judged = advice(STRICT, REFUSED, applies={"postfix": ">=3.6"})
    assert [build.verdict for build in judged.builds] == [
        Verdict.NOT_APPLICABLE,
        Verdict.CONFIRMED,
        Verdict.CONFIRMED,
    ]
    assert judged.verdict is Verdict.CONFIRMED


def test_a_parameter_that_only_some_builds_know_is_their_lack(tmp_path: Path) -> None:
    """A name from a later release is not wrong, it is late; one that no release knows is wrong."""
    data = run_of(
        {"defaults": {"smtp": OPEN}, "advice": {"smtp": OPEN | {"TLSv1.2": "TLSv1.2 ECDHE-X"}}},
        [REFUSED],
        texts={"advice": "tls_config_file = /x\nsmtpd_tls_prtocols = x\n"},
        folder=tmp_path,
    )
    for build in BUILDS:
        late = "unused parameter: tls_config_file=/x\n" if build == "debian-11" else ""
        path = tmp_path / f"instances/{build}/advice.json"
        path.parent.mkdir(parents=True)
        text = f"{late}postconf: warning: unused parameter: smtpd_tls_prtocols=x"
        path.write_text(json.dumps({"check": text}))
    old, new, _ = verdict(data).builds
    assert (old.verdict, new.verdict) == (Verdict.NOT_APPLICABLE, Verdict.REFUTED)
    assert old.why == "this Postfix does not know tls_config_file"


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_what_says_nothing_makes_no_difference(verdicts: list[Verdict]) -> None:
    """Builds that are missing, or not meant, never turn a verdict into "depends"."""
    overall = overall_verdict([*verdicts, Verdict.UNMEASURED])
    assert overall is overall_verdict([*verdicts, Verdict.UNMEASURED, Verdict.NOT_APPLICABLE])
    telling = set(verdicts) - SILENT
    assert (overall is Verdict.DEPENDS) == (len(telling) > 1 or Verdict.DEPENDS in telling)


RESULTS = st.sampled_from(
    ["", "TLSv1", "TLSv1.2", "TLSv1.3", "refused protocol-version", "client-incapable", "timeout",
     "error driver", "plaintext", "not-offered", "config-rejected"]
)  # fmt: skip


@given(st.fixed_dictionaries(dict.fromkeys(OPEN, RESULTS)))
def test_no_verdict_contradicts_a_cell(results: dict[str, str]) -> None:
    """Whatever is measured: confirmed means that no cell speaks against it and none is missing."""
    (build, *_) = advice(results, REFUSED, NO_OLD).builds
    speaking_against = results["TLSv1"] not in ("", "refused protocol-version", "client-incapable",
                                                "timeout", "error driver")  # fmt: skip
    if speaking_against:
        assert build.claim is Standing.FAILS
    if build.verdict is Verdict.CONFIRMED:
        assert results["TLSv1"] == "refused protocol-version"
        assert not {"", "timeout", "error driver"} & set(results.values())
    if "" in results.values():
        assert build.changed is None


def test_the_reports_name_the_cells_they_rest_on() -> None:
    """The log line can be found from the verdict: every report has a cell's id."""
    data = run_of(
        {"defaults": {"smtp": OPEN}, "advice": {"smtp": STRICT | {"default": "TLSv1.2"}}},
        [REFUSED],
        texts={"advice": "smtpd_tls_protocols = TLSv1.2\n"},
    )
    judged = verdict(data)
    cell = f"debian-11/advice/smtp/{CLIENT}/default"
    assert any(cell in line for line in finding_lines(data, judged))
    assert "| advice | **harmful** | harmful | harmful | harmful |" in render_verdicts(
        data, [judged]
    )
    answer = render_answer(data, judged)
    assert "smtpd_tls_protocols = TLSv1.2" in answer
    assert "postfix-matrix run -s advice -b debian-11,debian-12,debian-13" in answer


def test_fewer_bits_are_weaker_below_what_is_strong_only() -> None:
    """AES-128 instead of AES-256 is no regression, an export cipher is."""
    data = run_of({"defaults": {"smtp": OPEN}, "advice": {"smtp": OPEN}}, [REFUSED])

    def with_bits(bits: int) -> RunData:
        view = TlsView("TLSv1.3", "TLS_OTHER", bits)

        def other(observation: Observation) -> Observation:
            first = observation.scenario == "advice" and observation.offer == "default"
            return replace(observation, client_saw=view, server_saw=view) if first else observation

        return replace(data, observations=tuple(map(other, data.observations)))

    assert verdict(with_bits(128)).builds[0].regressions == ()
    assert verdict(with_bits(40)).builds[0].regressions[0].kind is RegressionKind.WEAKER
