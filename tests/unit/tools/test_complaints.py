"""Complaints of Postfix's own tools: their text without the program, and their place."""

from __future__ import annotations

from harness.tools.complaints import read_complaints
from harness.tools.result import Complaint

#: Printed by postconf(1) of Debian 12, 11 and of Postfix 3.7's ``postfix check``.
OUTPUT = """\
postconf: warning: /etc/postfix/main.cf: unused parameter: smtpd_tls_protocls=>=TLSv1.2
postconf: warning: /etc/postfix/main.cf, line 12: overriding earlier entry: smtpd_tls_ciphers=high
/usr/sbin/postconf: warning: /etc/postfix/main.cf: unused parameter: my_macro=1
Nov 30 13:00:00 mail mail.warning postfix/postfix-script[77]: warning: not owned by root: /var/spool
postfix/postfix-script: fatal: the Postfix mail system is not running
smtpd_tls_ciphers = high
"""
MAIN = "# comment\nmyhostname = a\nsmtpd_tls_protocls = >=TLSv1.2\n"


def test_complaints_have_their_line() -> None:
    """Protects the way from a warning to the line: postconf(1) names it, or main.cf shows it."""
    assert read_complaints(OUTPUT, MAIN) == (
        Complaint(
            "/etc/postfix/main.cf: unused parameter: smtpd_tls_protocls=>=TLSv1.2", "main.cf", 3
        ),
        Complaint(
            "/etc/postfix/main.cf, line 12: overriding earlier entry: smtpd_tls_ciphers=high",
            "main.cf",
            12,
        ),
        Complaint("/etc/postfix/main.cf: unused parameter: my_macro=1", "main.cf", None),
    )


def test_values_are_no_complaints() -> None:
    """Protects from settings whose values have such a term in them."""
    assert read_complaints("error_notice_recipient = postmaster\n") == ()
