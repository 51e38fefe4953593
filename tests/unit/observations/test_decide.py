"""What came of a cell, from both sides' evidence. Words of servers and libraries are real ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.clients.contract import ClientOutcome, ClientResult, ClientStage, Reply
from harness.observations.decide import ControlEvidence, ServerLog, decide_cell, decide_control
from harness.observations.reasons import reason_of
from harness.observations.record import Outcome, Stage
from harness.tls import Offer, Protocol

TLS1 = Offer(Protocol.TLSv1, Protocol.TLSv1)
WORKS = ControlEvidence("control-openssl-3.5/permissive/smtp/c/TLSv1", works=True)
FAILS = replace(WORKS, works=False)
NONE = ControlEvidence(None, works=None, why="its image did not build")
CONNECT = "Nov 22 23:34:29 postfix/smtpd[215]: connect from unknown[172.21.0.5]:56940"
ESTABLISHED = (
    "Nov 22 23:34:29 postfix/smtpd[215]: Anonymous TLS connection established from "
    "unknown[172.21.0.5]:56940: TLSv1 with cipher ECDHE-RSA-AES256-SHA (256/256 bits)"
)
UNSUPPORTED = (
    "Nov 22 23:34:29 postfix/smtpd[215]: warning: TLS library problem: error:0A000102:SSL "
    "routines::unsupported protocol:../ssl/statem/statem_srvr.c:1664:"
)
ACCEPTED = ClientResult("c", "accepted", protocol="TLSv1", cipher="ECDHE-RSA-AES256-SHA", bits=256)
REFUSED = ClientResult("c", "refused", "handshake", error="tlsv1 alert protocol version")
INCAPABLE = ClientResult("c", "client-incapable", "handshake", error="NO_PROTOCOLS_AVAILABLE")
ON_LOG = ServerLog((CONNECT, ESTABLISHED))


def test_an_accepted_cell_has_both_views_and_they_agree() -> None:
    """Protects the matrix's first promise: what the client saw is what Postfix logged."""
    decision = decide_cell(TLS1, ACCEPTED, ON_LOG, WORKS)
    assert decision.outcome is Outcome.ACCEPTED
    assert decision.agree is True
    assert decision.server_saw is not None
    assert decision.server_saw.bits == 256
    assert decision.stage is decision.reason is decision.decided_by is None


@pytest.mark.parametrize(
    "tale", [replace(ACCEPTED, protocol="TLSv1.2"), replace(ACCEPTED, cipher="AES256-SHA")]
)
def test_a_disagreement_is_a_finding(tale: ClientResult) -> None:
    """Protects against a client that reports wrong values: any difference is shown."""
    decision = decide_cell(Offer(), tale, ON_LOG, WORKS)
    assert decision.outcome is Outcome.ACCEPTED
    assert decision.agree is False


def test_without_the_servers_word_there_is_no_agreement() -> None:
    """Protects "not measured says so": a missing log line is neither yes nor no."""
    assert decide_cell(TLS1, ACCEPTED, ServerLog((CONNECT,)), WORKS).agree is None


def test_a_client_that_ignores_its_offer_is_incapable_of_it() -> None:
    """Protects against curl --sslv3, which negotiates TLSv1.3: the server's view decides."""
    offer = Offer(Protocol.SSLv3, Protocol.SSLv3)
    decision = decide_cell(offer, replace(ACCEPTED, protocol="SSLv3"), ON_LOG, FAILS)
    assert (decision.outcome, decision.reason) == (Outcome.CLIENT_INCAPABLE, "ignored-offer")


def test_a_refusal_is_believed_beside_a_control_that_works() -> None:
    """Protects the meaning of refused: the same client and offer got through elsewhere."""
    decision = decide_cell(TLS1, REFUSED, ServerLog((CONNECT, UNSUPPORTED)), WORKS)
    assert (decision.outcome, decision.stage) == (Outcome.REFUSED, Stage.HANDSHAKE)
    assert (decision.reason, decision.decided_by) == ("protocol-version", "server")
    assert decision.control == WORKS.cell


