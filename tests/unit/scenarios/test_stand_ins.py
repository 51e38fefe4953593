"""Whole configurations made to run: what stays to the letter, what is replaced and listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.adaptation.setting_kinds import SettingKind
from harness.config_input.text import STDIN
from harness.postfix_config.lookup_tables import TYPES
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    MasterEntry,
    parse_master_cf,
)
from harness.postfix_config.ports import number_ports
from harness.scenarios.candidate import read_candidate
from harness.scenarios.instance import (
    InstanceConfig,
    InstanceContext,
    assemble_instance,
    places_of,
)
from harness.scenarios.scenario import Scenario
from harness.scenarios.services import services_of
from harness.tls import Service

PORTS = {"smtp": 20010, "submission": 20011, "submissions": 20012}
STOCK = """\
smtp      inet  n       -       y       -       -       smtpd
#submission inet n       -       y       -       -       smtpd
pickup    unix  n       -       y       60      1       pickup
cleanup   unix  n       -       y       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
"""
#: A master.cf that stands alone.
WHOLE = """\
smtp       inet  n - y - 1 postscreen
smtpd      pass  - - y - - smtpd
465        inet  n - y - - smtpd
  -o smtpd_tls_wrappermode=yes
127.0.0.1:10025 inet n - n - - smtpd
  -o content_filter=
  -o smtpd_milters=inet:localhost:1
2525       inet  n - n - - smtpd
  -o smtpd_upstream_proxy_protocol=haproxy
cleanup    unix  n - y - 0 cleanup
qmgr       unix  n - n 300 1 qmgr
postlog    unix-dgram n - n - 1 postlogd
"""


def scenario(main: str, master: str = "", *, as_is: bool = False) -> Scenario:
    """A whole candidate."""
    return Scenario("c", "T", "S", "C", main_cf=main, master_cf=master, whole=True, as_is=as_is)


def built(
    main: str, master: str = "", version: str = "3.7.11", *, as_is: bool = False
) -> InstanceConfig:
    """The instance of a whole candidate."""
    candidate = scenario(main, master, as_is=as_is)
    ports = number_ports(PORTS, places_of(candidate, STOCK, version))
    context = InstanceContext(
        "c", version, "/i", ports, "inet:192.0.2.1:1", STOCK, TYPES - {"pcre"}
    )
    return assemble_instance(candidate, context)


def values(config: InstanceConfig) -> dict[str, str]:
    """main.cf as it is in effect."""
    return parse_main_cf(config.main_cf).values


def entries(config: InstanceConfig) -> dict[str, MasterEntry]:
    """The effective entries by name."""
    return {entry.name: entry for entry in parse_master_cf(config.master_cf).entries}


@pytest.mark.parametrize(
    "main",
    ["myhostname = a.test\n", "smtpd_use_tls = no\n", "smtpd_enforce_tls = yes\n"],
)
def test_nothing_is_added_to_a_whole_configuration_that_decides_tls(main: str) -> None:
    """A server without a TLS line offers no TLS; with base settings it would."""
    config = built(main)
    added = {name for name in values(config) if "tls" in name} - set(parse_main_cf(main).values)
    assert added == {"smtpd_tls_loglevel", "smtpd_tls_received_header", "smtp_tls_loglevel"}
    assert "compatibility_level" not in values(config)
    assert config.base == ()


def test_what_decides_tls_stays_to_the_letter() -> None:
    """The harness may not improve what it measures."""
    lines = (
        "smtpd_tls_security_level = may\nsmtpd_tls_protocols =  !SSLv2,\n    !SSLv3\n"
        "tls_high_cipherlist=HIGH:!aNULL\nsmtpd_tls_auth_only = no\nsmtpd_banner = $myhostname\n"
    )
    assert lines in built(lines + "smtpd_milters = inet:localhost:1\n").main_cf


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("daemon_directory = /usr/libexec/postfix", SettingKind.MACHINE),
        ("queue_directory = /var/spool/postfix", SettingKind.MACHINE),
        ("inet_interfaces = loopback-only", SettingKind.MACHINE),
        ("myorigin = /etc/mailname", SettingKind.SURROUNDINGS),
        ("smtpd_milters = inet:rspamd:9900", SettingKind.SURROUNDINGS),
        ("content_filter = amavis:[127.0.0.1]:10024", SettingKind.SURROUNDINGS),
        ("smtpd_sasl_path = private/auth", SettingKind.SURROUNDINGS),
        ("virtual_alias_maps = mysql:/etc/postfix/a.cf", SettingKind.SURROUNDINGS),
    ],
)
def test_each_replacement_is_listed_with_its_reason(line: str, kind: SettingKind) -> None:
    """An administrator sees what of hers did not take part."""
    name = line.partition(" = ")[0]
    changes = [change for change in built(line + "\n").replaced if change.setting == name]
    assert changes[0].value == line.partition(" = ")[2]
    assert changes[0].kind is kind
    assert changes[0].reason


def test_an_owner_that_is_left_empty_is_postfixs_to_refuse() -> None:
    """Upstream's main.cf has setgid_group empty, and no Postfix runs with it."""
    config = built("setgid_group =\nshlib_directory =\n")
    assert values(config)["setgid_group"] == ""
    assert "shlib_directory" not in values(config)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("smtpd_client_connection_count_limit = many", True),
        ("smtpd_client_connection_count_limit = 10", False),
        ("smtpd_client_connection_count_limit = $other", False),
        ("inet_protocols = ipv5", True),
        ("inet_protocols = ipv4, ipv6", False),
        ("default_destination_rate_delay = 5x", True),
        ("default_destination_rate_delay = 5s", False),
    ],
)
def test_a_value_that_no_postfix_reads_is_postfixs_to_refuse(line: str, kept: bool) -> None:
    """Postfix dies of it on every machine, so leaving it out would be a wrong answer."""
    assert (f"{line}\n" in built(f"{line}\n").main_cf) is kept


