"""Client certificates, server names, second connections and hang-ups: what is asked, and judged."""

from __future__ import annotations

import importlib
import json
import ssl
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.adaptation.content_filters import follow_ports
from harness.clients.contract import ClientResult, Request
from harness.clients.driver import describe_unavailable
from harness.observations.certificates import certificate_view, client_trust
from harness.observations.decide import ControlEvidence, ServerLog, decide_cell, session_resumed
from harness.observations.record import CertificateView, Observation, Outcome, Stage
from harness.postfix_config.key_files import (
    FileKind,
    is_file_kind,
)
from harness.postfix_config.ports import Rewrite
from harness.scenarios.expectation_tables import ExpectationError, read_expected
from harness.scenarios.expectations import Expectation
from harness.scenarios.placeholders import (
    fill_scenario,
    fill_text,
    fingerprint_values,
    used_placeholders,
)
from harness.scenarios.scenario import Scenario
from harness.scenarios.toml_schema import parse_description
from harness.targets.pki import Pki
from harness.tls import ClientCertificate, Offer
from harness.verdicts.judging import find_contradiction
from harness.verdicts.observation_diff import changed_fields
from tests.unit import schema_samples

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
for folder in (CLIENTS, CLIENTS / "smtplib"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
contract: Any = importlib.import_module("common.contract")
relay: Any = importlib.import_module("common.relay")
mailer: Any = importlib.import_module("common.mailer")
tuned: Any = importlib.import_module("common.tuned")


@pytest.fixture(scope="module")
def pki() -> Pki:
    """One for all, since keys take time to make."""
    return Pki()


def request(offer: str) -> Request:
    """A request with an offer."""
    return replace(schema_samples.REQUEST, offer=Offer.parse(offer))


@pytest.mark.parametrize("offer", ["default", "TLSv1.2", "TLSv1.2+cert=none"])
def test_a_request_without_extras_is_as_it_always_was(offer: str) -> None:
    """Protects images of contract version 1 that know of no extras: they are sent none."""
    assert "extras" not in request(offer).to_dict()


def test_a_request_with_extras_says_them_and_a_driver_reads_them() -> None:
    """Protects the contract: both ends mean the same by it."""
    sent = request("default+cert=listed+sni=none+hangup=data")
    read = contract.Request.parse(sent.to_json())
    assert read.extras.certificate == "/run/postfix-matrix/client-listed.pem"
    assert read.extras.key == "/run/postfix-matrix/client-listed.key"
    assert read.extras.server_name("mx.test") is None
    assert read.extras.list_abilities() == list(sent.offer.extras.abilities)
    assert contract.Request.parse(request("default").to_json()).extras == contract.Extras()


def test_a_driver_refuses_extras_that_it_has_never_heard_of() -> None:
    """Protects truth: what would be passed over is an error, not a measurement."""
    data = {**request("TLSv1.2+resume").to_dict(), "extras": {"colour": "red"}}
    with pytest.raises(contract.BadRequest, match="colour"):
        contract.Request.parse(json.dumps(data))


class Able:
    """A client with some abilities, and the relay's."""

    extras = frozenset({"cert", *mailer.RELAYS})


@pytest.mark.parametrize(
    ("offer", "implicit", "why"),
    [
        ("TLSv1.2+cert=trusted", False, ""),
        ("TLSv1.2+sni=mx2.test", False, "this client cannot be told which server name to send"),
        ("TLSv1.2+hangup=starttls", False, ""),
        ("TLSv1.2+hangup=starttls", True, "where TLS comes first"),
        ("TLSv1.2+hangup=data", False, "in the middle of a message"),
    ],
)
def test_a_client_that_cannot_says_so_in_a_sentence(offer: str, implicit: bool, why: str) -> None:
    """Protects cells from clients that ignore what they are told."""
    parsed = contract.Request.parse(replace(request(offer), implicit_tls=implicit).to_json())
    reason = contract.explain_unavailable_extras(Able(), parsed)
    assert (why in reason) if why else reason == ""


def test_the_harness_says_the_same_of_an_image_that_declares_nothing() -> None:
    """Protects old images: nothing is asked of them that they do not know."""
    needed = Offer.parse("TLSv1.2+cert=trusted+sni=a.test").extras.abilities
    reason = describe_unavailable(needed, frozenset({"cert"}))
    assert reason == "this client cannot be told which server name to send"
    assert describe_unavailable(needed, frozenset(needed)) == ""


def _wire(hangup: str) -> Any:
    return relay.Wire(contract.Trace(), False, hangup=hangup)


def test_the_relay_hangs_up_after_starttls() -> None:
    """Protects +hangup=starttls: no earlier, and before anything of a handshake."""
    wire = _wire("starttls")
    wire.from_server(b"220 mx.test\r\n")
    wire.from_client(b"EHLO c\r\n")
    wire.from_server(b"250-mx\r\n250 STARTTLS\r\n")
    wire.from_client(b"STARTTLS\r\n")
    assert not wire.is_over
    wire.from_server(b"220 go on\r\n")
    assert wire.is_over
    assert wire.hung_up


def test_the_relay_hangs_up_in_the_handshake_but_not_over_a_refusal() -> None:
    """Protects refusals: an alert that the server sent first is the server's no."""
    hello, alert = bytes.fromhex("160303000402000000"), bytes.fromhex("15030300020228")
    for answer, hung_up in ((hello, True), (alert, False)):
        wire = relay.Wire(contract.Trace(), True, hangup="handshake")
        wire.from_client(bytes.fromhex("16030101100100010c0301"))
        assert not wire.is_over
        wire.from_server(answer)
        assert wire.hung_up is hung_up


def test_a_mailer_that_hung_up_was_refused_by_nobody() -> None:
    """Protects the outcome: it stands before all that the software complains of afterwards."""
    wire = _wire("starttls")
    wire.hung_up, wire.trace.stage = True, "starttls"
    ending = mailer.judge_dialogue(None, wire, mailer.Report(sent=False, error="connection lost"))
    assert (ending.outcome, ending.stage) == ("hung-up", "starttls")
    ending = mailer.judge_dialogue(None, _wire("data"), mailer.Report(sent=False, hung_up=True))
    assert (ending.outcome, ending.stage) == ("hung-up", "data")


def test_a_tuned_context_sends_the_name_it_was_told() -> None:
    """Protects +sni=: the name in the hello is the context's, whatever the library asks for."""
    for name, expected in (("mx2.test", b"mx2.test"), (None, None)):
        made = tuned.TunedContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
        tuned.tune_context(made, sends_name=True, name=name)
        out = ssl.MemoryBIO()
        with pytest.raises(ssl.SSLWantReadError):
            made.wrap_bio(ssl.MemoryBIO(), out, server_hostname="mx.test").do_handshake()
        hello = out.read()
        assert b"mx.test" not in hello
        assert expected is None or expected in hello


def test_the_client_certificates_are_what_they_are_called(pki: Pki) -> None:
    """Protects +cert=: two are of the run's CA and differ, one is of another."""
    views = {}
    for which in ClientCertificate:
        if which is not ClientCertificate.NONE:
            views[which] = certificate_view(pki.client_pair(which).certificate)
    issuers = {which: view.issuer for which, view in views.items() if view is not None}
    assert issuers[ClientCertificate.TRUSTED] == issuers[ClientCertificate.LISTED]
    assert issuers[ClientCertificate.UNTRUSTED] != issuers[ClientCertificate.LISTED]
    assert len({view.sha256 for view in views.values() if view}) == 3


def test_a_certificate_can_be_for_any_name(pki: Pki) -> None:
    """Protects SNI maps: the kind's words say the name, and one name is one kind."""
    kind = FileKind("EC key and certificate, for mail.example.com")
    assert kind is FileKind("EC key and certificate, for mail.example.com")
    text = pki.text(kind)
    assert "PRIVATE KEY" in text
    view = certificate_view(text[text.index("-----BEGIN CERTIFICATE") :])
    assert view is not None
    assert view.names == ("mail.example.com",)
    for wrong in ("RSA key, for a.test", "RSA certificate, for ", "RSA certificate, for A/B"):
        assert not is_file_kind(wrong)


def test_fingerprints_are_filled_in_and_nothing_else_is(pki: Pki) -> None:
    """Protects "applied to the letter": templates of others in braces stay as they are."""
    values = fingerprint_values("peer", pki.pair("RSA").certificate)
    text = "a = {{peer-certificate-sha256}} {{ ansible }} {{peer-certificate-crc}}"
    done = fill_text(text, values)
    assert done == f"a = {values['peer-certificate-sha256']} {{{{ ansible }}}} " + (
        "{{peer-certificate-crc}}"
    )
    assert len(values["peer-certificate-sha256"]) == 32 * 3 - 1
    scenario = Scenario("s", "t", "s", "c", main_cf=text, files={"/m": "{{peer-key-sha1}} x"})
    assert used_placeholders(scenario) == ("peer-certificate-sha256", "peer-key-sha1")
    assert fill_scenario(scenario, values).files["/m"] == f"{values['peer-key-sha1']} x"


def test_what_smtpd_says_of_a_client_certificate_is_read() -> None:
    """Protects trust: the word before "TLS connection established from"."""
    line = "smtpd[1]: Trusted TLS connection established from c.test[10.0.0.1]:5: TLSv1.3 with"
    assert client_trust([line]) == "Trusted"
    assert client_trust(["connect from c.test[10.0.0.1]:5"]) is None


OFFER = Offer.parse("TLSv1.2+resume")


@pytest.mark.parametrize(
    ("was_resumed", "control", "is_control", "expected"),
    [
        (True, ControlEvidence(None, True), False, True),
        (False, ControlEvidence(None, True, resumes=True), False, False),
        # Nobody knows that this client can.
        (False, ControlEvidence(None, True), False, None),
        (False, ControlEvidence(None, None), True, False),
        (None, ControlEvidence(None, None), True, False),
    ],
)
def test_a_session_that_was_not_resumed_says_something_only_beside_a_control(
    was_resumed: bool | None, control: ControlEvidence, is_control: bool, expected: bool | None
) -> None:
    """Protects truth: a client that cannot resume makes no server one that does not."""
    result = replace(schema_samples.RESULT, resumed=was_resumed)
    assert session_resumed(OFFER, result, control, is_control=is_control) is expected
    assert session_resumed(Offer(), result, control, is_control=is_control) is None


def test_a_client_that_hung_up_is_no_refusal() -> None:
    """Protects the vocabulary: the client decided it, and there is no reason."""
    result = ClientResult("c", "hung-up", "data", error="the client hung up, as it was told")
    offer = Offer.parse("TLSv1.2+hangup=data")
    decision = decide_cell(offer, result, ServerLog(), ControlEvidence("c", True))
    assert (decision.outcome, decision.stage, decision.reason, decision.decided_by) == (
        Outcome.HUNG_UP,
        Stage.DATA,
        None,
        "client",
    )


def make_observation(**more: Any) -> Observation:
    """An accepted cell."""
    return replace(schema_samples.observation(schema_samples.accepted()), **more)


VIEW = CertificateView("a" * 64, ("mx.test", "*.mx.test"), "CA")


@pytest.mark.parametrize(
    ("expected", "measured", "wrong"),
    [
        ({"certificate": "mx.test"}, make_observation(certificate=VIEW), ""),
        ({"certificate": "mx2.*"}, make_observation(certificate=VIEW), "a certificate for mx.test"),
        ({"certificate": "mx.test"}, make_observation(), None),
        ({"resumed": True}, make_observation(resumed=True), ""),
        ({"resumed": True}, make_observation(resumed=False), "no session resumed"),
        ({"resumed": False}, make_observation(resumed=True), "the session resumed"),
        ({"resumed": False}, make_observation(), None),
    ],
)
def test_certificates_and_sessions_can_be_expected(
    expected: dict[str, Any], measured: Observation, wrong: str | None
) -> None:
    """Protects scenarios: what is expected holds, fails, or cannot be told."""
    expectation = Expectation(**read_expected(expected))
    problem = find_contradiction(expectation, measured)
    assert (wrong in problem) if wrong and problem else problem == wrong
    assert Expectation.from_data(expectation.to_data()) == expectation


def test_what_is_no_answer_to_resumed_is_the_writers_error() -> None:
    """Protects from a slip: a word in quotes is no true or false."""
    with pytest.raises(ExpectationError):
        read_expected({"resumed": "yes"})


def test_another_certificate_is_an_effect() -> None:
    """Protects verdicts: a map that changes only the certificate changes something."""
    other = replace(VIEW, names=("mx2.test",))
    assert changed_fields(
        make_observation(certificate=VIEW), make_observation(certificate=other)
    ) == ("certificate",)
    assert changed_fields(make_observation(resumed=True), make_observation(resumed=False)) == (
        "resumed",
    )
    assert changed_fields(make_observation(certificate=VIEW), make_observation()) == ()


def test_an_observation_with_a_certificate_reads_back() -> None:
    """Protects run folders: the new fields are read as they were written."""
    observation = make_observation(certificate=VIEW, resumed=False)
    assert Observation.from_json(observation.to_json()) == observation


def test_a_reference_follows_the_entry_that_got_another_port() -> None:
    """Protects hops behind the server: what leads to them leads to where they listen now."""
    moved = [Rewrite("127.0.0.1:10024", "127.0.0.1:20013"), Rewrite("smtp", "20010")]
    text = (
        "content_filter = smtp-amavis:[127.0.0.1]:10024\n"
        "# was 127.0.0.1:10024\n"
        "relayhost = [127.0.0.1]:100241\n"
        "relayhost = [10.0.0.1]:10024\n"
    )
    followed, changes = follow_ports(text, moved)
    assert followed == text.replace("[127.0.0.1]:10024\n", "[127.0.0.1]:20013\n")
    assert changes == ("[127.0.0.1]:10024 → [127.0.0.1]:20013",)
    entry = "127.0.0.1:10024 inet n - n - - smtpd\n  -o content_filter=smtp:127.0.0.1:10024\n"
    assert follow_ports(entry, moved)[0].splitlines() == [
        "127.0.0.1:10024 inet n - n - - smtpd",
        "  -o content_filter=smtp:127.0.0.1:20013",
    ]
    assert follow_ports(text, [Rewrite("smtp", "20010")]) == (text, ())


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('services = ["outbound"]\nheaders = ["TLS-Required: no"]', None),
        ('headers = ["TLS-Required: no"]', "are of messages that Postfix sends"),
        ('services = ["outbound"]\nheaders = ["no colon"]', "cannot be 'no colon'"),
        ('services = ["outbound"]\nheaders = ["X: it\'s"]', "cannot be"),
    ],
)
def test_headers_are_of_messages_that_postfix_sends(
    tmp_path: Path, text: str, wrong: str | None
) -> None:
    """Protects from headers that nobody would send, and from quotes in a shell's script."""
    head = 'title = "t"\nsource = "s"\nclaim = "c"\n'
    scenario, errors = parse_description(head + text, tmp_path / "scenario.toml")
    if wrong is None:
        assert scenario is not None
        assert scenario.headers == ("TLS-Required: no",)
    else:
        assert wrong in str(errors[0])
