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
from harness.reports.stand_ins import (
    StandIns,
    merge_stand_ins,
    stand_ins_markdown,
    stand_ins_of,
    stand_ins_text,
)
from harness.reports.verify_json import verification_data
from harness.reports.verify_markdown import verification_markdown
from harness.reports.verify_text import verification_text
from harness.reports.wrapping import WIDTH, table_lines
from harness.scenarios.expectations import Expectation
from harness.scenarios.remedies import (
    apply_remedy,
    find_overrides,
)
from harness.scenarios.scenario import Scenario
from harness.verdicts.decisive_lines import (
    DecisiveQuestion,
    decisive_line,
)
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
from tests.schema_files import faults
from tests.unit import verify_samples
from tests.unit.sample_verdicts import observe, run_of
from tests.unit.verify_samples import (
    ESTABLISHED,
    REJECT,
    REPLACED,
    candidate_run,
    expectations,
    refused_later,
    with_evidence,
)

MODERN = {"TLSv1": "refused protocol-version", "TLSv1.2": "TLSv1.2", "default": "TLSv1.3"}
NO_TLS = {"TLSv1": "not-offered", "TLSv1.2": "not-offered", "default": "plaintext"}
DEAD = dict.fromkeys(MODERN, "config-rejected fatal")


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


LOG = [
    "Nov 30 01:45:29 postfix/smtpd[71]: connect from unknown[172.18.0.6]:33421",
    "Nov 30 01:45:29 postfix/smtpd[71]: warning: /etc/postfix/main.cf, line 9: overriding earlier "
    "entry: smtpd_tls_cert_file=x",
    ESTABLISHED,
    REJECT,
    "Nov 30 01:45:29 postfix/smtpd[71]: disconnect from unknown[172.18.0.6]:33421",
]
FAILED = [
    "Nov  3 01:45:29 postfix/smtpd[71]: SSL_accept error from unknown[172.18.0.6]:33421: -1",
    "Nov  3 01:45:29 postfix/smtpd[71]: warning: TLS library problem: error:0A000102:SSL routines::"
    "unsupported protocol:ssl/statem/statem_srvr.c:1657:",
]


@pytest.mark.parametrize(
    ("log", "question", "text"),
    [
        (LOG, DecisiveQuestion.NEGOTIATED, "Anonymous TLS connection established"),
        (LOG, DecisiveQuestion.REFUSED, "NOQUEUE: reject: RCPT"),
        (LOG, DecisiveQuestion.ENDED, "NOQUEUE: reject: RCPT"),
        (LOG[:3], DecisiveQuestion.ENDED, "TLS connection established"),
        (FAILED, DecisiveQuestion.ENDED, "TLS library problem"),
        ([*LOG, "x postfix/smtpd[71]: warning: No server certs available. TLS won't be enabled"],
         DecisiveQuestion.ENDED, "TLS won't be enabled"),
        ([*LOG, "x postfix/smtpd[9]: fatal: bad string length 0 < 1: x"], DecisiveQuestion.REFUSED,
         "fatal: bad string length"),
        (["x postfix/master[61]: warning: process /usr/libexec/postfix/smtpd pid 68 exit status 1"],
         DecisiveQuestion.ENDED, "pid 68 exit status 1"),
        (LOG[:2], DecisiveQuestion.ENDED, None),
    ],
)  # fmt: skip
def test_the_line_that_decided_stands_in_the_answer(
    log: list[str], question: DecisiveQuestion, text: str | None
) -> None:
    """Protects "why": the decisive one of a dozen lines is reported, without its time."""
    line = decisive_line(log, question)
    if text is None:
        assert line is None
    else:
        assert line is not None
        assert text in line
        assert not line.startswith("Nov")


def told(data: RunData) -> str:
    """The answer as text, no line of it wider than a terminal, however long its names are."""
    text = verification_text(data, "candidate", judge_services(data, "candidate"))
    assert max(map(len, text.splitlines())) <= WIDTH
    return text


def test_the_answer_has_postfix_s_own_words_and_the_stand_ins() -> None:
    """Protects a reader who doubts: the log line, the reply and what was replaced stand there."""
    data = candidate_run({"smtp": {"TLSv1.2": "TLSv1.2", "default": "TLSv1.2"}})
    observations = tuple(
        refused_later(cell, "TLSv1.2", Stage.RCPT, "denied") for cell in data.observations
    )
    reply = {"code": 554, "text": "5.7.1 Relay access denied by somebody"}
    data = with_evidence(
        replace(data, observations=observations),
        [ESTABLISHED, REJECT],
        reply,
        {"replaced": REPLACED},
    )
    text = " ".join(told(data).split())
    assert "2 settings of your configuration need things that are not here" in text
    assert "milters (smtpd_milters); SASL (smtpd_sasl_path). None of them decides TLS." in text
    assert "1 setting says where things are on your machine" in text
    assert "smtp: not measured, on debian-12" in text
    assert "NOQUEUE: reject: RCPT from unknown[172.18.0.6]:33421: 554 5.7.1" in text
    assert "554 5.7.1 Relay access denied by somebody" in text
    full = stand_ins_text(stand_ins_of(data, "candidate"), verbose=True)
    assert any("smtpd_sasl_path = private/auth → inet:sasl:12345" in line for line in full)
    assert "smtpd\\_milters" in stand_ins_markdown(stand_ins_of(data, "candidate"))