def test_as_is_replaces_nothing() -> None:
    """Advice that is about a milter or a table is measured with it."""
    main = "smtpd_milters = inet:localhost:1\nvirtual_alias_maps = mysql:/a\n"
    config = built(main, as_is=True)
    assert main in config.main_cf
    assert config.replaced == ()


def test_the_services_are_the_candidates_own() -> None:
    """Each service is listed with how it does TLS; the build's entries are not there."""
    config = built("smtpd_tls_security_level = may\nsmtpd_sasl_auth_enable = yes\n", WHOLE)
    reasons = {
        str(each.service): (each.entry, each.implicit_tls, each.authenticates, each.proxied)
        for each in config.listeners
    }
    assert reasons == {
        "smtp": ("smtp", False, False, False),
        "submissions": ("465", True, True, False),
        "127.0.0.1:10025": ("127.0.0.1:10025", False, False, False),
        "2525": ("2525", False, True, True),
    }
    assert tuple(map(str, services_of(scenario("", WHOLE)))) == tuple(
        sorted(reasons, key=["smtp", "submissions", "127.0.0.1:10025", "2525"].index)
    )


def test_entries_are_freed_of_the_machine() -> None:
    """No chroot that the user's init script fills, no address of hers, no milter of hers."""
    config = built("", WHOLE)
    by_name = entries(config)
    assert {entry.fields[4] for entry in by_name.values() if len(entry.fields) > 4} == {"n"}
    reinjection = by_name["20013"]
    assert reinjection.options == {"content_filter": "", "mynetworks": "0.0.0.0/0"}
    assert "postlog" in by_name
    assert "postlog" not in entries(built("", WHOLE, version="3.1.0"))


@pytest.mark.parametrize(
    ("restrictions", "serves_mynetworks"),
    [
        ("permit_mynetworks,reject", True),
        ("permit_mynetworks,permit_sasl_authenticated,reject", False),
        ("permit_mynetworks", False),
        ("reject,permit_mynetworks", False),
    ],
)
def test_a_service_for_own_networks_is_met_by_a_client_of_them(
    restrictions: str, serves_mynetworks: bool
) -> None:
    """mailcow's 590 serves its own containers only; its refusal of others is not about TLS."""
    master = WHOLE.replace("2525 ", f"590 inet n - n - - smtpd\n  -o "
                           f"smtpd_client_restrictions={restrictions}\n2525 ")  # fmt: skip
    assert ("mynetworks" in entries(built("", master))["20014"].options) is serves_mynetworks


