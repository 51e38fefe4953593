"""The table of kinds of settings: complete, without contradictions, and as its page says."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from harness.adaptation.setting_kinds import (
    USER_DEFINED,
    SettingGroup,
    SettingKind,
    Treatment,
    deciding_name,
    rule_of,
    setting_groups,
)
from scripts.setting_names import NameList, Span, add_release, printed_names, read_list
from scripts.settings_page import PAGE, settings_page

NAMES = read_list((Path(__file__).parents[1] / "data/postconf-d.txt").read_text("utf-8"))

#: Settings that decide TLS or AUTH and name no table: written down by hand, not from the table.
TLS_SETTINGS = """
    smtpd_tls_security_level smtpd_use_tls smtpd_enforce_tls smtpd_tls_wrappermode
    smtpd_tls_auth_only smtpd_tls_protocols smtpd_tls_mandatory_protocols smtpd_tls_ciphers
    smtpd_tls_mandatory_ciphers smtpd_tls_exclude_ciphers smtpd_tls_mandatory_exclude_ciphers
    smtpd_tls_cert_file smtpd_tls_key_file smtpd_tls_eccert_file smtpd_tls_chain_files
    smtpd_tls_dh1024_param_file smtpd_tls_eecdh_grade smtpd_tls_ask_ccert smtpd_tls_req_ccert
    smtpd_tls_CAfile smtp_tls_security_level smtp_use_tls smtp_enforce_tls smtp_tls_protocols
    smtp_tls_mandatory_protocols smtp_tls_mandatory_ciphers smtp_tls_wrappermode
    smtp_tls_CApath lmtp_tls_security_level lmtp_tls_protocols tls_high_cipherlist
    tls_medium_cipherlist tls_preempt_cipherlist tls_ssl_options tls_disable_workarounds
    tls_eecdh_auto_curves tls_config_file tlsproxy_tls_protocols postscreen_tls_security_level
    smtpd_sasl_auth_enable smtpd_sasl_security_options smtpd_sasl_tls_security_options
    broken_sasl_auth_clients smtp_dns_support_level import_environment compatibility_level
    smtpd_discard_ehlo_keywords smtpd_banner smtpd_helo_required disable_vrfy_command
"""


def test_every_parameter_of_every_release_has_an_entry_of_its_own() -> None:
    """Protects completeness: no glob decides by accident about a parameter that Postfix has."""
    assert [name for name in NAMES.spans if deciding_name(name) != name] == []


def test_no_name_is_in_the_table_twice() -> None:
    """Protects against two entries of which the second silently wins."""
    counted = Counter(name for group in setting_groups() for name in group.names)
    assert [name for name, times in counted.items() if times > 1] == []


def test_the_table_has_no_name_that_postfix_never_had() -> None:
    """Protects against a name with a typing error, which would leave the real one to a glob."""
    # Not printed by `postconf -d`, but read through a default: "$virtual_maps" (mail_params.h).
    older = {
        "authorized_verp_clients",
        "smtpd_client_connection_limit_exceptions",
        "virtual_maps",
    }
    exact = {name for group in setting_groups() for name in group.names if "*" not in name}
    assert exact - NAMES.spans.keys() == older


def test_no_glob_hides_a_later_one() -> None:
    """Protects the order of globs: each of them can decide about some name."""
    globs = [name for group in setting_groups() for name in group.names if "*" in name]
    hidden = [
        (early, late)
        for place, early in enumerate(globs)
        for late in globs[place + 1 :]
        if fnmatchcase(late, early)
    ]
    assert hidden == []


@pytest.mark.parametrize("group", setting_groups(), ids=lambda group: group.names[0])
def test_each_reason_is_one_sentence(group: SettingGroup) -> None:
    """Protects the answer: it quotes the reason after the setting's name, as a sentence."""
    reason = group.rule.reason
    assert reason[0].isupper()
    assert reason.endswith(".")
    assert ". " not in reason
    assert 30 <= len(reason) <= 180


@pytest.mark.parametrize("name", TLS_SETTINGS.split())
def test_what_decides_tls_is_applied_to_the_letter(name: str) -> None:
    """Protects the answer itself: no setting under test is replaced."""
    rule = rule_of(name)
    assert (rule.kind, rule.treatment) == (SettingKind.UNDER_TEST, Treatment.KEEP)


def test_what_is_under_test_is_never_left_out() -> None:
    """Protects the promise that no replacement decides TLS."""
    kinds = {(group.rule.kind, group.rule.treatment) for group in setting_groups()}
    assert (SettingKind.UNDER_TEST, Treatment.DROP) not in kinds
    assert (SettingKind.UNDER_TEST, Treatment.DATABASE) not in kinds


