"""Mail that Postfix sends: its own log, the peers' configuration, the zones, the plan."""

from __future__ import annotations

import asyncio

import pytest

from harness.catalog.peers import all_peers, find_peer, has_cells_of, is_peer, pin_label
from harness.catalog.plan import Plan
from harness.observations.outbound_log import SentMessage, decide_sent, trust_of
from harness.observations.record import TlsView
from harness.outcomes import Outcome
from harness.postfix_config.main_cf import parse_main_cf
from harness.run.choosing import choose_clients
from harness.scenarios.peer_servers import (
    Address,
    make_zones,
    peer_scenario,
    tlsa_data,
)
from harness.targets.log_join import LogJoin
from harness.tls import Offer, Service

VERIFIED = (
    "Verified TLS connection established to tls13.mx.test[172.18.0.9]:25: TLSv1.3 with cipher "
    "TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits)"
)
#: The question's own line, but for the names.
QUESTION = (
    "Trusted TLS connection established to gmail-smtp-in.l.google.com[192.0.2.1]:25: TLSv1.2 with "
    "cipher ECDHE-RSA-AES128-GCM-SHA256 (128/128 bits)"
)
PEER = TlsView("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", 128)


@pytest.mark.parametrize(
    ("line", "trust", "view"),
    [
        (VERIFIED, "Verified", TlsView("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, "X25519")),
        (QUESTION, "Trusted", PEER),
        (QUESTION.replace("Trusted", "Untrusted"), "Untrusted", PEER),
        (QUESTION.replace("Trusted", "Anonymous"), "Anonymous", PEER),
        ("connect to mx.test[192.0.2.1]:25: Connection refused", None, None),
    ],
)
def test_the_words_for_a_certificate_are_told_apart(
    line: str, trust: str | None, view: TlsView | None
) -> None:
    """Protects the four trust levels: Postfix's rating of a peer is kept unchanged."""
    assert trust_of([line]) == (trust, view)


def test_what_was_sent_over_tls_is_accepted_with_both_views() -> None:
    """Protects agreement: the sender's log and the peer's are two sides of one session."""
    decision, trust = decide_sent(SentMessage("sent", "250 2.0.0 Ok", [QUESTION]), PEER)
    assert (decision.outcome, decision.agree, trust) == (Outcome.ACCEPTED, True, "Trusted")
    other = TlsView("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)
    assert decide_sent(SentMessage("sent", "250 Ok", [QUESTION]), other)[0].agree is False


def test_what_was_sent_without_tls_is_plaintext_even_after_a_failed_handshake() -> None:
    """Protects "may": it falls back to plaintext, and that is no TLS."""
    assert decide_sent(SentMessage("sent", "250 Ok", []), None)[0].outcome is Outcome.PLAINTEXT
    lines = [VERIFIED, "ABC: Cannot start TLS: handshake failure"]
    decision, trust = decide_sent(SentMessage("sent", "250 Ok", lines), None)
    assert (decision.outcome, trust) == (Outcome.PLAINTEXT, None)


@pytest.mark.parametrize(
    ("text", "stage", "reason"),
    [
        ("TLS is required, but was not offered by host mx.test[192.0.2.1]", "starttls",
         "tls-required"),
        ("Server certificate not trusted", "handshake", "certificate"),
        ("Server certificate not verified", "handshake", "certificate"),
        ("Host or domain name not found. Name service error for name=x type=MX: Host not found",
         "connect", "no-route"),
        ("connect to mx.test[192.0.2.1]:25: Connection refused", "connect", "connection-refused"),
        ("something that nobody ever said", "connect", "unrecognised"),
    ],
)  # fmt: skip
def test_why_a_message_was_not_sent_is_named(text: str, stage: str, reason: str) -> None:
    """Protects causes: Postfix's status texts, and "unrecognised" where they are new."""
    decision, _ = decide_sent(SentMessage("deferred", text, []), None)
    assert (decision.outcome, decision.decided_by) == (Outcome.REFUSED, "client")
    assert (str(decision.stage), decision.reason) == (stage, reason)


def test_a_message_without_an_outcome_is_a_time_out() -> None:
    """Protects from guessing: nothing in the log is no refusal."""
    assert decide_sent(None, None)[0].outcome is Outcome.TIMEOUT


def line(process: str, pid: int, text: str) -> str:
    """A raw line of the log."""
    return f"Nov 26 15:45:36 host mail.info postfix-x/{process}[{pid}]: {text}"


def test_a_delivery_has_the_lines_of_its_own_process_since_the_one_before() -> None:
    """Protects evidence: two deliveries at a time do not lend each other their TLS lines."""
    join = LogJoin()
    sent = "status=sent (250 2.0.0 Ok: queued as PEER01)"
    join.feed(
        [
            line("smtp", 7, "Untrusted TLS connection established to a[1]:25: TLSv1 with"),
            line("smtp", 8, VERIFIED),
            line("smtp", 7, f"AAA111: to=<a@x.test>, relay=a[1]:25, delay=1, dsn=2.0.0, {sent}"),
            line("qmgr", 3, "AAA111: removed"),
            line("smtp", 8, f"BBB222: to=<b@x.test>, relay=b[1]:25, delay=1, dsn=2.0.0, {sent}"),
            line("smtp", 7, "CCC333: to=<c@x.test>, relay=none, delay=1, dsn=4.4.3, "
                 "status=deferred (Host not found)"),
        ]
    )  # fmt: skip

    async def asked() -> None:
        first = await join.sent.delivery("b@x.test", 0.1)
        assert first is not None
        assert first.lines[0].text == VERIFIED
        last = await join.sent.delivery("c@x.test", 0.1)
        assert last is not None
        assert (last.status, len(last.lines)) == ("deferred", 1)
        assert await join.sent.delivery("nobody@x.test", 0.01) is None

    asyncio.run(asked())


def test_the_peers_session_is_found_by_the_queue_id_in_its_reply() -> None:
    """Protects the other side's view: of many sessions the one that brought this message."""
    join = LogJoin()
    for pid, queue_id in ((1, "AAA111"), (2, "BBB222")):
        client = f"unknown[192.0.2.{pid}]:4000{pid}"
        join.feed([line("smtpd", pid, f"connect from {client}"),
                   line("smtpd", pid, f"{queue_id}: client={client}"),
                   line("smtpd", pid, f"disconnect from {client}")])  # fmt: skip
    result = asyncio.run(join.session_of_message("250 2.0.0 Ok: queued as BBB222", 0.1))
    assert result is not None
    assert result.address == "192.0.2.2"
    assert asyncio.run(join.session_of_message("250 Ok", 0.1)) is None


def test_a_peer_is_pinned_as_the_offer_says() -> None:
    """Protects the axis: every other version is excluded, for optional and mandatory TLS."""
    mx = find_peer("peer-mx")
    values = parse_main_cf(peer_scenario(mx.server, Offer.parse("TLSv1.2")).main_cf).values
    assert values["smtpd_tls_protocols"] == "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1, !TLSv1.3"
    assert values["smtpd_tls_mandatory_protocols"] == values["smtpd_tls_protocols"]
    assert "smtpd_tls_protocols" not in peer_scenario(mx.server, Offer()).main_cf
    plain = peer_scenario(find_peer("peer-plaintext").server, Offer()).main_cf
    assert "smtpd_tls_security_level = none" in plain
    first, other = (pin_label(Offer.parse(f"TLSv1.2+ciphers={c}")) for c in ("A", "B"))
    assert first != other


def test_the_zones_lead_to_every_peer() -> None:
    """Protects DANE: mail exchangers have their address and TLSA record, wrong where it must be."""
    addresses = [
        Address(p, Offer(), "192.0.2.9", tlsa_data(p.tlsa, "ab" * 32)) for p in all_peers()
    ]
    records = make_zones(addresses, "192.0.2.53")
    assert "any.mx.test. IN MX 10 any.mx.test." in records["mx.test"]
    assert f"_25._tcp.any.mx.test. IN TLSA 3 1 1 {'ab' * 32}" in records["mx.test"]
    assert f"_25._tcp.wrong-tlsa.mx.test. IN TLSA 3 1 1 {'0' * 64}" in records["mx.test"]
    assert "_25._tcp.unknown-ca" not in records["mx.test"]
    assert "unsigned.test. IN MX 10 mail.unsigned.test." in records["unsigned.test"]
    assert "relay.example.com. IN A 192.0.2.9" in records["example.com"]


def test_clients_and_peers_never_meet() -> None:
    """Protects the plan: a client connects, a peer is sent to, and no cell mixes the two."""
    plan = Plan(
        ("b",),
        ("s",),
        (Service.SMTP, Service.OUTBOUND),
        ("openssl-3.5.7", "peer-mx", "peer-plaintext"),
        (Offer.parse("TLSv1.2"), Offer()),
        frozenset({"peer-plaintext"}),
    )
    assert [cell.id for cell in plan.cells()] == [
        "b/s/smtp/openssl-3.5.7/TLSv1.2",
        "b/s/smtp/openssl-3.5.7/default",
        "b/s/outbound/peer-mx/TLSv1.2",
        "b/s/outbound/peer-mx/default",
        "b/s/outbound/peer-plaintext/default",
    ]
    assert len(plan) == 5
    assert all(has_cells_of(name, Service.OUTBOUND) is is_peer(name) for name in plan.clients)


def test_a_run_without_globs_has_peers_only_where_mail_goes_out() -> None:
    """Protects a default run from growing."""
    assert not any(map(is_peer, choose_clients(())))
    outbound = choose_clients((), [Service.OUTBOUND])
    assert set(outbound) == {peer.name for peer in all_peers() if peer.unasked}


def test_a_suspended_message_has_the_lines_of_the_one_that_failed() -> None:
    """Protects causes: qmgr(8) tries no second message, and its text alone says little."""
    join = LogJoin()
    failure = "Cannot start TLS: handshake failure"
    join.feed(
        [
            line("smtp", 7, "warning: TLS library problem: wrong version number"),
            line("smtp", 7, f"AAA111: to=<a@x.test>, relay=a[1]:25, delay=1, dsn=4.7.5, "
                 f"status=deferred ({failure})"),
            line("error", 8, "BBB222: to=<b@x.test>, relay=none, delay=1, dsn=4.7.5, "
                 f"status=deferred (delivery temporarily suspended: {failure})"),
        ]
    )  # fmt: skip

    async def get() -> tuple[str, ...]:
        delivery = await join.sent.delivery("b@x.test", 1)
        assert delivery is not None
        return tuple(line.text for line in delivery.lines)

    assert "wrong version number" in asyncio.run(get())[0]


@pytest.mark.parametrize(
    ("text", "lines", "wrapper", "reason"),
    [
        ("Server certificate not verified", [QUESTION], False, "certificate-name-mismatch"),
        ("Server certificate not verified",
         ["certificate verification failed for x[1]:25: untrusted issuer /CN=ca"], False,
         "certificate-untrusted-issuer"),
        ("Server certificate not verified",
         ["certificate verification failed for x[1]:25: self-signed certificate"], False,
         "certificate-self-signed"),
        ("Server certificate not trusted",
         ["server certificate verification failed for x[1]:25: certificate has expired"], False,
         "certificate-expired"),
        ("Server certificate not verified",
         ["server certificate verification failed for x[1]:25: num=62:hostname mismatch"], False,
         "certificate-name-mismatch"),
        ("non DNSSEC destination", [], False, "no-dnssec"),
        ("TLSA lookup error for mx.test:25", [], False, "tlsa-lookup-error"),
        ("no TLSA records found", [], False, "no-tlsa"),
        ("client TLS configuration problem", ['x: invalid attribute name: "servername"'], False,
         "bad-policy-attribute"),
        ("client TLS configuration problem", [], False, "policy"),
        ("Cannot start TLS: handshake failure",
         ["warning: connect to private/tlsproxy service: No such file or directory"], False,
         "tlsproxy-missing"),
        ("Cannot start TLS: handshake failure", ["error:0A00010B:SSL:wrong version number"], True,
         "not-tls"),
        ("Cannot start TLS: handshake failure", ["error:0A00010B:SSL:wrong version number"], False,
         "protocol-version"),
    ],
)  # fmt: skip
def test_what_is_vague_in_the_status_is_told_by_the_log(
    text: str, lines: list[str], wrapper: bool, reason: str
) -> None:
    """Protects causes of mail that stays: one name each, or the general one."""
    decision, _ = decide_sent(SentMessage("deferred", text, lines), None, wrapper=wrapper)
    assert decision.reason == reason


def test_the_log_tells_of_a_message_without_an_outcome() -> None:
    """Protects evidence of a time-out: smtp(8) said what was wrong, and then waited."""
    log = ['SMTPS wrappermode (TCP port 465) requires setting "smtp_tls_wrappermode = yes"']
    decision, _ = decide_sent(None, None, unfinished=log)
    assert (decision.outcome, decision.reason) == (Outcome.TIMEOUT, "wrapper-mode-missing")
