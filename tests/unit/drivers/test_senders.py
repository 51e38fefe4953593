"""Mail servers and mail programs as clients: what each is told, and how its words are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dma_driver
import exim_old_driver
import libraries
import mailx_driver
import mutt_driver
import nullmailer_driver
import opensmtpd_driver
import pytest
import sendmail_driver
import ssmtp_driver
from common.contract import Offer, Request
from common.mailer import Incapable
from exim_driver import make_configuration
from priorities import list_versions, parse_gnutls_version, spell_priorities

REQUEST = Request(
    id="a/b/smtp/c/TLSv1.2",
    host="debian-12.mx.test",
    port=25,
    server_name="mx.test",
    implicit_tls=False,
    offer=None,
    ca_file="/run/ca.pem",
    username=None,
    password=None,
    sender="a@client.test",
    recipient="b@sink.test",
    subject="s",
    time_limit=10,
)
LOGIN = replace(REQUEST, username="user", password="word")
PINNED = replace(REQUEST, offer=Offer("TLSv1.2", "TLSv1.2"))
OLD_GNUTLS = (2, 12, 23)


def test_priorities_are_spelled_as_the_librarys_age_knows_them() -> None:
    """Protects offers on old GnuTLS: an unknown word there is an error, not a choice."""
    assert "-VERS-TLS-ALL:+VERS-TLS1.2" in spell_priorities(Offer("TLSv1.2", "TLSv1.2"), OLD_GNUTLS)
    group = Offer("TLSv1.2", "TLSv1.2", groups=("prime256v1",))
    assert "+CURVE-SECP256R1" in spell_priorities(group, (3, 4, 10))
    assert "+GROUP-SECP256R1" in spell_priorities(group, (3, 7, 9))
    with pytest.raises(Incapable, match="no option for groups"):
        spell_priorities(group, OLD_GNUTLS)
    with pytest.raises(Incapable, match=r"TLSv1\.3 before"):
        spell_priorities(Offer("TLSv1.3", "TLSv1.3"), (3, 5, 18))


def test_a_gnutls_is_known_by_its_packages_version() -> None:
    """Protects descriptions: which versions a program can offer follows from its library's."""
    assert parse_gnutls_version("GnuTLS 3.4.10-4ubuntu1") == (3, 4, 10)
    assert list_versions((3, 4, 10)) == ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"]
    assert list_versions((3, 7, 9)) == ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
    with pytest.raises(ValueError, match="no version"):
        parse_gnutls_version("GnuTLS dpkg-query:")


def test_an_old_exim_gets_no_option_that_it_does_not_have() -> None:
    """Protects Exim 4.82: one unknown option, and it does not run at all."""
    text = make_configuration(REQUEST, 4000, "/tmp/x", 1000)
    old = exim_old_driver.make_old_configuration(text, (4, 82), OLD_GNUTLS)
    assert "keep_environment" not in old
    assert "tls_verify_certificates" not in old
    newer = exim_old_driver.make_old_configuration(text, (4, 93), (3, 6, 13))
    assert "keep_environment" in newer
    assert "tls_verify_certificates = /run/ca.pem" in newer


def test_an_old_exim_insists_on_no_certificate_with_an_offer() -> None:
    """Protects offers: they ask what is negotiated, and never fail by the certificate."""
    text = make_configuration(PINNED, 4000, "/tmp/x", 1000)
    assert "tls_try_verify_hosts" in text
    old = exim_old_driver.make_old_configuration(text, (4, 86), (3, 4, 10))
    assert "verify" not in old
    assert "hosts_require_tls = *" in old


def test_sendmail_leaves_versions_out_by_number() -> None:
    """Protects Sendmail's pins: 8.15 has no name for TLSv1.3, and does not run with a wrong one."""
    known = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
    options, ciphers = sendmail_driver.offer_options(PINNED.offer, known)
    assert options == "O ClientSSLOptions=+0x04000000 +0x10000000 +0x20000000"
    assert ciphers == "O CipherList=ALL:COMPLEMENTOFALL:@SECLEVEL=0"
    assert sendmail_driver.offer_options(None, known) == []
    with pytest.raises(Incapable, match="built without"):
        sendmail_driver.offer_options(Offer("TLSv1.3", "TLSv1.3"), known[:3])
    with pytest.raises(Incapable, match="groups"):
        sendmail_driver.offer_options(Offer("TLSv1.2", "TLSv1.2", groups=("X25519",)), known)