def test_a_table_that_decides_tls_is_not_passed_over() -> None:
    """Protects truth: "none of them decides TLS" is said of what decides none of what is asked."""
    names = ("tls_server_sni_maps", "smtp_tls_policy_maps")
    replaced = [{**REPLACED[0], "setting": name} for name in names]
    data = with_evidence(candidate_run({"smtp": MODERN}), [], None, {"replaced": replaced})
    stand_ins = stand_ins_of(data, "candidate")
    assert "Of these tls_server_sni_maps can decide TLS" in " ".join(stand_ins_text(stand_ins))
    sending = " ".join(stand_ins_text(replace(stand_ins, sends=True)))
    assert "tls_server_sni_maps, smtp_tls_policy_maps can decide TLS" in sending
    clients = " ".join(stand_ins_text(replace(stand_ins, replaced=stand_ins.replaced[1:])))
    assert "None of them decides TLS for clients" in clients


@pytest.mark.parametrize(
    ("setting", "instead", "decides"),
    [
        ("smtpd_discard_ehlo_keyword_address_maps", "regexp:/i/etc/empty", True),
        ("relay_clientcerts", "regexp:/i/etc/empty", True),
        ("relay_clientcerts", "texthash:/etc/postfix/relay_clientcerts", False),
        ("smtp_tlsrpt_enable", "", False),
        ("smtpd_sasl_exceptions_networks", "regexp:/i/etc/empty", False),
    ],
)
def test_what_may_decide_tls_goes_by_the_table_of_settings(
    setting: str, instead: str, decides: bool
) -> None:
    """A table that hides STARTTLS has no tls in its name; one that was given is known."""
    replacement = {**REPLACED[0], "setting": setting, "instead": instead}
    text = " ".join(stand_ins_text(StandIns((replacement,), sends=True)))
    assert ("can decide TLS" in text) is decides


def test_a_setting_of_many_entries_is_counted_once() -> None:
    """Protects the count: chroot in twenty entries is one setting of the configuration."""
    machine = [{**REPLACED[2], "where": f"master.cf: {n}", "setting": "chroot"} for n in "abc"]
    data = with_evidence(candidate_run({"smtp": MODERN}), [], None, {"replaced": machine})
    text = " ".join(stand_ins_text(stand_ins_of(data, "candidate")))
    assert "1 setting says where things are on your machine" in text
    assert len(stand_ins_of(data, "candidate").replaced) == 3


def test_a_service_that_only_its_own_machine_reaches_does_not_count() -> None:
    """Protects from exit code 1 for a content filter's way back, which has no need of TLS."""
    data = candidate_run({"smtp": MODERN, "127.0.0.1:10025": NO_TLS})
    services = judge_services(data, "candidate")
    assert exit_code_of_answers(services) == 0
    assert "only its own machine reaches it" in " ".join(told(data).split())
    alone = candidate_run({"127.0.0.1:10025": NO_TLS})
    assert exit_code_of_answers(judge_services(alone, "candidate")) == 1


def test_some_services_that_postfix_rejects_are_told_together() -> None:
    """Protects from the same fatal line for each of them."""
    data = candidate_run({"smtp": MODERN, "submission": DEAD, "submissions": DEAD})
    line = "Nov 30 01:45:29 postfix/smtpd[9]: fatal: macro processing error"
    text = told(with_evidence(data, [line], None, {"started": True}))
    assert "Postfix does not serve submission and submissions" in " ".join(text.split())
    assert text.count("macro processing error") == 1
    assert "smtp: yes" in text


def test_lines_are_told_to_lie_over_a_base() -> None:
    """Protects who gives two lines: what was added to them is named."""
    base = ["smtpd_tls_security_level = may", "compatibility_level = 3.6"]
    data = with_evidence(candidate_run({"smtp": MODERN}), [], None, {"base": base})
    text = " ".join(stand_ins_text(stand_ins_of(data, "candidate")))
    assert "Only lines were given; they were added to a base: smtpd_tls_security_level" in text


