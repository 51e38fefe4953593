"""One instance's configuration: base, candidate, additions, ports and the files it names."""

from __future__ import annotations

import pytest

from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    parse_master_cf,
)
from harness.postfix_config.master_cf_overlay import Overlay
from tests.unit.scenarios.instance_samples import DEBIAN, SHIPPED, config, inet, names

UPSTREAM = DEBIAN.replace(" y ", " n ")


#: As 3.5 has them, with undefined names, and the older name of submissions.
SHIPPED_3_5 = """\
smtp      inet  n       -       y       -       -       smtpd
#submission inet n       -       y       -       -       smtpd
#  -o smtpd_client_restrictions=$mua_client_restrictions
#  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
#smtps     inet  n       -       y       -       -       smtpd
#  -o smtpd_tls_wrappermode=yes
#  -o smtpd_helo_restrictions=$mua_helo_restrictions
"""


SUBMISSION = "submission inet n - - - - smtpd\n  -o smtpd_tls_security_level=may\n"


def test_the_candidate_stands_to_the_letter_between_base_and_additions() -> None:
    """What was advised is what is applied: comments, spelling, continuation lines and all."""
    main = "# as it was written\nsmtpd_tls_exclude_ciphers =  aNULL,\n    # more\n    LOW"
    text = config(main).main_cf
    before, after = text.split(main)
    assert "smtpd_tls_security_level = may\n" in before
    assert "queue_directory" not in before
    assert after.startswith("\n")
    assert "queue_directory = /srv/some/queue\n" in after
    assert parse_main_cf(text).values["smtpd_tls_exclude_ciphers"] == "aNULL,    LOW"


def test_what_the_candidate_sets_is_not_set_by_us() -> None:
    """Else Postfix would warn of overridden entries that are none of the candidate's doing."""
    main = (
        "smtpd_tls_security_level = encrypt\nmyhostname = mail.example.test\nmyhostname = again\n"
    )
    built = config(main)
    values = parse_main_cf(built.main_cf).values
    assert values["smtpd_tls_security_level"] == "encrypt"
    assert values["myhostname"] == "again"
    assert [s.name for s in parse_main_cf(built.main_cf).overridden] == ["myhostname"]
    assert not any(line.startswith("myhostname") for line in built.added)


def test_what_the_harness_cannot_do_without_wins() -> None:
    """An instance that shares a queue, does not listen or logs elsewhere could not be measured."""
    main = (
        "queue_directory = /var/spool/postfix\ndata_directory = /var/lib/postfix\n"
        "inet_interfaces = loopback-only\ninet_protocols = all\nmaillog_file = /var/log/mail.log\n"
    )
    built = config(main)
    values = parse_main_cf(built.main_cf).values
    assert values["queue_directory"] == "/srv/some/queue"
    assert values["data_directory"] == "/srv/some/data"
    assert (values["inet_interfaces"], values["inet_protocols"]) == ("all", "ipv4")
    assert values["maillog_file"] == ""
    replaced = {change.setting for change in built.replaced}
    assert replaced == {setting.name for setting in parse_main_cf(main).settings}


def test_added_tells_every_line_that_is_not_the_candidates() -> None:
    """The evidence alone shows what the harness added."""
    built = config("a = 1\n", SUBMISSION)
    after = built.main_cf.split("a = 1\n")[1]
    lines = [line for line in after.split("\n") if line and not line.startswith("#")]
    assert list(built.added[: len(lines)]) == lines
    assert built.added[len(lines) :] == (
        "master.cf: submissions inet, added: the image's master.cf has none to uncomment",
        "master.cf: smtp inet → 20010 inet",
        "master.cf: submissions inet → 20012 inet",
        "master.cf: submission inet → 20011 inet",
    )