def test_sendmail_sends_all_to_the_relay_whatever_the_load() -> None:
    """Protects cells on a busy machine: by default Sendmail only queues when the load is high."""
    text = sendmail_driver.make_macros(LOGIN, 4000, "/tmp/x", ["O X=1"])
    assert "define(`RELAY_MAILER_ARGS', `TCP $h 4000')" in text
    assert "define(`confQUEUE_LA', `10000')" in text
    assert "FEATURE(`authinfo', `text -z| -k0 -v1 -o /tmp/x/authinfo')" in text
    assert text.endswith("LOCAL_CONFIG\nO X=1\n")
    assert "access_db" in sendmail_driver.make_macros(
        replace(REQUEST, plaintext=True), 1, "/tmp/x", []
    )


def test_what_sendmail_shows_of_a_delivery() -> None:
    """Protects the reading of -v: what the server replied, inside TLS too."""
    sent = sendmail_driver.read_output(0, "b@sink.test... Sent (Ok: queued as 4F2)\n")
    assert sent.sent
    assert sent.reply is not None
    assert sent.reply.text == "Ok: queued as 4F2"
    failed = sendmail_driver.read_output(
        0, ">>> AUTH PLAIN x\n535 5.7.8 Error: authentication failed: x\n>>> MAIL From:<a>\n530 5\n"
    )
    assert (failed.sent, failed.stage) == (False, "auth")
    assert failed.reply is not None
    assert failed.reply.code == 535
    deferred = sendmail_driver.read_output(0, "b@sink.test... Deferred: 403 4.7.0 TLS handshake.\n")
    assert deferred.error == "b@sink.test... Deferred: 403 4.7.0 TLS handshake."


@pytest.mark.parametrize(
    ("request_", "version", "line"),
    [
        (REQUEST, (5, 7), "relay via smtp+tls://mx.test:4000 hostname"),
        (replace(REQUEST, plaintext=True), (6, 0), "relay via smtp://mx.test:4000 hostname"),
        (LOGIN, (6, 0), "relay via tls+auth://account@mx.test:4000 auth <secrets>"),
        (REQUEST, (6, 6), "relay host smtp://mx.test:4000 helo"),
        (replace(REQUEST, plaintext=True), (6, 6), "relay host smtp+notls://mx.test:4000 helo"),
        (LOGIN, (7, 6), "relay host smtp+tls://account@mx.test:4000 auth <secrets>"),
        (replace(LOGIN, implicit_tls=True), (6, 6), "relay host smtps://account@mx.test:4000 auth"),
    ],
)
def test_opensmtpds_schemes_changed_places(
    request_: Request, version: tuple[int, ...], line: str
) -> None:
    """Protects "opportunistic": smtp:// means no TLS before 6.4, and TLS where offered after."""
    assert line in opensmtpd_driver.make_configuration(request_, 4000, version)


def test_what_smtpd_logs_of_a_delivery() -> None:
    """Protects OpenSMTPD's cells: the delivery's end, in the words of either time."""
    old = "smtp-out: session 9: evpid=1, status=Ok, from=<a>, stat=250 2.0.0 Ok: queued as 4F2\n"
    new = 'x mta delivery evpid=1 result="Ok" stat="250 2.0.0 Ok: queued as 4F2"\n'
    for log in (old, new):
        report = opensmtpd_driver.read_output(log)
        assert report is not None
        assert report.sent
    assert (
        opensmtpd_driver.read_output("smtp-in: session 9: msgid=1, status=Ok, from=<a>\n") is None
    )
    assert (
        opensmtpd_driver.read_output(
            "smtp-out: session 9: error: TLS failed, downgrading to plain\n"
        )
        is None
    )
    refused = opensmtpd_driver.read_output(
        "smtp-out: session 9: error: AUTH rejected: 535 5.7.8 Error: authentication failed: x\n"
    )
    assert refused is not None
    assert (refused.sent, refused.stage) == (False, "auth")


def test_dma_uses_tls_where_it_is_offered() -> None:
    """Protects "opportunistic": dma's own file has TLS off, its manual's smarthost has it on."""
    lines = dma_driver.make_configuration(LOGIN, 4000)
    assert "OPPORTUNISTIC_TLS\n" in lines["dma.conf"]
    assert "PORT 4000\n" in lines["dma.conf"]
    assert lines["auth.conf"] == "user|mx.test:word\n"
    plain = dma_driver.make_configuration(replace(REQUEST, plaintext=True), 4000)
    assert "SECURETRANSFER" not in plain["dma.conf"]
    implicit = dma_driver.make_configuration(replace(REQUEST, implicit_tls=True), 4000)
    assert "STARTTLS" not in implicit["dma.conf"]