def test_a_configuration_that_postfix_rejects_is_told_once() -> None:
    """Protects from three answers for one cause: the fatal line stands there once."""
    line = (
        "Nov 30 01:45:29 postfix[9]: fatal: file main.cf line 3: missing '=' after attribute name"
    )
    instance = {"started": False, "startup": [line], "check": ""}
    data = with_evidence(candidate_run({"smtp": DEAD, "submission": DEAD}), [], None, instance)
    text = told(data)
    assert text.count("missing '=' after attribute name") == 1
    assert "config-rejected, on debian-12" in text
    assert "smtp         config-rejected" in text.replace("smtp        ", "smtp         ")


def test_no_tls_is_said_as_such() -> None:
    """Protects "none": it is neither yes nor no."""
    data = candidate_run({"smtp": NO_TLS})
    assert "smtp: none: it offers no TLS, on debian-12" in told(data)


@pytest.mark.parametrize("services", [1, 3, 10])
@pytest.mark.parametrize("builds", [1, 9])
def test_any_number_of_services_and_builds_fits_80_columns(services: int, builds: int) -> None:
    """Protects mailcow's ten services, and the nine builds of a careful reader."""
    names = [f"127.0.0.1:{10025 + number}" for number in range(services)]
    versions = {f"postfix-3.{n}.0+openssl-1.1.1w": (f"3.{n}.0", "1.1.1w") for n in range(builds)}
    data = run_of(
        {"candidate": dict.fromkeys(names, MODERN)},
        expectations("tls12-or-newer"),
        builds=versions,
    )
    text = told(data)
    assert all(name in text for name in (*names, *versions))
    table = table_lines(["", *versions], [[name, *("yes" for _ in versions)] for name in names])
    assert sum(line.count("yes") for line in table) == services * builds


def test_machine_output_is_by_the_schema() -> None:
    """Protects other programs: each kind of answer is valid, and a wrong value is not."""
    for cells in (MODERN, NO_TLS, DEAD, MODERN | {"TLSv1": "TLSv1", "TLSv1.2": "timeout"}):
        data = candidate_run({"smtp": cells, "submission": MODERN})
        answer = verification_data(data, "candidate", judge_services(data, "candidate"), ["x"])
        assert faults("verify", answer) == []
    full = verify_samples.refused_recipients()
    assert faults("verify", full) == []
    assert full["services"]["smtp"]["entry"] == "25"
    assert full["services"]["smtp"]["builds"] == {"debian-12": "no"}
    assert "established" in full["services"]["smtp"]["findings"][0]["log"]
    full["services"]["smtp"]["builds"]["debian-12"] = "perhaps"
    assert faults("verify", full)


def test_markdown_has_the_table_and_the_words() -> None:
    """Protects who answers in a forum: the table shows, and no log line can break it."""
    data = candidate_run({"smtp": MODERN | {"TLSv1": "TLSv1"}, "2525": NO_TLS})
    text = verification_markdown(data, "candidate", judge_services(data, "candidate"))
    assert "| smtp | no |" in text
    assert "| 2525 | none |" in text
    assert "smtp: no, on debian-12" in text


MASTER = (
    "smtp inet n - y - - smtpd\n"
    "submission inet n - y - - smtpd\n"
    "  -o syslog_name=postfix/submission\n"
    "  -o smtpd_tls_mandatory_protocols=TLSv1\n"
)


def test_an_option_that_stands_in_a_remedy_s_way_is_named_and_taken_out() -> None:
    """Protects the remedy: a line of main.cf changes nothing below a -o option of the entry."""
    lines = ["smtpd_tls_mandatory_protocols = !TLSv1"]
    names = ["smtpd_tls_mandatory_protocols"]
    (override,) = find_overrides(MASTER, {"submission"}, names)
    assert override.text == (
        "-o smtpd_tls_mandatory_protocols=TLSv1 under submission (line 4 of master.cf)"
    )
    assert find_overrides(MASTER, {"smtp"}, names) == ()
    given = Scenario("candidate", "T", "S", "C", main_cf="a = 1\n", master_cf=MASTER)
    better = apply_remedy(given, lines, {"submission"}, "better")
    assert better.main_cf == "a = 1\nsmtpd_tls_mandatory_protocols = !TLSv1\n"
    assert "mandatory_protocols" not in better.master_cf
    assert "syslog_name=postfix/submission" in better.master_cf
    assert apply_remedy(given, lines, {"smtp"}, "x").master_cf == MASTER


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


def test_the_keys_of_the_test_are_reported() -> None:
    """A server with an EC or a short key may answer otherwise, and the reader must know that."""
    whole = {"files": {"/k.pem": "RSA key", "/c.pem": "RSA certificate"}, "base": []}
    assert "Keys and certificates are the test's (RSA key)" in " ".join(
        stand_ins_text(merge_stand_ins([whole]))
    )
    assert stand_ins_text(merge_stand_ins([{"files": {"/c.pem": "CA certificate"}}])) == []
