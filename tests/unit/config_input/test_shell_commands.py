"""A configuration as shell commands: what postconf sets, and what only a shell knows."""

from __future__ import annotations

from harness.postfix_config.main_cf import parse_main_cf
from tests.unit.config_input.form_samples import LINES, MASTER, TWO, pasted, values


def test_what_only_a_shell_knows_is_left_out() -> None:
    """Protects scripts (linuxpersonal/ansible): $(hostname -f) is no value of Postfix's."""
    read = pasted(
        'postconf -e "myhostname = $(hostname -f)"\npostconf -e "mydomain=$DOMAIN"\n'
        "postconf -e 'myorigin = $mydomain'\n"
    )
    assert parse_main_cf(read.main_cf).values == {"myorigin": "$mydomain"}
    assert any("line 1: myhostname was left out" in note for note in read.notes)
    assert any("line 2: mydomain was left out" in note for note in read.notes)


def test_what_is_for_other_programs_is_left_out() -> None:
    """Protects install scripts: what they write for Dovecot or MySQL is no setting of Postfix's."""
    script = (
        "#!/bin/sh\n# postconf -e smtpd_tls_protocols=commented-out\n"
        "cat > /etc/postfix/mysql.cf << EOF\npassword = secret\nEOF\n"
        "cat >> /etc/postfix/main.cf <<'EOF'\nsmtpd_use_tls = yes\nEOF\n"
        "if [ -n x ]; then\n  postconf -e smtpd_tls_ciphers=high\nfi\n"
    )
    read = pasted(script)
    assert parse_main_cf(read.main_cf).values == {
        "smtpd_use_tls": "yes",
        "smtpd_tls_ciphers": "high",
    }
    assert any("line 3: left out up to line 5" in note for note in read.notes)


def test_a_command_in_a_comment_is_a_comment() -> None:
    """Protects main.cf with its comments on standard input: some of them speak of postconf."""
    text = f"# Then run\n# postconf -e smtpd_tls_ciphers=low\n# and reload.\n{LINES}"
    assert values(text) == TWO
    assert pasted(text).main_cf == LINES


def test_removals_take_out_what_was_set() -> None:
    """Protects postconf -X, -# and -MX."""
    read = pasted(f"{LINES}postconf -X smtpd_tls_protocols\n")
    assert parse_main_cf(read.main_cf).values == {"smtpd_tls_security_level": "may"}
    read = pasted(f"{LINES}{MASTER}postconf -MX submission/inet\npostconf -# smtpd_tls_protocols\n")
    assert read.master_cf == ""
    assert "smtpd_tls_protocols" not in read.main_cf
