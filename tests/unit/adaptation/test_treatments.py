"""Single treatments of settings that are replaced, where the table alone does not decide."""

from __future__ import annotations

import pytest

from harness.adaptation.stand_ins import (
    StandInContext,
    adapt_configuration,
)
from harness.postfix_config.master_cf import MasterCf

NO_ENTRIES = MasterCf(())
CONTEXT = StandInContext("3.7.11", "/instance", {"regexp", "cidr", "hash"}, ())


def adapted(main_cf: str) -> str:
    """The main.cf with stand-ins, of a build with three types of tables."""
    return adapt_configuration(main_cf, NO_ENTRIES, NO_ENTRIES, CONTEXT).main_cf


@pytest.mark.parametrize("agent", ["smtp", "lmtp"])
def test_logging_in_elsewhere_is_left_out_where_it_has_passwords(agent: str) -> None:
    """Protects tests of sending on builds without Cyrus SASL, where smtp(8) would die of it."""
    passwords = f"{agent}_sasl_password_maps = hash:/etc/postfix/sasl_passwd\n"
    after = adapted(f"{agent}_sasl_auth_enable = yes\n{passwords}")
    assert after == f"{agent}_sasl_password_maps = regexp:/instance/etc/empty\n"


def test_logging_in_elsewhere_without_passwords_stays() -> None:
    """Protects the right answer to a mistake: smtp(8) dies on every machine, so it must here."""
    assert adapted("smtp_sasl_auth_enable = yes\n") == "smtp_sasl_auth_enable = yes\n"


def test_logging_in_elsewhere_that_is_off_is_not_listed_as_replaced() -> None:
    """Protects the list of replacements against entries that change nothing."""
    text = "smtp_sasl_auth_enable = no\nsmtp_sasl_password_maps = static:user:password\n"
    assert adapted(text) == text


@pytest.mark.parametrize(
    "setting",
    [
        "smtpd_client_restrictions = check_client_access cidr:{{192.0.2.0/24 reject}}, permit",
        "smtpd_forbidden_commands = CONNECT, GET, regexp:{{/^[^A-Z]/ Bogus}}",
    ],
)
def test_a_table_whose_content_stands_in_the_setting_is_kept(setting: str) -> None:
    """Protects inline tables (DATABASE_README, Postfix 3.7): they need nothing else."""
    assert adapted(f"{setting}\n") == f"{setting}\n"


def test_an_inline_table_of_a_type_that_the_build_lacks_is_empty() -> None:
    """Protects against "unsupported dictionary type", with which smtpd(8) refuses each client."""
    after = adapted("header_checks = pcre:{{/^Subject: x/ REJECT}}\n")
    assert after == "header_checks = regexp:/instance/etc/empty\n"


def test_an_empty_owner_stays_and_a_named_one_goes() -> None:
    """Protects upstream's main.cf: Postfix refuses an empty setgid_group on every machine."""
    assert adapted("setgid_group =\n") == "setgid_group =\n"
    assert adapted("setgid_group = maildrop\n") == ""
