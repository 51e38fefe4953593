"""One instance's configuration: base, candidate, additions, ports and the files it names."""

from __future__ import annotations

import re

import pytest

from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    MasterEntry,
    parse_master_cf,
)
from harness.postfix_config.master_cf_overlay import Overlay
from harness.postfix_config.ports import number_ports
from harness.scenarios.instance import (
    FileKind,
    InstanceConfig,
    InstanceContext,
    assemble_instance,
    places_of,
)
from harness.scenarios.scenario import Scenario

PORTS = {"smtp": 20010, "submission": 20011, "submissions": 20012}
#: The services that matter, as Debian has them (chrooted) and as upstream has them since 3.0.
DEBIAN = """\
smtp      inet  n       -       y       -       -       smtpd
#submission inet n       -       y       -       -       smtpd
pickup    unix  n       -       y       60      1       pickup
smtp      unix  -       -       y       -       -       smtp
"""
UPSTREAM = DEBIAN.replace(" y ", " n ")
#: As releases have them: 3.7's comments, with prose between the options and a choice of two...
SHIPPED = """\
smtp      inet  n       -       y       -       -       smtpd
#smtp      inet  n       -       y       -       1       postscreen
# Choose one: for this host's own clients only, or for any client.
#127.0.0.1:submission inet n -   y       -       -       smtpd
#submission inet n       -       y       -       -       smtpd
#  -o syslog_name=postfix/submission
#  -o smtpd_tls_security_level=encrypt
#  -o smtpd_tls_auth_only=yes
#     Prose about the next option,
#     in two lines with <xxx> in it.
#  -o smtpd_relay_restrictions=
#  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
# Choose one: for this host's own clients only, or for any client.
#127.0.0.1:submissions inet n  -       y       -       -       smtpd
#submissions     inet  n       -       y       -       -       smtpd
#  -o smtpd_tls_wrappermode=yes
#628       inet  n       -       y       -       -       qmqpd
#  -o never=there
pickup    unix  n       -       y       60      1       pickup
"""
#: ... and 3.5's, with undefined names, and the older name of submissions.
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


def config(
    main: str = "",
    master: str = "",
    mode: Overlay = Overlay.REPLACE,
    *,
    version: str = "3.7.11",
    stock: str = DEBIAN,
) -> InstanceConfig:
    """The instance of a candidate."""
    scenario = Scenario("some", "T", "S", "C", main_cf=main, master_cf=master, overlay=mode)
    ports = number_ports(PORTS, places_of(scenario, stock, version))
    around = InstanceContext("some", version, "/srv/some", ports, "inet:192.0.2.1:12345", stock)
    return assemble_instance(scenario, around)


def inet(built: InstanceConfig) -> dict[str, MasterEntry]:
    """The inet entries by port."""
    return {e.name: e for e in parse_master_cf(built.master_cf).entries if e.type == "inet"}


def names(text: str) -> list[str]:
    """The names that a main.cf sets, in order."""
    return [setting.name for setting in parse_main_cf(text).settings]


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