@pytest.mark.parametrize("result", [REFUSED, INCAPABLE], ids=["refused", "incapable"])
def test_where_the_control_fails_too_it_is_the_client(result: ClientResult) -> None:
    """Protects servers from blame for what a client's own library will not do."""
    decision = decide_cell(TLS1, result, ServerLog(), FAILS)
    assert (decision.outcome, decision.decided_by) == (Outcome.CLIENT_INCAPABLE, "client")
    assert decision.control == FAILS.cell


def test_who_negotiated_tls_has_made_the_offer() -> None:
    """Protects clients: refused at RCPT over TLSv1, none can call them incapable of TLSv1."""
    result = ClientResult(
        "c", "refused", "rcpt", protocol="TLSv1", reply=Reply(554, "5.7.1 rejected")
    )
    decision = decide_cell(TLS1, result, ON_LOG, FAILS)
    assert (decision.outcome, decision.reason) == (Outcome.REFUSED, "rejected")


def test_a_control_that_fails_after_tls_proves_no_inability() -> None:
    """Protects a whole column: a control that says 454 at AUTH has granted the offer."""
    result = ClientResult("c", "refused", "auth", protocol="TLSv1", reply=Reply(454, "4.7.0 later"))
    assert decide_control(TLS1, result, ON_LOG).outcome is Outcome.REFUSED


def test_a_certificate_that_the_client_rejects_is_the_clients_no() -> None:
    """Protects the blame: the server logged nothing, and no client is incapable."""
    error = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed"
    decision = decide_cell(TLS1, replace(REFUSED, error=error), ServerLog((CONNECT,)), WORKS)
    assert (decision.reason, decision.decided_by) == ("certificate", "client")


def test_one_group_has_many_names_and_no_group_is_no_disagreement() -> None:
    """Protects agreement: prime256v1 is P-256; what one side does not say is not compared."""
    tls13 = ESTABLISHED.replace("TLSv1 with", "TLSv1.3 with") + " key-exchange ECDHE (P-256)"
    ours = replace(ACCEPTED, protocol="TLSv1.3", group="prime256v1")
    assert decide_cell(Offer(), ours, ServerLog((tls13,)), WORKS).agree is True
    other = replace(ours, group="X25519")
    assert decide_cell(Offer(), other, ServerLog((tls13,)), WORKS).agree is False
    assert decide_cell(Offer(), replace(ours, group=None), ServerLog((tls13,)), WORKS).agree is True
    assert decide_cell(Offer(), replace(ours, bits=128), ServerLog((tls13,)), WORKS).agree is False


@pytest.mark.parametrize("result", [REFUSED, INCAPABLE], ids=["refused", "incapable"])
def test_without_a_control_nothing_is_believed(result: ClientResult) -> None:
    """Protects against a refusal that only our missing control makes one."""
    decision = decide_cell(TLS1, result, ServerLog(), NONE)
    assert (decision.outcome, decision.reason) == (Outcome.ERROR, "no-control")
    assert "did not build" in decision.notes[0]


def test_a_client_that_contradicts_its_control_is_an_error() -> None:
    """Protects against a driver that gives up where it need not."""
    decision = decide_cell(TLS1, INCAPABLE, ServerLog(), WORKS)
    assert (decision.outcome, decision.reason) == (Outcome.ERROR, "contradicts-control")


def test_a_reply_before_tls_needs_no_control() -> None:
    """Protects plain refusals: 454 to STARTTLS came before the client could offer anything."""
    result = ClientResult("c", "refused", "starttls", reply=Reply(454, "4.7.0 TLS not available"))
    decision = decide_cell(TLS1, result, ServerLog((CONNECT,)), NONE)
    assert (decision.outcome, decision.reason) == (Outcome.REFUSED, "tls-not-available")


def test_a_service_that_died_rejected_the_config() -> None:
    """Protects config-rejected: a close without a banner rejects the configuration."""
    result = ClientResult("c", "refused", "banner", error="closed")
    deaths = ("postfix/smtpd[9]: fatal: bad numerical configuration: x = y",)
    decision = decide_cell(TLS1, result, ServerLog(deaths=deaths), WORKS)
    assert (decision.outcome, decision.reason) == (Outcome.CONFIG_REJECTED, "fatal-parameter")