def test_options_keep_their_text() -> None:
    """An option under test is not touched by what happens to its neighbours."""
    master = WHOLE.replace(
        "  -o smtpd_tls_wrappermode=yes\n",
        "  -o smtpd_tls_wrappermode=yes\n  -o smtpd_milters=inet:a:1\n"
        "  -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n",
    )
    options = entries(built("", master))["20012"].options
    assert options == {
        "smtpd_tls_wrappermode": "yes",
        "smtpd_client_restrictions": "permit_sasl_authenticated,reject",
    }


def test_a_main_cf_alone_has_the_builds_own_entries() -> None:
    """The distribution's services stand where none was given."""
    assert tuple(services_of(scenario("a = b\n"))) == ("smtp", "submission", "submissions")
    assert [each.service for each in built("a = b\n").listeners] == [
        "smtp", "submission", "submissions"
    ]  # fmt: skip


def test_entries_without_the_essential_ones_are_added_to_the_builds() -> None:
    """iRedMail's installer appends its entries to Debian's; no further service is added."""
    more = "submission inet n - n - - smtpd\n"
    assert tuple(services_of(scenario("a = b\n", more))) == ("smtp", "submission")
    assert [each.service for each in built("a = b\n", more).listeners] == ["smtp", "submission"]


@pytest.mark.parametrize(
    ("main", "name", "start"),
    [
        ("virtual_mailbox_domains = mysql:/a\n", "virtual_mailbox_domains", "sink.test, "),
        ("virtual_mailbox_domains =\n", "virtual_mailbox_domains", "sink.test"),
        ("transport_maps = hash:/a\n", "transport_maps", "regexp:/i/etc/transport, "),
        ("smtpd_sender_login_maps = ldap:/a\n", "smtpd_sender_login_maps", "regexp:/i/etc/log-ins"),
        ("", "transport_maps", "regexp:/i/etc/transport"),
    ],
)
def test_the_tests_mail_arrives_whatever_the_tables(main: str, name: str, start: str) -> None:
    """A message that no table knows would be refused, and TLS would look to be the cause."""
    assert values(built(main))[name].startswith(start)


def test_postscreen_lets_the_tests_clients_pass() -> None:
    """Its tests take six seconds, and a client that passed them once is let through."""
    config = built("postscreen_access_list = permit_mynetworks, cidr:/x\n", WHOLE)
    value = values(config)["postscreen_access_list"]
    assert value.startswith("cidr:/i/etc/known-clients, permit_mynetworks, ")


@pytest.mark.parametrize("name", ["mailcow", "dms", "mailu", "feministwiki", "ispconfig2016"])
def test_real_configurations_assemble(name: str) -> None:
    """A wiki's, a panel's and three container projects' files; their texts are with the tests."""
    folder = Path(__file__).parents[2] / "data" / "configurations" / name
    config = built((folder / "main.cf").read_text(), (folder / "master.cf").read_text())
    assert config.replaced
    assert all(change.reason for change in config.replaced)
    names = [setting.name for setting in parse_main_cf(config.main_cf).settings]
    original = parse_main_cf((folder / "main.cf").read_text())
    tls = [s for s in original.settings if s.name.startswith(("smtpd_tls_", "tls_"))]
    tls = [s for s in tls if s.name != "tls_random_source"]
    kept = {s.name for s in tls if not s.name.endswith(("_maps", "_database", "_loglevel"))}
    assert kept <= set(names)


def test_options_that_are_laid_below_the_builds_entries_get_stand_ins_too() -> None:
    """Pasted under submission, smtpd_sasl_path = private/auth killed smtpd: no Dovecot is there."""
    options = "-o smtpd_sasl_path=private/auth\n-o smtpd_tls_security_level=encrypt\n"
    candidate = read_candidate({STDIN: options}, Service.SUBMISSION)
    ports = number_ports(PORTS, places_of(candidate, STOCK, "3.7.11"))
    config = assemble_instance(
        candidate, InstanceContext("c", "3.7.11", "/i", ports, "inet:s:1", STOCK)
    )
    submission = entries(config)[str(PORTS["submission"])]
    assert "smtpd_sasl_path" not in submission.options
    assert submission.options["smtpd_tls_security_level"] == "encrypt"
    assert [change.setting for change in config.replaced] == ["smtpd_sasl_path"]


