"""Client certificates, and clients that hang up: what smtpd(8) makes of each."""

from __future__ import annotations

import pytest

from harness.verdicts.verdict import Verdict, judge_run
from tests.docker.conftest import Finished, run_cli

pytestmark = pytest.mark.docker
MAIL, TOOL = "aiosmtplib-debian12", "openssl-1.0.2h"
SCENARIOS = "asked/client-*"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The scenarios about certificates of clients, and about clients that are gone."""
    return run_cli(tmp_path_factory.mktemp("clients"), "-s", SCENARIOS, "-b", "debian-12")


@pytest.mark.parametrize(
    ("where", "outcome", "reason"),
    [
        (f"client-certificate-relay/submission/{MAIL}/TLSv1.2+cert=listed", "accepted", None),
        (f"client-certificate-relay/submission/{MAIL}/TLSv1.2+cert=trusted", "refused",
         "access-denied"),
        (f"client-certificate-relay/submission/{MAIL}/TLSv1.2+cert=untrusted", "refused",
         "access-denied"),
        (f"client-certificate-required/smtp/{MAIL}/default+cert=trusted", "accepted", None),
        (f"client-certificate-required/smtp/{TOOL}/TLSv1.2+cert=none", "refused",
         "client-certificate-required"),
        (f"client-certificate-required/smtp/{TOOL}/TLSv1.2+cert=untrusted", "refused",
         "client-certificate-untrusted"),
        (f"client-hangs-up/smtp/{TOOL}/TLSv1.2+hangup=starttls", "hung-up", None),
        (f"client-hangs-up/smtp/{TOOL}/TLSv1.2+hangup=handshake", "hung-up", None),
        (f"client-hangs-up/smtp/{MAIL}/TLSv1.2+hangup=data", "hung-up", None),
        (f"client-hangs-up/smtp/{MAIL}/TLSv1.2", "accepted", None),
        (f"client-hangs-up/smtp/{TOOL}/TLSv1.2+hangup=data", "client-incapable", "unknown-option"),
    ],
)  # fmt: skip
def test_each_certificate_opens_what_it_should(
    asked: Finished, where: str, outcome: str, reason: str | None
) -> None:
    """Protects +cert= and +hangup=: what the server makes of each, and who cannot be told."""
    one = asked.data.find(f"debian-12/{where}")
    assert one is not None, f"{where} was not measured: {asked.err[-2000:]}"
    assert (one.outcome, one.reason) == (outcome, reason), asked.data.evidence(one)


@pytest.mark.parametrize(
    ("cert", "trust"),
    [("trusted", "Trusted"), ("untrusted", "Untrusted"), ("none", "Anonymous")],
)
def test_smtpds_word_for_the_certificate_is_kept(asked: Finished, cert: str, trust: str) -> None:
    """Protects trust: it is smtpd's own word, and stands in the log that is kept."""
    where = f"debian-12/client-certificate-required/smtp/{TOOL}/TLSv1.2+cert={cert}"
    one = asked.data.find(where)
    assert one is not None
    assert one.trust == trust
    evidence = asked.data.evidence(one)
    assert evidence is not None
    assert f"{trust} TLS connection established from" in "\n".join(evidence["log"])


def test_the_listed_fingerprint_is_filled_in_and_told(asked: Finished) -> None:
    """Protects the placeholder: the evidence says what became of it."""
    told = asked.data.instance("debian-12", "client-certificate-relay")
    assert told is not None
    assert any("listed-client-certificate-sha256" in line for line in told["added"])


def test_postfix_logs_the_client_that_is_gone(asked: Finished) -> None:
    """Protects evidence: what Postfix says of a client that hung up in its message."""
    one = asked.data.find(f"debian-12/client-hangs-up/smtp/{MAIL}/TLSv1.2+hangup=data")
    assert one is not None
    evidence = asked.data.evidence(one)
    assert evidence is not None
    assert "lost connection after DATA" in "\n".join(evidence["log"])


def test_the_claims_are_confirmed(asked: Finished) -> None:
    """Protects what the scenarios promise, one smtpd for all clients included."""
    found = {one.scenario: one.verdict for one in judge_run(asked.data)}
    assert found.pop("client-hangs-up") in (Verdict.CONFIRMED, Verdict.NO_EFFECT)
    assert set(found.values()) == {Verdict.CONFIRMED}, found