def test_a_death_elsewhere_does_not_reject_a_session_that_was_served() -> None:
    """Protects cells whose smtpd did answer from another process's death in the same instance."""
    log = ServerLog((CONNECT, UNSUPPORTED), deaths=("fatal: something",))
    assert decide_cell(TLS1, REFUSED, log, WORKS).outcome is Outcome.REFUSED


def test_not_offered_tells_why_where_the_log_does() -> None:
    """Protects the reason of a bad protocol list, which shows as a missing STARTTLS only."""
    result = ClientResult("c", "not-offered", "ehlo")
    bad = 'warning: Invalid TLS protocol list "!TLSv9": disabling TLS support'
    decision = decide_cell(TLS1, result, ServerLog((bad, CONNECT)), WORKS)
    assert (decision.outcome, decision.reason) == (
        Outcome.NOT_OFFERED,
        "tls-disabled-bad-protocol-list",
    )
    assert decide_cell(TLS1, result, ServerLog((CONNECT,)), WORKS).reason is None


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("timeout", Outcome.TIMEOUT), ("error", Outcome.ERROR), ("plaintext", Outcome.PLAINTEXT)],
)
def test_what_is_no_refusal_never_becomes_one(outcome: ClientOutcome, expected: Outcome) -> None:
    """Protects the closed vocabulary: a time-out or a failed driver says nothing of the server."""
    decision = decide_cell(
        TLS1, ClientResult("c", outcome, "handshake", error="x"), ServerLog(), FAILS
    )
    assert decision.outcome is expected


@pytest.mark.parametrize("result", [REFUSED, INCAPABLE], ids=["refused", "incapable"])
def test_a_control_that_refuses_proves_inability(result: ClientResult) -> None:
    """Protects the control's own cells: its server is permissive by proof."""
    assert decide_control(TLS1, result, ServerLog()).outcome is Outcome.CLIENT_INCAPABLE
    assert decide_control(TLS1, ACCEPTED, ON_LOG).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("log", "error", "reply", "reason"),
    [
        # Debian 11's Postfix 3.5 with OpenSSL 1.1.1w, 12's with 3.0, 13's with 3.5
        (["error:1408F10B:SSL routines:ssl3_get_record:wrong version number"], None, None,
         "protocol-version"),
        (["error:0A0000C1:SSL routines::no shared cipher"], "sslv3 alert handshake failure", None,
         "no-shared-cipher"),
        ([], "[SSL: NO_PROTOCOLS_AVAILABLE] no protocols available", None,
         "no-protocols-available"),
        ([], "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure", None,
         "handshake-failure"),
        ([], "AttributeError: SSLv2", None, "unknown-option"),
        ([], "unknown option -tls1_3", None, "unknown-option"),
        ([], "unexpected EOF", None, "closed"),
        ([], None, "530 5.7.0 Must issue a STARTTLS command first", "must-starttls"),
        ([], None, "454 4.7.0 TLS not available due to local problem", "tls-not-available"),
        (['warning: Invalid TLS protocol list "TLSv9": disabling TLS support'], None,
         "454 4.7.0 TLS not available due to local problem", "tls-disabled-bad-protocol-list"),
        ([], None, "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6", "auth-failed"),
        ([], None, "503 5.5.1 Error: authentication not enabled", "auth-not-enabled"),
        ([], "the dog ate it", None, "unrecognised"),
        ([], None, "599 what", "unrecognised"),
    ],
)  # fmt: skip
def test_a_cause_has_one_name(
    log: list[str], error: str | None, reply: str | None, reason: str
) -> None:
    """Protects comparisons across libraries; what no pattern knows stays unrecognised."""
    assert reason_of(log, error, reply) == reason