@pytest.mark.parametrize(
    ("main", "master", "files"),
    [
        ("smtpd_tls_dh1024_param_file = /etc/dh.pem\n", "", {"/etc/dh.pem": FileKind.DH_2048}),
        ("smtpd_tls_dh512_param_file = /etc/dh512.pem\n", "", {"/etc/dh512.pem": FileKind.DH_512}),
        ("smtpd_tls_dh1024_param_file = auto\nsmtpd_tls_eccert_file = none\n", "", {}),
        ("smtpd_tls_eccert_file=/e.pem\n", "", {"/e.pem": FileKind.EC_CHAIN}),
        (
            "smtpd_tls_eccert_file=/e.pem\nsmtpd_tls_eckey_file=/k.pem\n",
            "",
            {"/e.pem": FileKind.EC_CERTIFICATE, "/k.pem": FileKind.EC_KEY},
        ),
        ("smtpd_tls_cert_file=/c.pem\n", "", {"/c.pem": FileKind.CHAIN}),
        ("smtpd_tls_dkey_file=/d.pem\n", "", {"/d.pem": FileKind.DSA_KEY}),
        ("smtp_tls_CAfile = $config_directory/ca.pem\n", "", {"/srv/some/etc/ca.pem": FileKind.CA}),
        (
            "d = /tls\nsmtpd_tls_chain_files = ${d}/a.pem, $(d)/b.pem\n",
            "",
            {"/tls/a.pem": FileKind.CHAIN, "/tls/b.pem": FileKind.EC_CHAIN},
        ),
        (
            "smtpd_tls_cert_file = /all.pem\nsmtpd_tls_key_file = $smtpd_tls_cert_file\n",
            "",
            {"/all.pem": FileKind.CHAIN},
        ),
        ("smtpd_tls_CAfile = $loop\nloop = $loop\n", "", {}),
        ("smtpd_tls_CAfile = ${x?/never.pem}\n", "", {}),
        (
            "",
            "submission inet n - n - - smtpd -o smtpd_tls_eckey_file=/own.pem\n",
            {"/own.pem": FileKind.EC_KEY},
        ),
        (
            "d = /main\n",
            "submission inet n - n - - smtpd -o d=/own -o smtpd_tls_eckey_file=$d/key.pem\n",
            {"/own/key.pem": FileKind.EC_KEY},
        ),
        (
            "smtpd_tls_CAfile = /first.pem\nsmtpd_tls_CAfile = /last.pem\n",
            "",
            {"/last.pem": FileKind.CA},
        ),
    ],
)
def test_files_that_the_configuration_names(
    main: str, master: str, files: dict[str, FileKind]
) -> None:
    """Test keys go to exactly the paths that are named, so no line has to be edited."""
    key_paths = dict(config(main, master).files)
    if not {"smtpd_tls_cert_file", "smtpd_tls_chain_files"} & set(parse_main_cf(main).values):
        assert key_paths.pop("/etc/ssl/certs/ssl-cert-snakeoil.pem") is FileKind.RSA_CERTIFICATE
        assert key_paths.pop("/etc/ssl/private/ssl-cert-snakeoil.key") is FileKind.RSA_KEY
    assert key_paths == files


def test_mail_for_every_token_and_for_no_other_address() -> None:
    """A probe's message is taken and found again; any other recipient stays refused."""
    recipients = config().texts["/srv/some/etc/recipients"]
    pattern, mailbox = recipients.rstrip("\n").rsplit(" ", 1)
    expression = re.compile(pattern.strip("/"), re.IGNORECASE)
    assert expression.search("t0ken@sink.test")
    assert not expression.search("a.b@sink.test")
    assert not expression.search("token@sinkxtest")
    assert not expression.search("token@sink.test.example")
    assert mailbox.endswith("/"), "a maildir: virtual(8) takes no $1, so no file of its own a token"
    assert "$" not in mailbox


def test_other_listeners_get_ports_of_the_instance_and_are_told() -> None:
    """A second scenario with the same fixed port must start, too; the evidence shows the change."""
    built = config(master="127.0.0.1:10025 inet n - n - - smtpd\n", stock=SHIPPED)
    assert list(inet(built)) == ["20010", "20011", "20012", "20013"]
    assert "master.cf: 127.0.0.1:10025 inet → 20013 inet" in built.added


def test_instances_share_nothing() -> None:
    """Two scenarios in one container must not read each other's queue, mail or recipients."""
    values = parse_main_cf(config().main_cf).values
    for name in ("queue_directory", "data_directory"):
        assert values[name].startswith("/srv/some/")
    sink = parse_master_cf(config().master_cf).entries[-1]
    assert sink.options["virtual_mailbox_base"] == "/srv/some/mail"
    assert values["virtual_mailbox_maps"] == "regexp:/srv/some/etc/recipients"
    assert values["syslog_name"] == "postfix-some"
    assert values["smtpd_sasl_path"] == "inet:192.0.2.1:12345"


@pytest.mark.parametrize(
    ("version", "path", "bridged"),
    [("2.5.17", "private/matrixsasl", True), ("2.6.6", "inet:192.0.2.1:12345", False)],
)
def test_dovecot_is_reached_where_smtpd_knows_unix_sockets_only(
    version: str, path: str, bridged: bool
) -> None:
    """Protects submission on Postfix 2.3 to 2.5, whose smtpd died: it found no mechanism."""
    built = config(version=version)
    assert parse_main_cf(built.main_cf).values["smtpd_sasl_path"] == path
    bridges = [
        entry
        for entry in parse_master_cf(built.master_cf).entries
        if entry.text.endswith("spawn user=nobody argv=busybox nc 192.0.2.1 12345\n")
    ]
    assert bool(bridges) is bridged