@pytest.mark.parametrize(
    ("version", "level"),
    [("2.11.0", None), ("3.0.0", "2"), ("3.5.25", "2"), ("3.6.0", "3.6"), ("3.10.13", "3.6")],
)
def test_compatibility_level_is_a_fresh_installs(version: str, level: str | None) -> None:
    """Old defaults for an old level would change what is measured, and warn."""
    assert parse_main_cf(config(version=version).main_cf).values.get("compatibility_level") == level


@pytest.mark.parametrize(
    ("name", "before", "since"),
    [
        ("compatibility_level", "2.11.11", "3.0.0"),
        ("maillog_file", "3.3.22", "3.4.0"),
        ("smtpd_client_port_logging", "2.4.16", "2.5.0"),
        ("data_directory", "2.4.16", "2.5.0"),
    ],
)
def test_parameters_are_set_only_where_they_exist(name: str, before: str, since: str) -> None:
    """An older Postfix would warn of an unused parameter that only the harness set."""
    assert name not in names(config(version=before).main_cf)
    assert name in names(config(version=since).main_cf)


@pytest.mark.parametrize(
    ("version", "submissions", "rule"),
    [
        ("2.9.15", "smtps", "client"),
        ("2.11.0", "smtps", "relay"),
        ("3.5.25", "smtps", "relay"),
        ("3.6.0", "submissions", "relay"),
    ],
)
def test_services_that_the_image_does_not_have_even_as_comments_are_ours(
    version: str, submissions: str, rule: str
) -> None:
    """Each service answers on every release, with options that the release knows."""
    built = config(version=version, stock="smtp inet n - y - - smtpd\n")
    assert list(inet(built)) == ["20010", "20011", "20012"]
    _, submission, implicit = inet(built).values()
    relay = {f"smtpd_{rule}_restrictions": "permit_sasl_authenticated,reject"}
    assert submission.options == {
        "syslog_name": "postfix/submission",
        "smtpd_tls_security_level": "encrypt",
        "smtpd_sasl_auth_enable": "yes",
        **relay,
    }
    assert implicit.options == {
        "syslog_name": f"postfix/{submissions}",
        "smtpd_tls_wrappermode": "yes",
        "smtpd_sasl_auth_enable": "yes",
        **relay,
    }


def test_services_are_uncommented_as_the_image_has_them() -> None:
    """A server is measured with what its administrator finds in it, not with a sketch of it."""
    built = config(stock=SHIPPED)
    assert list(inet(built)) == ["20010", "20011", "20012"]
    _, submission, implicit = inet(built).values()
    assert submission.options == {
        "syslog_name": "postfix/submission",
        "smtpd_tls_security_level": "encrypt",
        "smtpd_tls_auth_only": "yes",
        "smtpd_relay_restrictions": "",
        "smtpd_recipient_restrictions": "permit_sasl_authenticated,reject",
    }
    assert implicit.options == {"smtpd_tls_wrappermode": "yes"}
    assert [line for line in built.added if line.startswith("master.cf: sub")] == [
        "master.cf: submission inet, uncommented as the image's own master.cf has it",
        "master.cf: submissions inet, uncommented as the image's own master.cf has it",
        "master.cf: submission inet → 20011 inet",
        "master.cf: submissions inet → 20012 inet",
    ]


def test_uncommenting_changes_nothing_else() -> None:
    """Prose, the loopback variant and other services' comments are no entries and must stay so."""
    before = SHIPPED.removesuffix("\n").split("\n")
    after = config(stock=SHIPPED).master_cf.split("\n")
    changed = [a for a, b in zip(before, after, strict=False) if a != b]
    added = after[len(before) :]
    assert added[0].startswith("matrixsink unix"), "the delivery agent comes last, and alone"
    assert len(changed) == 9
    assert all("-o " in line or "inet" in line for line in changed)
    assert "#  -o never=there" in after
    assert "#127.0.0.1:submission inet n -   y       -       -       smtpd" in after