def test_an_alert_of_the_clients_own_is_the_clients_decision() -> None:
    """Protects servers: a client that gives up with an unknown error text was not refused."""
    tale = replace(REFUSED, error="no words\nclient's alert: access_denied")
    decision = decide_cell(TLS1, tale, ServerLog((CONNECT,)), WORKS)
    assert (decision.outcome, decision.reason) == (Outcome.REFUSED, "unrecognised")
    assert decision.decided_by == "client"


def test_the_servers_own_words_beat_a_client_that_calls_itself_incapable() -> None:
    """Protects refusals: some software says "no error information" of a server that hangs up."""
    log = ServerLog((CONNECT, 'warning: x: invalid TLS cipher list: "HIGH:@SECLEVEL=2": aborting'))
    decision = decide_cell(TLS1, INCAPABLE, log, WORKS)
    assert (decision.outcome, decision.decided_by) == (Outcome.REFUSED, "server")
    assert decision.reason == "tls-disabled-bad-cipher-list"
    silent = decide_cell(TLS1, INCAPABLE, ServerLog((CONNECT,)), WORKS)
    assert (silent.outcome, silent.reason) == (Outcome.ERROR, "contradicts-control")


@pytest.mark.parametrize("reason", ["dh key too small", "ee key too small"])
def test_a_key_that_is_too_short_for_the_client_is_its_decision(reason: str) -> None:
    """Protects "whose decision": the same text in the server's log makes it the server's."""
    tale = replace(REFUSED, error=f"SSL routines::{reason}")
    by_client = decide_cell(TLS1, tale, ServerLog((CONNECT,)), WORKS)
    assert (by_client.outcome, by_client.decided_by) == (Outcome.REFUSED, "client")
    by_server = decide_cell(TLS1, tale, ServerLog((CONNECT, f"warning: error:1:{reason}")), WORKS)
    assert by_server.decided_by == "server"


def test_a_fallback_that_is_inappropriate_needs_no_control() -> None:
    """Protects RFC 7507's cells: a permissive control says the same, and proves nothing."""
    log = ServerLog((CONNECT, "warning: TLS library problem: inappropriate fallback"))
    decision = decide_cell(TLS1, REFUSED, log, FAILS)
    assert (decision.outcome, decision.decided_by) == (Outcome.REFUSED, "server")


@pytest.mark.parametrize(
    ("offer", "outcome"),
    [("TLSv1+ciphers=AES128-SHA", Outcome.CLIENT_INCAPABLE), ("TLSv1", Outcome.ACCEPTED)],
)
def test_a_cipher_that_was_not_named_is_an_ignored_pin(offer: str, outcome: Outcome) -> None:
    """Protects offers of ciphers: software without an option for them accepts any cipher."""
    decision = decide_cell(Offer.parse(offer), ACCEPTED, ON_LOG, WORKS)
    assert decision.outcome is outcome


FATAL = "Nov 22 23:34:29 postfix/smtpd[215]: fatal: no SASL authentication mechanisms"
KILLED = "Nov 22 23:34:29 postfix/master[9]: warning: process /x/smtpd pid 215 killed by signal 11"


@pytest.mark.parametrize("line", [FATAL, KILLED])
@pytest.mark.parametrize("outcome", ["refused", "timeout", "not-offered"])
def test_a_process_that_dies_with_its_client_is_the_configs_doing(
    line: str, outcome: ClientOutcome
) -> None:
    """Protects "one cause, one outcome": closed, hung or refused is a matter of timing."""
    result = ClientResult("c", outcome, "ehlo", protocol="TLSv1", error="connection closed")
    decision = decide_cell(TLS1, result, ServerLog((CONNECT, ESTABLISHED, line)), WORKS)
    assert (decision.outcome, decision.stage) == (Outcome.CONFIG_REJECTED, None)
    assert decision.decided_by == "server"
    # What was negotiated before was negotiated.
    assert decision.server_saw is not None


