"""Which line does what, candidates without a folder, and answers to policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.commands.explain import explain_command
from harness.cli.commands.verify import verify_command
from harness.errors import FileError, UsageError
from harness.observations.run_folder import RunData
from harness.outcomes import Outcome
from harness.postfix_config.master_cf import parse_master_cf
from harness.postfix_config.master_cf_overlay import Overlay
from harness.postfix_config.tls_levels import service_levels
from harness.reports.explain_text import explanation_lines, explanation_table
from harness.reports.verify_remedy import TriedRemedy
from harness.reports.verify_text import answer_lines, remedy_lines
from harness.scenarios.candidate import read_candidate
from harness.scenarios.claims import Claims
from harness.scenarios.expectations import (
    Expectation,
    Where,
)
from harness.scenarios.policies import load_policies
from harness.scenarios.scenario import (
    Scenario,
    ScenarioErrors,
)
from harness.scenarios.validation import (
    Known,
    check_claims,
)
from harness.scenarios.variants import (
    VariantKind,
    make_variant,
)
from harness.tls import Service
from harness.verdicts.judging import Standing
from harness.verdicts.line_effects import (
    LinePart,
    distinct_scenarios,
    explain_lines,
    line_variants,
    next_pairs,
)
from harness.verdicts.policy_answers import judge_services
from tests.unit.sample_verdicts import Results, run_of

OPEN = {"TLSv1": "TLSv1", "TLSv1.2": "TLSv1.2"}
STRICT = OPEN | {"TLSv1": "refused protocol-version"}
BOTH = {"smtp": OPEN, "submission": OPEN}


def measured(lines: list[str], cells: Mapping[str, Mapping[str, Results]]) -> RunData:
    """A run of ``advice`` with these lines and of the variants that ``cells`` has, by short name.

    ``without-1`` is the advice without its first line, ``only-1-2`` the control with two of them.
    """
    advice = Scenario("advice", "T", "S", "C", main_cf="".join(f"{line}\n" for line in lines))
    control = Scenario("defaults", "T", "S", "C")
    texts = {"advice": advice.main_cf, "defaults": ""}
    scenarios: dict[str, Mapping[str, Results]] = {"defaults": BOTH}
    for name, results in cells.items():
        if name == "advice":
            scenarios["advice"] = results
            continue
        kind, *numbers = name.split("-")
        made = make_variant(advice, control, VariantKind(kind), [int(n) for n in numbers])
        scenarios[made.id] = results
        texts[made.id] = made.main_cf
    return run_of(scenarios, texts=texts)


def test_a_line_that_acts_and_one_that_does_not_are_told_apart() -> None:
    """Protects the answer to "which of these lines matter"."""
    strict_smtp = {"smtp": STRICT, "submission": OPEN}
    data = measured(
        ["smtpd_tls_protocols = !TLSv1", "smtp_tls_protocols = !TLSv1"],
        {"advice": strict_smtp, "without-1": BOTH, "without-2": strict_smtp, "only-2": BOTH},
    )
    effects = explain_lines(data, "advice")
    first, second = effects.lines
    assert (first.part, second.part) == (LinePart.ACTS, LinePart.NONE)
    assert {change.spot[0] for change in first.removed.changes} == {"smtp"}
    assert len(first.removed.changes) == 3
    text = "\n".join(explanation_lines(data, effects))
    assert "acts: without it 3 cells change: smtp TLSv1; all 3 builds" in text
    assert "smtp_tls_protocols is a parameter of smtp(8)" in text
    assert "| `smtpd_tls_protocols = !TLSv1` | acts | no effect |" in explanation_table(
        data, effects
    )


def test_configurations_that_come_to_the_same_are_measured_once() -> None:
    """Protects time: of two lines' variants half are the advice, the control or each other."""
    advice = Scenario("advice", "T", "S", "C", main_cf="a = 1\nb = 2\n")
    control = Scenario("defaults", "T", "S", "C")
    made = distinct_scenarios(line_variants(advice, control), [control, advice])
    assert [scenario.id for scenario in made] == ["advice--without-1", "advice--only-1"]
    single = Scenario("one", "T", "S", "C", main_cf="a = 1\n")
    assert distinct_scenarios(line_variants(single, control), [control, single]) == []


