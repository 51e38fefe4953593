"""A build's own Postfix as a client: what it is told, and what its log says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from common.contract import Offer, Request
from common.mailer import Incapable
from postfix_finger import make_command, read_output
from postfix_log import Log
from postfix_settings import (
    Build,
    Way,
    make_main_cf,
    make_master_cf,
    make_tls_settings,
    parse_version,
)

TLS = ("TLSv1", "TLSv1.1", "TLSv1.2")
OLD = Build(
    (3, 1, 0),
    "OpenSSL 1.0.2g  1 Mar 2016",
    ("SSLv2", "SSLv3", *TLS),
    sasl=True,
    unavailable={"SSLv2": "unknown option -ssl2", "TLSv1.3": "unknown option -tls1_3"},
)
NEW = Build(
    (3, 10, 13),
    "OpenSSL 3.5.9",
    ("SSLv2", "SSLv3", *TLS, "TLSv1.3"),
    sasl=False,
    unavailable={"SSLv2": "Option unknown option -ssl2", "SSLv3": "Option unknown option -ssl3"},
)
REQUEST = Request(
    id="a/b/smtp/c/TLSv1.2",
    host="debian-12.mx.test",
    port=25,
    server_name="mx.test",
    implicit_tls=False,
    offer=Offer("TLSv1.2", "TLSv1.2"),
    ca_file="/run/ca.pem",
    username=None,
    password=None,
    sender="a@client.test",
    recipient="b@sink.test",
    subject="s",
    time_limit=10,
)
WAY = Way.for_request(REQUEST)


def parse_offer(text: str) -> Offer:
    """``TLSv1..TLSv1.2``."""
    low, _, high = text.partition("..")
    return Offer(low, high or low)


def test_an_offer_leaves_out_all_other_versions_by_name() -> None:
    """Protects pins on every release: lists with bounds came with 3.6 only."""
    assert (
        make_tls_settings(WAY, OLD)["smtp_tls_mandatory_protocols"]
        == "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1"
    )
    wide = make_tls_settings(replace(WAY, offer=parse_offer("TLSv1..TLSv1.2")), NEW)
    assert wide["smtp_tls_mandatory_protocols"] == "!SSLv2, !SSLv3, !TLSv1.3"
    assert wide["smtp_tls_security_level"] == "encrypt"


@pytest.mark.parametrize(
    ("build", "ciphers"), [(OLD, "AES128-SHA"), (NEW, "AES128-SHA:@SECLEVEL=0")]
)
def test_only_a_library_with_levels_is_told_one(build: Build, ciphers: str) -> None:
    """Protects OpenSSL 1.0: @SECLEVEL would leave it without any cipher."""
    offer = replace(parse_offer("TLSv1.2"), ciphers=("AES128-SHA",))
    assert make_tls_settings(replace(WAY, offer=offer), build)["tls_medium_cipherlist"] == ciphers


def test_by_default_it_is_as_its_users_run_it() -> None:
    """Protects the cells of default: TLS where it is offered, and nothing pinned."""
    assert make_tls_settings(replace(WAY, offer=None), NEW) == {"smtp_tls_security_level": "may"}
    plain = replace(WAY, offer=None, plaintext=True)
    assert make_tls_settings(plain, NEW) == {"smtp_tls_security_level": "none"}


@pytest.mark.parametrize(
    ("build", "offer", "message"),
    [
        (OLD, parse_offer("TLSv1.3"), "unknown option -tls1_3"),
        (NEW, parse_offer("SSLv3"), "unknown option -ssl3"),
        (replace(OLD, unavailable={}), parse_offer("TLSv1.3"), "never had that name"),
        (OLD, replace(parse_offer("TLSv1.2"), groups=("X25519",)), "never had it before 3.2"),
        (NEW, replace(parse_offer("TLSv1.3"), ciphers=("TLS_AES_128_GCM_SHA256",)), "no option"),
    ],
)
def test_what_it_cannot_be_told_it_says(build: Build, offer: Offer, message: str) -> None:
    """Protects refusals: what this Postfix has no word for is the client's own doing."""
    with pytest.raises(Incapable, match=message):
        make_tls_settings(replace(WAY, offer=offer), build)


def test_implicit_tls_came_with_3_0() -> None:
    """Protects port 465: smtp_tls_wrappermode is of Postfix 3.0 (postconf(5))."""
    implicit = replace(WAY, implicit_tls=True)
    assert make_tls_settings(implicit, NEW)["smtp_tls_wrappermode"] == "yes"
    with pytest.raises(Incapable, match=r"before 3\.0"):
        make_tls_settings(implicit, replace(OLD, version=(2, 11, 0)))


def test_logging_in_takes_cyrus() -> None:
    """Protects submission: a Postfix without a client's SASL is not made to look refused."""
    login = replace(WAY, login=("user", "secret"))
    assert "static:user:secret" in make_main_cf(login, OLD, "/run/0", "/run/ca.pem")
    with pytest.raises(Incapable, match="postconf -A"):
        make_main_cf(login, NEW, "/run/0", "/run/ca.pem")


def test_the_images_own_services_listen_nowhere_and_are_not_chrooted() -> None:
    """Protects the client's container: it sends, and takes nothing."""
    stock = (
        "# a comment\nsmtp      inet  n       -       y       -       -       smtpd\n"
        "  -o content_filter=x\npickup unix n - y 60 1 pickup\n"
        "smtp      unix  -       -       y       -       -       smtp\n  -o a=b\n"
    )
    made = make_master_cf(stock).split("\n")
    assert [line for line in made if line] == [
        "pickup unix n - n 60 1 pickup",
        "smtp unix - - n - - smtp",
        "  -o a=b",
    ]


