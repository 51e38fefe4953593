"""What one instance's configuration names beside itself: files, mail, other listeners, Dovecot."""

from __future__ import annotations

import re

import pytest

from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    parse_master_cf,
)
from harness.scenarios.instance import (
    FileKind,
)
from tests.unit.scenarios.instance_samples import SHIPPED, config, inet


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