def test_two_lines_that_cover_each_other_are_found_by_their_pair() -> None:
    """Protects from "no effect" where two lines do the same: neither is missed alone."""
    lines = ["smtpd_tls_protocols = !TLSv1", "smtpd_tls_exclude_ciphers = X", "z = 1"]
    strict, plain = {"smtp": STRICT}, {"smtp": OPEN}
    cells = {
        "advice": strict, "without-1": strict, "without-2": strict, "without-3": strict,
        "only-1": strict, "only-2": strict, "only-3": plain,
    }  # fmt: skip
    effects = explain_lines(measured(lines, cells), "advice")
    assert [effect.part for effect in effects.lines] == [
        LinePart.COVERED,
        LinePart.COVERED,
        LinePart.NONE,
    ]
    assert next_pairs(effects) == [(VariantKind.WITHOUT, (1, 2))]
    effects = explain_lines(measured(lines, cells | {"without-1-2": plain}), "advice")
    assert [effect.partners for effect in effects.lines] == [(2,), (1,), ()]


def test_a_line_that_acts_only_together_with_another_is_found() -> None:
    """Protects interactions: a grade does nothing until a list gives it a meaning."""
    lines = ["smtpd_tls_mandatory_ciphers = high", "tls_high_cipherlist = X", "z = 1"]
    strict, plain = {"smtp": STRICT}, {"smtp": OPEN}
    cells = {
        "advice": strict, "without-1": plain, "without-2": plain, "without-3": strict,
        "only-1": plain, "only-2": plain, "only-3": plain,
    }  # fmt: skip
    effects = explain_lines(measured(lines, cells), "advice")
    assert [effect.needs_partner for effect in effects.lines] == [True, True, False]
    assert (VariantKind.ONLY, (1, 2)) in next_pairs(effects)
    data = measured(lines, cells | {"only-1-2": strict})
    effects = explain_lines(data, "advice")
    assert [effect.partners for effect in effects.lines] == [(2,), (1,), ()]
    assert "only together with line 2" in "\n".join(explanation_lines(data, effects))


def test_a_line_that_was_not_measured_has_no_verdict() -> None:
    """Protects truth: a variant that is missing is no proof of "no effect"."""
    lines = ["smtpd_tls_ciphers = high", "smtpd_tls_protocols = !TLSv1"]
    effects = explain_lines(measured(lines, {"advice": {"smtp": STRICT}}), "advice")
    assert [effect.part for effect in effects.lines] == [
        LinePart.UNMEASURED,
        LinePart.UNMEASURED,
    ]


def candidate(text: str, service: Service | None = None) -> Scenario:
    """A candidate of one text."""
    return read_candidate({Path("given"): text}, service)


def test_a_candidate_is_what_its_lines_look_like() -> None:
    """Protects "ask in one line": main.cf, master.cf and -o lines are recognised."""
    mixed = candidate(
        "# mine\nsmtpd_tls_security_level = may\nsubmission inet n - - - - smtpd\n  -o a=1\nb=2\n"
    )
    assert mixed.main_cf == "smtpd_tls_security_level = may\nb=2\n"
    assert mixed.master_cf == "submission inet n - - - - smtpd\n  -o a=1\n"
    assert mixed.overlay is Overlay.REPLACE
    options = candidate("  -o smtpd_tls_security_level=encrypt\n  -o a=1\n", Service.SUBMISSION)
    (entry,) = parse_master_cf(options.master_cf).entries
    assert entry.options == {"smtpd_tls_security_level": "encrypt", "a": "1"}
    assert (entry.name, options.overlay) == ("submission", Overlay.MERGE)


def test_options_of_no_entry_are_refused_by_file_and_line() -> None:
    """Protects from measuring something else than what was given."""
    with pytest.raises(FileError) as caught:
        candidate("a = 1\n-o b=1\n")
    assert (str(caught.value.place.file), caught.value.place.line) == ("given", 2)
    assert "options without an entry" in str(caught.value)


def test_a_line_that_postfix_does_not_read_is_kept_and_reported() -> None:
    """Protects from a better configuration than the user's: Postfix says what it thinks of it."""
    given = candidate("a = 1\nhello\n")
    assert given.main_cf == "a = 1\nhello\n"
    assert any("line 2: Postfix will say" in note for note in given.reading)


def test_how_a_service_does_tls_is_read_from_its_entry() -> None:
    """Protects the texts "at may" and "at encrypt": options win, ports are the instance's."""
    master = (
        "20010 inet n - - - - smtpd\n20011 inet n - - - - smtpd\n"
        "  -o smtpd_tls_security_level=encrypt\n20012 inet n - - - - smtpd\n"
        "  -o smtpd_tls_wrappermode=yes\n"
    )
    added = ["master.cf: smtp inet → 20010 inet", "master.cf: submission inet → 20011 inet",
             "master.cf: 465 inet → 20012 inet", "myhostname = x"]  # fmt: skip
    assert service_levels("smtpd_tls_security_level = may\n", master, added) == {
        Service.SMTP: "may",
        Service.SUBMISSION: "encrypt",
        Service.SUBMISSIONS: "implicit TLS",
    }