CLEANUP = "<22>Nov 26 22:50:01 postfix/cleanup[7]: 6B1: message-id=<1@client.test>"
TLS_LINE = (
    "<22>Nov 26 22:50:01 postfix/smtp[9]: Untrusted TLS connection established to "
    "mx.test[127.0.0.1]:4000: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) "
    "key-exchange x25519 server-signature RSA-PSS (2048 bits) server-digest SHA256"
)
SENT = (
    "<22>Nov 26 22:50:01 postfix/smtp[9]: 6B1: to=<b@sink.test>, relay=mx.test[127.0.0.1]:4000, "
    "delay=0.1, delays=0/0/0.1/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 9F2)"
)
#: As Ubuntu 16.04's logged it of a server that does not do SSLv3.
PROBLEM = (
    "<20>Nov 26 22:57:53 postfix/smtp[9]: warning: TLS library problem: error:14077102:SSL "
    "routines:SSL23_GET_SERVER_HELLO:unsupported protocol:s23_clnt.c:735:"
)
DEFERRED = (
    "<22>Nov 26 22:57:53 postfix/smtp[9]: 6B1: to=<b@sink.test>, relay=mx.test[127.0.0.1]:4000, "
    "delay=0.1, delays=0/0/0.1/0, dsn=4.7.5, status=deferred (Cannot start TLS: handshake failure)"
)


def test_a_delivery_is_found_by_its_message_and_tells_of_its_tls() -> None:
    """Protects the client's view: protocol, cipher, bits and group are smtp(8)'s own line's."""
    log = Log()
    assert [log.feed(line) for line in (CLEANUP, TLS_LINE, SENT)] == [None, None, "<1@client.test>"]
    report = log.take_report("<1@client.test>")
    assert report is not None
    assert (report.sent, report.protocol, report.cipher) == (
        True,
        "TLSv1.3",
        "TLS_AES_256_GCM_SHA384",
    )
    assert (report.bits, report.group) == (256, "x25519")
    assert report.reply is not None
    assert report.reply.text == "2.0.0 Ok: queued as 9F2"
    assert log.take_report("<1@client.test>") is None


def test_a_failure_has_its_words_and_its_librarys() -> None:
    """Protects causes: the status alone says "handshake failure" of everything."""
    log = Log()
    for line in (CLEANUP, PROBLEM, DEFERRED):
        log.feed(line)
    report = log.take_report("<1@client.test>")
    assert report is not None
    assert not report.sent
    assert report.error is not None
    assert report.error.splitlines()[0] == "Cannot start TLS: handshake failure"
    assert "unsupported protocol" in report.error


def test_lines_of_another_process_are_anothers() -> None:
    """Protects deliveries side by side from each other's troubles."""
    log = Log()
    for line in (CLEANUP, PROBLEM.replace("[9]", "[10]"), DEFERRED):
        log.feed(line)
    report = log.take_report("<1@client.test>")
    assert report is not None
    assert report.error == "Cannot start TLS: handshake failure"


def test_a_refusal_brings_the_servers_reply() -> None:
    """Protects stages: what the server said is told with its code."""
    log = Log()
    line = DEFERRED.replace(
        "Cannot start TLS: handshake failure",
        "host mx.test[127.0.0.1] said: 454 4.7.0 TLS not available due to local problem (in reply "
        "to STARTTLS command)",
    )
    log.feed(CLEANUP)
    log.feed(line)
    report = log.take_report("<1@client.test>")
    assert report is not None
    assert report.reply is not None
    assert report.reply.code == 454


def test_posttls_finger_is_told_the_same() -> None:
    """Protects both tools of a build from offering different things."""
    arguments = make_command(REQUEST, 4000, OLD)
    assert arguments[-1] == "[mx.test]:4000"
    assert arguments[arguments.index("-l") + 1] == "encrypt"
    assert arguments[arguments.index("-p") + 1] == "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1"
    assert "tls_medium_cipherlist=ALL:COMPLEMENTOFALL" in arguments
    assert "-w" not in arguments


def test_posttls_fingers_lines_are_read() -> None:
    """Protects the probe: its own summary line is the view, else its complaints are."""
    good = read_output(
        "posttls-finger: Connected to mx.test[127.0.0.1]:4000\nposttls-finger: < 220 x ESMTP\n"
        + "posttls-finger: "
        + TLS_LINE.partition("]: ")[2]
    )
    assert (good.sent, good.protocol, good.bits) == (True, "TLSv1.3", 256)
    bad = read_output(
        "posttls-finger: < 220 x ESMTP\nposttls-finger: SSL_connect error to mx.test: -1\n"
    )
    assert (bad.sent, bad.error) == (False, "SSL_connect error to mx.test: -1")


@pytest.mark.parametrize(
    ("text", "version"), [("3.7.11", (3, 7, 11)), ("3.12-20260101", (3, 12)), ("2.9.6", (2, 9, 6))]
)
def test_versions_are_compared_as_numbers(text: str, version: tuple[int, ...]) -> None:
    """Protects 3.10 from coming before 3.2."""
    assert parse_version(text) == version