def test_what_smtpd_asks_may_be_what_died() -> None:
    """Protects from "unrecognised": a 451 beside a cleanup(8) that died is the config's."""
    deaths = ("Nov 22 postfix/cleanup[3]: fatal: unsupported dictionary type: bogus",)
    log = ServerLog((CONNECT, ESTABLISHED), deaths)
    reply = Reply(451, "4.3.0 Error: queue file write error")
    refused = ClientResult("c", "refused", "data", reply=reply)
    assert decide_cell(TLS1, refused, log, WORKS).reason == "fatal-parameter"
    other = replace(refused, reply=Reply(554, "5.7.1 Access denied"))
    assert decide_cell(TLS1, other, log, WORKS).outcome is Outcome.REFUSED


@pytest.mark.parametrize("stage", ["starttls", "handshake"])
def test_a_library_that_fails_at_once_is_judged_alike_whenever_the_hello_came(
    stage: ClientStage,
) -> None:
    """Protects against chance: smtpd without a version left closes before, or after, the hello."""
    log = [
        "postfix/smtpd[7]: connect from unknown[172.21.0.5]:40001",
        "postfix/smtpd[7]: SSL_accept error from unknown[172.21.0.5]:40001: -1",
        "postfix/smtpd[7]: warning: TLS library problem: error:0A0000BF:SSL routines::"
        "no protocols available:../ssl/statem/statem_lib.c:102:",
        "postfix/smtpd[7]: lost connection after STARTTLS from unknown[172.21.0.5]:40001",
    ]
    result = ClientResult("c", "refused", stage, error="SMTPServerDisconnected: Connection lost")
    works = ControlEvidence("control/permissive/smtp/c/TLSv1.2", works=True)
    decision = decide_cell(Offer.parse("TLSv1.2"), result, ServerLog(log), works)
    assert (decision.outcome, decision.stage) == (Outcome.REFUSED, Stage.HANDSHAKE)
    assert (decision.reason, decision.control) == ("no-protocols-available", works.cell)


CHOSEN = ClientResult("c", "would-negotiate", protocol="TLSv1.2", cipher="AES128-SHA", bits=128)
ALERT = ClientResult(
    "c", "would-be-refused", "handshake", error="server's alert: handshake_failure"
)


def test_a_choice_for_a_recorded_hello_is_never_accepted() -> None:
    """Protects every count of what got through: no client was there, so nothing did."""
    decision = decide_cell(Offer(), CHOSEN, ServerLog((CONNECT,)), WORKS)
    assert decision.outcome is Outcome.WOULD_NEGOTIATE
    assert decision.client_saw is not None
    assert decision.server_saw is None
    assert decision.agree is None
    assert decision.decided_by is None


def test_what_a_server_asks_for_beyond_the_hello_is_said() -> None:
    """Protects against a guess of how the client would have answered."""
    error = "the server asks for another hello, with a key of secp384r1 (HelloRetryRequest)"
    decision = decide_cell(Offer(), replace(CHOSEN, error=error), ServerLog(), WORKS)
    assert (decision.outcome, decision.reason) == (Outcome.WOULD_NEGOTIATE, "hello-retry-request")


def test_a_simulated_refusal_needs_the_proof_of_a_refusal() -> None:
    """Protects against a bad recording: where no control takes the hello, no server refused it."""
    assert decide_cell(Offer(), ALERT, ServerLog(), WORKS).outcome is Outcome.WOULD_BE_REFUSED
    assert decide_cell(Offer(), ALERT, ServerLog(), FAILS).outcome is Outcome.CLIENT_INCAPABLE
    assert decide_cell(Offer(), ALERT, ServerLog(), NONE).outcome is Outcome.ERROR


def test_a_limit_of_the_client_decides_without_a_control() -> None:
    """Protects the blame: the server chose, and the client is known not to take it."""
    error = "would be refused by the client: DH prime of 2048 bits > its largest, 1024"
    result = replace(ALERT, error=error, protocol="TLSv1", cipher="DHE-RSA-AES256-SHA")
    decision = decide_cell(Offer(), result, ServerLog(), NONE)
    assert decision.outcome is Outcome.WOULD_BE_REFUSED
    assert (decision.decided_by, decision.reason) == ("client", "dh-key-too-large")