@pytest.mark.parametrize(
    ("path", "lies"),
    [
        ("/etc/pki/tls.cnf", "/etc/pki/tls.cnf"),
        ("${config_directory}/tls.cnf", "/i/etc/tls.cnf"),
    ],
)
def test_a_library_file_that_did_not_come_along_is_empty(path: str, lies: str) -> None:
    """Where tls_config_file is missing, Postfix does no TLS at all (postconf(5))."""
    assert built(f"tls_config_file = {path}\n").texts[lies] == ""


@pytest.mark.parametrize(
    ("value", "follows"),
    [
        ("465.inet, !127.0.0.1:10025/inet", "20012.inet, !20013/inet"),
        ("inet, 46/inet, smtp/unix", "inet, 46/inet, smtp/unix"),
    ],
)
def test_a_service_that_is_switched_off_stays_so_on_its_new_port(value: str, follows: str) -> None:
    """master(8) compares names, so the service was served, and measured, all the same."""
    config = built(f"master_service_disable = {value}\n", WHOLE)
    assert values(config)["master_service_disable"] == follows
    notes = [line for line in config.added if "465.inet" in line]
    assert bool(notes) is (value != follows)


def test_a_service_speaks_as_its_settings_say_with_references_followed() -> None:
    """Level "$level" got no remedy, and implicit TLS by "$wrap" was spoken to with STARTTLS."""
    main = "level = encrypt\nwrap = yes\nsmtpd_tls_security_level = ${level}\n"
    options = "  -o smtpd_tls_wrappermode=$wrap\n  -o smtpd_sasl_auth_enable=$(wrap)\n"
    services = built(main, f"{WHOLE}26 inet n - n - - smtpd\n{options}").listeners
    by_service = {
        str(listener.service): (listener.level, listener.implicit_tls, listener.authenticates)
        for listener in services
    }
    assert by_service["smtp"] == ("encrypt", False, False)
    assert by_service["26"] == ("implicit TLS", True, True)


def test_a_service_behind_postscreen_goes_by_the_smtpd_that_takes_its_clients() -> None:
    """smtpd_service_name says which, and postscreen's options do not apply to smtpd."""
    master = WHOLE.replace(
        "1 postscreen\n", "1 postscreen\n  -o smtpd_service_name=b\n  -o smtpd_use_tls=no\n"
    )
    master += "b pass - - n - - smtpd\n  -o smtpd_use_tls=yes\n"
    levels = {str(listener.service): listener.level for listener in built("", master).listeners}
    assert levels["smtp"] == "may"


def test_an_option_that_compares_senders_with_log_ins_knows_the_tests_own() -> None:
    """Set under submission, as tutorials have it, the list refused the test's sender."""
    options = (
        "  -o smtpd_sender_restrictions=reject_sender_login_mismatch\n"
        "  -o smtpd_sender_login_maps=hash:/etc/postfix/logins -o { virtual_alias_maps = a, b }\n"
    )
    config = built("", f"{WHOLE}587 inet n - n - - smtpd -v\n{options}")
    submission = entries(config)["20011"].options
    logins = "regexp:/i/etc/log-ins,regexp:/i/etc/empty"
    assert submission["smtpd_sender_login_maps"] == logins
    assert submission["virtual_alias_maps"] == "regexp:/i/etc/recipients-as-written,a, b"
    assert submission["smtpd_sender_restrictions"] == "reject_sender_login_mismatch"
    assert config.replaced[-1].where == "master.cf: 587"


@pytest.mark.parametrize(
    ("interfaces", "names"),
    [
        ("192.0.2.1", {"smtp": "20010", "127.0.0.1:smtp": "20013"}),
        ("192.0.2.1, localhost", {"smtp": "127.0.0.1:20010"}),
        ("all", {"smtp": "127.0.0.1:20010"}),
    ],
)
def test_an_entry_of_no_address_leaves_those_free_that_it_does_not_listen_on(
    interfaces: str, names: dict[str, str]
) -> None:
    """Both had the same port, and master(8) died: "config-rejected" without an error in it."""
    master = "smtp inet n - n - - smtpd\n127.0.0.1:smtp inet n - n - - smtpd\n" + (
        "cleanup unix n - y - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n"
    )
    main = f"inet_interfaces = {interfaces}\n"
    config = built(main, master)
    assert [str(listener.service) for listener in config.listeners] == list(names)
    assert list(services_of(scenario(main, master))) == list(names)
    assert set(names.values()) <= set(entries(config))