@pytest.mark.parametrize(
    ("name", "kind", "treatment"),
    [
        ("daemon_directory", SettingKind.MACHINE, Treatment.DROP),
        ("setgid_group", SettingKind.MACHINE, Treatment.DROP),
        ("smtpd_tls_loglevel", SettingKind.MACHINE, Treatment.DROP),
        ("smtpd_tls_session_cache_database", SettingKind.MACHINE, Treatment.DATABASE),
        ("tls_random_source", SettingKind.MACHINE, Treatment.DROP),
        ("myorigin", SettingKind.SURROUNDINGS, Treatment.TABLES),
        ("smtpd_milters", SettingKind.SURROUNDINGS, Treatment.DROP),
        ("virtual_transport", SettingKind.SURROUNDINGS, Treatment.DROP),
        ("virtual_mailbox_domains", SettingKind.SURROUNDINGS, Treatment.TABLES),
        ("smtpd_recipient_restrictions", SettingKind.SURROUNDINGS, Treatment.TABLES),
        ("tls_server_sni_maps", SettingKind.UNDER_TEST, Treatment.TABLES),
        ("relay_clientcerts", SettingKind.UNDER_TEST, Treatment.TABLES),
        ("smtpd_sasl_path", SettingKind.UNDER_TEST, Treatment.SASL),
        # Transports of any name; postconf(5) has a hyphen in none, people's master.cf has.
        ("smtp-amavis_destination_recipient_limit", SettingKind.MACHINE, Treatment.KEEP),
        ("policy-spf_time_limit", SettingKind.MACHINE, Treatment.KEEP),
        ("slow_destination_concurrency_failed_cohort_limit", SettingKind.MACHINE, Treatment.KEEP),
        ("slow_destination_rate_delay", SettingKind.MACHINE, Treatment.DROP),
        # A release of tomorrow.
        ("smtpd_tls_tomorrow", SettingKind.UNDER_TEST, Treatment.KEEP),
        ("tls_tomorrow_maps", SettingKind.SURROUNDINGS, Treatment.TABLES),
    ],
)
def test_single_settings_have_the_treatment_that_a_container_needs(
    name: str, kind: SettingKind, treatment: Treatment
) -> None:
    """Protects known cases: each was a wrong answer, or would be."""
    rule = rule_of(name)
    assert (rule.kind, rule.treatment) == (kind, treatment)


def test_a_name_that_postfix_does_not_know_is_the_users_own() -> None:
    """Protects restriction classes: they hold as written, with stand-ins for their tables."""
    assert deciding_name("greylisting") is None
    assert rule_of("greylisting") == USER_DEFINED


def test_the_page_is_what_the_table_says() -> None:
    """Protects docs/settings.md: `python scripts/settings_page.py` writes it."""
    assert PAGE.read_text("utf-8") == settings_page()


SMALL = "# kept\nnewest 3.10.0\nmydomain 2.2.0\nsmtpd_old 2.8.0 3.0.15\n"


def test_the_list_of_names_is_read_and_written_without_loss() -> None:
    """Protects the list against a refresh that drops its comment or a release."""
    assert str(read_list(SMALL)) == SMALL
    assert str(NAMES) == (Path(__file__).parents[1] / "data/postconf-d.txt").read_text("utf-8")


def test_a_newer_release_adds_its_names_and_ends_those_it_lacks() -> None:
    """Protects the list's spans: what a newest release prints no more ended with the one before."""
    grown = add_release(read_list(SMALL), "3.12.0", ["new_setting", "tomorrows_time_limit"])
    assert grown == NameList(
        ("# kept",),
        "3.12.0",
        {
            "mydomain": Span("2.2.0", "3.10.0"),
            "smtpd_old": Span("2.8.0", "3.0.15"),
            "new_setting": Span("3.12.0"),
        },
    )


def test_an_older_release_widens_a_span_and_ends_none() -> None:
    """Protects against a refresh from one old image that would end all newer names."""
    grown = add_release(read_list(SMALL), "3.1.0", ["smtpd_old"])
    assert grown.spans == {"mydomain": Span("2.2.0"), "smtpd_old": Span("2.8.0", "3.1.0")}
    assert grown.newest == "3.10.0"


def test_names_are_read_from_what_postconf_prints() -> None:
    """Protects the reading: empty values, and a value that goes on in a further line."""
    text = "always_bcc =\nmail_owner = postfix\nsmtpd_x = a\n    b = c\n"
    assert printed_names(text) == ["always_bcc", "mail_owner", "smtpd_x"]