def test_what_dma_logs_of_a_delivery() -> None:
    """Protects dma's cells: its exit status says nothing of the delivery."""
    assert dma_driver.read_log(["dma[1.2]: delivery successful"]).sent
    failed = dma_driver.read_log(
        ["dma[1.2]: remote delivery failed: SMTP login failed: 535 5.7.8 Error: no"]
    )
    assert (failed.sent, failed.stage) == (False, "auth")


@pytest.mark.parametrize(
    "make",
    [
        dma_driver.make_configuration,
        ssmtp_driver.make_configuration,
        nullmailer_driver.make_options,
    ],
)
def test_what_takes_no_offer_says_so(make: object) -> None:
    """Protects offers: a program that would ignore one never sends as if it had made it."""
    assert callable(make)
    with pytest.raises(Incapable, match="no option that chooses"):
        make(PINNED, 4000)


def test_the_small_programs_start_tls_only_when_told() -> None:
    """Protects ssmtp and nullmailer: by themselves both send in the clear."""
    assert "UseSTARTTLS=YES" in ssmtp_driver.make_configuration(REQUEST, 4000)
    assert "UseTLS" not in ssmtp_driver.make_configuration(replace(REQUEST, plaintext=True), 4000)
    assert "--starttls" in nullmailer_driver.make_options(REQUEST, 4000)
    assert "--ssl" in nullmailer_driver.make_options(replace(REQUEST, implicit_tls=True), 4000)
    assert nullmailer_driver.format_queued(REQUEST).startswith(
        b"a@client.test\nb@sink.test\n\nFrom:"
    )


def test_mutt_switches_versions_one_by_one() -> None:
    """Protects mutt's pins: a switch that is left on adds its version to the priorities."""
    rc = mutt_driver.make_configuration(PINNED, 4000, (3, 7, 9), "/tmp/x/spool")
    assert 'set ssl_use_tlsv1_2="yes"' in rc
    assert 'set ssl_use_tlsv1_3="no"' in rc
    assert 'set ssl_force_tls="yes"' in rc
    assert "ssl_use_tlsv1_3" not in mutt_driver.make_configuration(
        PINNED, 4000, (3, 4, 10), "/tmp/x/spool"
    )
    assert "ssl_force_tls" not in mutt_driver.make_configuration(REQUEST, 4000, (3, 7), "/tmp/x/s")


def test_s_nails_variables_follow_its_age() -> None:
    """Protects s-nail's pins: it ignores a variable that it does not have."""
    new = mailx_driver.make_variables(PINNED, 4000, (14, 9, 24))
    assert new["mta"] == "smtp://mx.test:4000"
    pairs = "MinProtocol=TLSv1.2,MaxProtocol=TLSv1.2,CipherString=ALL:COMPLEMENTOFALL:@SECLEVEL=0"
    assert new["tls-config-pairs"] == pairs
    old = mailx_driver.make_variables(PINNED, 4000, (14, 8, 6))
    assert old["ssl-protocol"] == "-ALL, +TLSv1.2"
    assert old["smtp"] == "smtp://mx.test:4000"
    with pytest.raises(Incapable, match="not supported"):
        mailx_driver.make_variables(
            replace(REQUEST, offer=Offer("TLSv1.3", "TLSv1.3")), 4000, (14, 8, 6)
        )


def test_s_nails_url_quotes_what_must_be_quoted_and_nothing_else() -> None:
    """Protects logins: 14.9.24 refuses a URL whose "-" is quoted, and 14.9.15 logs in to none."""
    login = replace(LOGIN, username="web-shop@x", password="a-b_c.d~e:f/g")
    mta = mailx_driver.make_variables(login, 4000, (14, 9, 24))["mta"]
    assert mta == "smtp://web-shop%40x:a-b_c.d~e%3Af%2Fg@mx.test:4000"


def test_a_library_that_is_not_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects descriptions: "libcrypto.so.1.0.0 => not found" names no file."""
    monkeypatch.setattr(libraries, "ask_program", lambda *_: "\tlibcrypto.so.1.0.0 => not found\n")
    assert libraries.find_library("/usr/sbin/dma", "libcrypto") == ""
    assert libraries.read_openssl_version("/usr/sbin/dma") == "OpenSSL"


def test_opensmtpd_asks_no_dns(tmp_path: Path) -> None:
    """Protects its cells: asr(3) asks the DNS first, which does not know the relay's name."""
    for name in ("usr/sbin/smtpctl", "etc/x", "run/ca.pem"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    request = replace(REQUEST, ca_file=str(tmp_path / "run/ca.pem"))
    opensmtpd_driver.fill_root(tmp_path, "text", request)
    assert (tmp_path / "etc/resolv.conf").read_text() == "lookup file\n"
    assert (tmp_path / "etc/smtpd.conf").read_text() == "text"
