"""Lines that may make a configuration meet a policy, and options in their way."""

from __future__ import annotations

from harness.scenarios.remedies import (
    apply_remedy,
    find_overrides,
)
from harness.scenarios.scenario import Scenario

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