def test_a_policy_is_answered_service_by_service() -> None:
    """Protects "a sentence per service": what fails is named, with where."""
    policy = load_policies()["tls12-or-newer"]
    expect = tuple(policy.expectations_within(Where()))
    data = run_of({"defaults": BOTH, "candidate": {"smtp": OPEN, "submission": STRICT}}, expect)
    smtp, submission = judge_services(data, "candidate")
    assert (smtp.standing, submission.standing) == (Standing.FAILS, Standing.HOLDS)
    text = "\n".join(answer_lines(data, "candidate", [smtp, submission]))
    assert "smtp: no, on all 3 builds" in text
    assert "with TLSv1: negotiated TLSv1, not TLSv1.2 or TLSv1.3" in text
    assert "submission: yes, on all 3 builds" in text
    fixed = run_of({"candidate": {"smtp": STRICT, "submission": STRICT}}, expect)
    after = judge_services(replace(fixed), "candidate")
    lines = policy.remedy("may")
    assert lines == ("smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1",)
    tried = TriedRemedy(lines, (), (smtp, submission), after)
    message = "\n".join(remedy_lines(tried, [smtp, submission]))
    assert "What to change, in main.cf:" in message
    assert "tried: smtp then meets the policy" in message
    assert "submission then" not in message


def test_an_unknown_policy_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """Protects time: no image is built for a slip on the command line."""
    words = ["--policy", "tsl12", "--scenarios-dir", str(tmp_path)]
    result = CliRunner().invoke(verify_command, words)
    assert isinstance(result.exception, UsageError)
    assert "no policy 'tsl12'" in str(result.exception)


def test_nothing_to_explain_is_said_so() -> None:
    """Protects from a run of nothing."""
    told = CliRunner().invoke(explain_command, ["no-such-thing"])
    assert isinstance(told.exception, UsageError)
    assert "neither a file nor a scenario" in str(told.exception)
    told = CliRunner().invoke(explain_command, ["defaults"])
    assert "nothing to compare defaults with" in str(told.exception)


KNOWN = Known(("debian-11", "debian-12"), ("openssl-3.5.7", "aiosmtplib-debian12"))


def claiming(*expectations: Expectation, **more: object) -> Scenario:
    """A scenario that expects these."""
    claims = Claims(expectations=expectations, **more)  # type: ignore[arg-type]
    return Scenario("some", "T", "S", "C", claims=claims, path=Path("some/scenario.toml"))


def expecting(outcome: Outcome, line: int, **where: object) -> Expectation:
    """One expectation of an outcome."""
    return Expectation((Where(**where),), outcome=(outcome,), line=line)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("where", "key"),
    [({"builds": ("debain-*",)}, "expect.builds"), ({"clients": ("curl*",)}, "expect.clients"),
     ({"offers": ("TLSv1.4",)}, "expect.offers"), ({"services": ("outbound",)}, "expect.services")],
)  # fmt: skip
def test_a_selector_that_matches_nothing_is_refused(where: dict[str, object], key: str) -> None:
    """Protects from an expectation that could never fail."""
    with pytest.raises(ScenarioErrors) as caught:
        check_claims([claiming(expecting(Outcome.REFUSED, 7, **where))], KNOWN)
    (error,) = caught.value.errors
    assert (error.place.line, error.place.key) == (7, key)


def test_expectations_that_contradict_each_other_are_refused() -> None:
    """Protects from a claim that nothing could bear out; where they cannot meet they may differ."""
    refused = expecting(Outcome.REFUSED, 5, offers=("TLSv1",))
    accepted = expecting(Outcome.ACCEPTED, 9, offers=("TLSv1*",), services=("smtp",))
    with pytest.raises(ScenarioErrors) as caught:
        check_claims([claiming(refused, accepted)], KNOWN)
    (error,) = caught.value.errors
    assert (error.place.line, error.place.key) == (9, "expect.outcome")
    assert "but line 5 expects refused" in str(error)
    elsewhere = expecting(Outcome.ACCEPTED, 9, offers=("TLSv1.2",))
    check_claims([claiming(refused, elsewhere)], KNOWN)
    separate = (
        expecting(Outcome.REFUSED, 5, builds=("debian-11",)),
        expecting(Outcome.ACCEPTED, 9, builds=("debian-12",)),
    )
    check_claims([claiming(*separate)], KNOWN)
