"""Exim as a client: its configuration for one message, and what its log says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from common.contract import Offer, Request
from common.mailer import Incapable
from exim_driver import make_configuration, make_transport_options, read_output

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


def test_by_default_tls_is_the_transports_own_way() -> None:
    """Protects the cells of default: opportunistic, as Exim comes; only the CA is named."""
    lines = make_transport_options(REQUEST)
    assert lines == ["tls_verify_certificates = /run/ca.pem", "tls_sni = mx.test"]


def test_an_offer_requires_tls_and_pins_it() -> None:
    """Protects pins: without hosts_require_tls Exim goes on in the clear, and calls that sent."""
    lines = make_transport_options(replace(REQUEST, offer=Offer("TLSv1.2", "TLSv1.2")))
    assert "hosts_require_tls = *" in lines
    (pin,) = [line for line in lines if line.startswith("tls_require_ciphers = ")]
    assert "-VERS-ALL:+VERS-TLS1.2" in pin
    with pytest.raises(Incapable, match="never had SSLv2"):
        make_transport_options(replace(REQUEST, offer=Offer("SSLv2", "SSLv2")))


def test_plaintext_and_implicit_tls_have_their_options() -> None:
    """Protects the two other ways: port 465 is smtps (RFC 8314), and none means none."""
    assert make_transport_options(replace(REQUEST, plaintext=True)) == ["hosts_avoid_tls = *"]
    assert "protocol = smtps" in make_transport_options(replace(REQUEST, implicit_tls=True))


def test_a_circumflex_in_a_password_is_one() -> None:
    """Protects log-ins: "^" stands for NUL in client_send."""
    login = replace(REQUEST, username="user", password="a^b")
    text = make_configuration(login, 4000, "/tmp/x", 1000)
    assert "client_send = ^user^a^^b" in text
    assert "route_list = * mx.test::4000 byname" in text
    assert "client_send" not in make_configuration(REQUEST, 4000, "/tmp/x", 1000)


def test_a_delivery_has_the_servers_reply() -> None:
    """Protects the queue id: it is in what the server said last."""
    report = read_output(
        "LOG: MAIN\n  <= a@b U=client P=local S=288\nLOG: MAIN\n  => b@sink.test R=out T=out "
        "H=mx.test [127.0.0.1] X=TLS1.3:ECDHE_SECP256R1:256 CV=yes "
        'C="250 2.0.0 Ok: queued as 9F2"\n'
    )
    assert report.sent
    assert report.reply is not None
    assert (report.reply.code, report.reply.text) == (250, "2.0.0 Ok: queued as 9F2")


def test_a_failure_has_its_words() -> None:
    """Protects causes: GnuTLS's words, as Exim passes them on."""
    report = read_output(
        "LOG: MAIN\n  H=mx.test [127.0.0.1] TLS session: (gnutls_handshake): A TLS fatal alert has "
        "been received: Error in protocol version\nLOG: MAIN\n  == b@sink.test R=out T=out defer "
        "(-37) H=mx.test [127.0.0.1]: failure while setting up TLS session\n"
    )
    assert not report.sent
    assert report.error is not None
    assert "gnutls_handshake" in report.error.splitlines()[0]
    assert "<= " not in report.error
