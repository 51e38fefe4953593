"""The answer to a policy as it is printed: words, log lines, stand-ins, width, other formats."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cli.commands.verify import exit_code_of as exit_code_of_answers
from harness.observations.record import Stage
from harness.observations.run_folder import RunData
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
from harness.reports.wrapping import table_lines
from harness.verdicts.policy_answers import (
    judge_services,
)
from harness.widths import WIDTH
from tests.schema_files import faults
from tests.unit import verify_samples
from tests.unit.sample_verdicts import run_of
from tests.unit.verify_samples import (
    DEAD,
    ESTABLISHED,
    MODERN,
    NO_TLS,
    REJECT,
    REPLACED,
    candidate_run,
    expectations,
    refused_later,
    with_evidence,
)


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
    both = candidate_run({"smtp": NO_TLS, "127.0.0.1:10025": NO_TLS})
    assert told(both).startswith("No: smtp does not meet the policy.")
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


def test_the_keys_of_the_test_are_reported() -> None:
    """A server with an EC or a short key may answer otherwise, and the reader must know that."""
    whole = {"files": {"/k.pem": "RSA key", "/c.pem": "RSA certificate"}, "base": []}
    assert "Keys and certificates are the test's (RSA key)" in " ".join(
        stand_ins_text(merge_stand_ins([whole]))
    )
    assert stand_ins_text(merge_stand_ins([{"files": {"/c.pem": "CA certificate"}}])) == []