def test_a_service_that_the_candidate_replaces_stays_a_comment() -> None:
    """Two entries of one port would be a duplicate of our making."""
    built = config(master=SUBMISSION, stock=SHIPPED)
    assert inet(built)["20011"].options == {"smtpd_tls_security_level": "may"}
    assert "#submission inet n " in built.master_cf
    assert list(inet(built)) == ["20010", "20012", "20011"]


def test_undefined_names_are_defined_as_the_empty_value_they_have() -> None:
    """Else postconf warns of each, as if the candidate had caused it."""
    built = config(stock=SHIPPED_3_5, version="3.5.25")
    assert list(inet(built)) == ["20010", "20011", "20012"]
    assert "master.cf: smtps inet → 20012 inet" in built.added
    values = parse_main_cf(built.main_cf).values
    mua = {name: value for name, value in values.items() if name.startswith("mua_")}
    assert mua == {"mua_client_restrictions": "", "mua_helo_restrictions": ""}
    assert {"mua_client_restrictions =", "mua_helo_restrictions ="} <= set(built.added)


@pytest.mark.parametrize(
    ("main", "master", "defined"),
    [
        ("mua_client_restrictions = reject\n", "", ["mua_client_restrictions"]),
        ("", "submission inet n - y - - smtpd\n", []),
        ("", "submission inet n - y - - smtpd -o a=$mua_client_restrictions\n", []),
    ],
)
def test_no_name_is_defined_that_the_candidate_uses_or_that_is_unused(
    main: str, master: str, defined: list[str]
) -> None:
    """An unused parameter makes postconf warn too; a candidate's undefined name is left to it."""
    built = config(main, master, stock=SHIPPED_3_5, version="3.5.25")
    mua_settings = [name for name in names(built.main_cf) if name.startswith("mua_")]
    assert sorted(mua_settings) == sorted([*defined, "mua_helo_restrictions"])


@pytest.mark.parametrize(("stock", "chroot"), [(DEBIAN, "y"), (UPSTREAM, "n"), ("", "-")])
def test_added_services_are_chrooted_as_smtp_is(stock: str, chroot: str) -> None:
    """In a chroot other files are seen, so services of one build must not differ in it."""
    ours = inet(config(stock=stock))
    assert {ours["20011"].fields[4], ours["20012"].fields[4]} == {chroot}


def test_services_that_the_image_has_are_not_added() -> None:
    """An image whose master.cf enables submission is measured with that entry."""
    stock = DEBIAN + "submission inet n - n - - smtpd\n  -o syslog_name=own\n"
    entries = parse_master_cf(config(stock=stock).master_cf).entries
    assert [e.options.get("syslog_name") for e in entries if e.name == "20011"] == ["own"]


def test_replace_merge_and_append_reach_the_added_service() -> None:
    """Advice on submission applies on an image that ships the entry commented out."""
    options = {
        mode: [
            e.options
            for e in parse_master_cf(
                config(master=SUBMISSION, mode=mode, stock=SHIPPED).master_cf
            ).entries
            if e.name == "20011"
        ]
        for mode in Overlay
    }
    assert options[Overlay.REPLACE] == [{"smtpd_tls_security_level": "may"}]
    (merged,) = options[Overlay.MERGE]
    assert merged["smtpd_tls_security_level"] == "may"
    assert merged["syslog_name"] == "postfix/submission"
    assert [o["smtpd_tls_security_level"] for o in options[Overlay.APPEND]] == ["encrypt", "may"]


def test_a_candidate_on_one_address_gets_no_further_entry() -> None:
    """The two could not bind one port, and Postfix would fail through our doing."""
    built = config(master="127.0.0.1:submission inet n - n - - smtpd\n")
    inet = [e.name for e in parse_master_cf(built.master_cf).entries if e.type == "inet"]
    assert inet == ["20010", "20012", "20013"]
    assert [each.service for each in built.listeners] == [
        "smtp",
        "submissions",
        "127.0.0.1:submission",
    ]
