"""Postfix as the client: real peers, a real validating resolver, the sender's own words."""

from __future__ import annotations

import re
import subprocess

import pytest

from harness.observations.record import Observation, Outcome
from harness.reports.labels import PEER_LOG
from harness.verdicts.verdict import Verdict, judge_run
from tests.docker.conftest import CLI, Finished, run_cli

pytestmark = pytest.mark.docker
#: The oldest and the newest of the distributions that the tests build.
BUILDS = ("debian-11", "debian-13")


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """All scenarios of outbound, from both builds."""
    root = tmp_path_factory.mktemp("outbound")
    done = run_cli(root / "runs", "-s", "outbound/*", "-b", ",".join(BUILDS))
    assert done.code == 0, done.err
    return done


def seen(sent: Finished, build: str, where: str) -> Observation:
    """One cell by scenario/peer/offer."""
    scenario, rest = where.split("/", 1)
    found = sent.data.find(f"{build}/{scenario}/outbound/{rest}")
    assert found is not None, f"{where} was not measured: {sent.err[-2000:]}"
    return found


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize(
    ("where", "outcome", "reason", "trust"),
    [
        ("outbound-none/peer-mx/default", "plaintext", None, None),
        ("outbound-may/peer-mx/default", "accepted", None, "Trusted"),
        ("outbound-may/peer-unknown-ca/default", "accepted", None, "Untrusted"),
        ("outbound-may/peer-plaintext/default", "plaintext", None, None),
        ("outbound-encrypt/peer-plaintext/default", "refused", "tls-required", None),
        ("outbound-encrypt/peer-unknown-ca/default", "accepted", None, "Untrusted"),
        ("outbound-verify/peer-mx/TLSv1.3", "accepted", None, "Verified"),
        (
            "outbound-verify/peer-unknown-ca/default",
            "refused",
            "certificate-untrusted-issuer",
            "Untrusted",
        ),
        ("outbound-secure/peer-mx/TLSv1.2", "accepted", None, "Verified"),
        (
            "outbound-secure/peer-unsigned/default",
            "refused",
            "certificate-name-mismatch",
            "Trusted",
        ),
        ("outbound-fingerprint/peer-mx/default", "refused", "certificate", "Untrusted"),
        ("outbound-dane/peer-mx/default", "accepted", None, "Verified"),
        ("outbound-dane/peer-wrong-tlsa/default", "refused", "certificate", "Untrusted"),
        ("outbound-dane/peer-plaintext/default", "refused", "tls-required", None),
        ("outbound-dane/peer-unsigned/default", "accepted", None, "Untrusted"),
        ("outbound-policy-map/peer-mx/TLSv1.2", "refused", "protocol-version", None),
        ("outbound-policy-map/peer-mx/TLSv1.3", "accepted", None, "Untrusted"),
    ],
)
def test_each_level_does_what_it_is_for(
    sent: Finished, build: str, where: str, outcome: str, reason: str | None, trust: str | None
) -> None:
    """Protects the levels: what each sends to whom, and its word for the certificate."""
    one = seen(sent, build, where)
    evidence = sent.data.evidence(one)
    assert (one.outcome, one.reason, one.trust) == (outcome, reason, trust), evidence


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"])
def test_a_pinned_peer_is_spoken_to_in_its_version(
    sent: Finished, build: str, version: str
) -> None:
    """Protects the axis: the version is the peer's pin, by the logs of both sides."""
    one = seen(sent, build, f"outbound-may/peer-mx/{version}")
    assert one.client_saw is not None
    assert (one.outcome, one.client_saw.protocol, one.agree) == ("accepted", version, True)
    evidence = sent.data.evidence(one)
    assert evidence is not None
    assert any("TLS connection established from" in line for line in evidence["peer_log"])


@pytest.mark.parametrize("build", BUILDS)
def test_the_questions_own_outbound_line_is_there(sent: Finished, build: str) -> None:
    """Protects where the project began: its log's last line, from a real Postfix."""
    offer = "TLSv1.2+ciphers=ECDHE-RSA-AES128-GCM-SHA256"
    evidence = sent.data.evidence(seen(sent, build, f"outbound-question-line/peer-mx/{offer}"))
    assert evidence is not None
    said = "\n".join(evidence["log"])
    assert "Trusted TLS connection established to pin-" in said
    assert "TLSv1.2 with cipher ECDHE-RSA-AES128-GCM-SHA256 (128/128 bits)" in said


def test_the_two_sides_agree_and_nothing_failed(sent: Finished) -> None:
    """Protects truth: no cell is an error, none is lost, and both logs say the same."""
    outcomes = {one.outcome for one in sent.data.observations}
    assert outcomes <= {Outcome.ACCEPTED, Outcome.PLAINTEXT, Outcome.REFUSED}
    assert not [one.cell for one in sent.data.observations if one.agree is False]
    assert len(sent.data.observations) == sent.data.run.axes.planned()


def test_the_levels_claims_are_confirmed(sent: Finished) -> None:
    """Protects TLS_README's own words, and the verdicts that are made of them."""
    found = {one.scenario: one.verdict for one in judge_run(sent.data)}
    assert found.pop("outbound-none") is Verdict.NO_EFFECT
    assert set(found.values()) == {Verdict.CONFIRMED}, found


def test_a_cell_is_shown_with_the_peers_log(sent: Finished) -> None:
    """Protects the doubter: both sides' lines stand in the answer."""
    cell = "debian-13/outbound-dane/outbound/peer-mx/default"
    shown = subprocess.run(
        [*CLI, "show", cell, "--run", str(sent.folder)], capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"certificate +Verified", shown)
    assert PEER_LOG in shown
