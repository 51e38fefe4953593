"""The whole matrix on real containers, held against what the question's server is known to do."""

from __future__ import annotations

import csv
import re
from collections import Counter

import docker
import pytest

from harness.observations.record import Observation, Outcome
from harness.tls import PLAINTEXT
from tests.docker.conftest import Finished, leftovers

pytestmark = pytest.mark.docker

BUILDS = ("debian-11", "debian-12", "debian-13", "postfix-3.7.11+openssl-1.1.1w")
LEGACY = "openssl-1.0.2h"
#: The log line with which this project started, but for the address.
QUESTION = re.compile(
    r"postfix/submission/smtpd\[\d+\]: Anonymous TLS connection established from "
    r"\S+: TLSv1 with cipher ECDHE-RSA-AES256-SHA \(256/256 bits\)"
)


def cell(matrix: Finished, build: str, rest: str) -> Observation:
    """One observation by id."""
    seen = matrix.data.find(f"{build}/{rest}")
    assert seen is not None, f"{build}/{rest} was not measured"
    return seen


def hides_sessions(matrix: Finished, one: Observation) -> bool:
    """Whether the service's shipped entry keeps the client out of the header (Postfix 3.10)."""
    instance = matrix.data.instance(one.build, one.scenario)
    assert instance is not None
    return one.service != "smtp" and "smtpd_hide_client_session=yes" in instance["master.cf"]


def test_every_cell_is_measured(matrix: Finished) -> None:
    """Protects completeness: each cell of the plan, and the plan is that of all scenarios."""
    data = matrix.data
    cells = [one for one in data.observations if not one.build.startswith("control-")]
    assert data.run.missing == ()
    assert set(data.run.axes.builds) == set(BUILDS)
    assert len(data.run.axes.scenarios) == 11
    assert len(cells) == data.run.axes.planned() == 2168
    assert matrix.code == 0, matrix.err[-2000:]


def test_the_harness_itself_never_failed(matrix: Finished) -> None:
    """Protects trust: an error cell is a hole in the table, and there is none."""
    counts = Counter(one.outcome for one in matrix.data.observations)
    assert counts[Outcome.ERROR] == 0
    assert counts[Outcome.TIMEOUT] == 0


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("scenario", ["answer-2-smtp-line", "asker-submission"])
def test_the_second_answers_line_changes_nothing_inbound(
    matrix: Finished, build: str, scenario: str
) -> None:
    """Protects the first verdict: a client parameter under submission limits no client of it.

    A client that offers only TLSv1 still gets TLSv1, and one that offers up to TLSv1.2 got TLSv1.2
    all along.
    """
    where = f"{scenario}/submission/{LEGACY}"
    old = cell(matrix, build, f"{where}/TLSv1")
    assert old.outcome is Outcome.ACCEPTED
    assert old.server_saw is not None
    assert old.server_saw.protocol == "TLSv1"
    best = cell(matrix, build, f"{where}/default")
    assert best.server_saw is not None
    assert best.server_saw.protocol == "TLSv1.2"


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("scenario", ["answer-2-smtp-line", "asker-submission"])
def test_the_questions_own_log_line_is_in_the_evidence(
    matrix: Finished, build: str, scenario: str
) -> None:
    """Protects the link to where it all began: the asker's line, from a Postfix of today."""
    seen = cell(matrix, build, f"{scenario}/submission/{LEGACY}/TLSv1")
    evidence = matrix.data.evidence(seen)
    assert evidence is not None
    assert any(QUESTION.search(line) for line in evidence["log"])


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("service", ["smtp", "submission", "submissions"])
@pytest.mark.parametrize("client", [LEGACY, "aiosmtplib-debian12"])
def test_the_first_answers_four_lines_refuse_tlsv1_everywhere(
    matrix: Finished, build: str, service: str, client: str
) -> None:
    """Protects the second verdict: at may, at encrypt and in wrapper mode, by both clients."""
    seen = cell(matrix, build, f"answer-1-protocols/{service}/{client}/TLSv1")
    assert (seen.outcome, seen.reason) == (Outcome.REFUSED, "protocol-version")
    allowed = cell(matrix, build, f"answer-1-protocols/{service}/{client}/TLSv1.2")
    assert allowed.outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("build", BUILDS)
def test_the_mandatory_pair_alone_does_nothing_at_may(matrix: Finished, build: str) -> None:
    """Protects the difference that advice forgets: mandatory protocols hold at encrypt only."""
    at_may = cell(matrix, build, f"answer-1-mandatory-only/smtp/{LEGACY}/TLSv1")
    at_encrypt = cell(matrix, build, f"answer-1-mandatory-only/submission/{LEGACY}/TLSv1")
    assert at_may.outcome is Outcome.ACCEPTED
    assert at_encrypt.outcome is Outcome.REFUSED


@pytest.mark.parametrize("build", BUILDS)
def test_a_duplicated_entry_is_warned_of_and_starts(matrix: Finished, build: str) -> None:
    """Protects the third verdict: Postfix starts with two submission lines, and says so."""
    instance = matrix.data.instance(build, "duplicate-submission")
    assert instance is not None
    assert instance["started"] is True
    assert any("duplicate master.cf entry" in line for line in instance["startup"])


def test_every_refusal_has_a_control_that_went_through(matrix: Finished) -> None:
    """Protects servers from false blame: the same client and offer was accepted by a control."""
    data = matrix.data
    refused = [
        one
        for one in data.observations
        if one.outcome is Outcome.REFUSED
        and not one.build.startswith("control-")
        # Without TLS there is nothing that a control could show.
        and one.offer != PLAINTEXT
    ]
    assert refused
    for one in refused:
        if one.stage in ("handshake", "auth", "mail", "rcpt", "data"):
            control = data.find(one.control or "")
            assert control is not None, one.cell
            assert control.outcome is Outcome.ACCEPTED, one.cell
            assert (control.client, control.offer) == (one.client, one.offer)


def test_every_incapable_client_failed_its_control_too(matrix: Finished) -> None:
    """Protects client-incapable: a permissive server of the same run had no success either."""
    data = matrix.data
    incapable = [
        one
        for one in data.observations
        if one.outcome is Outcome.CLIENT_INCAPABLE
        and not one.build.startswith("control-")
        and one.offer != PLAINTEXT
    ]
    assert {one.client for one in incapable} == {LEGACY, "aiosmtplib-debian12"}
    for one in incapable:
        control = data.find(one.control or "")
        assert control is not None, one.cell
        assert control.outcome is Outcome.CLIENT_INCAPABLE, one.cell


def test_the_controls_reach_from_sslv2_to_tlsv13(matrix: Finished) -> None:
    """Protects the reach of the controls: each version was really spoken with one of them."""
    spoken = {
        one.offer
        for one in matrix.data.observations
        if one.build.startswith("control-") and one.outcome is Outcome.ACCEPTED
    }
    assert {"SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "default"} <= spoken


def test_both_views_of_every_accepted_cell_are_compared(matrix: Finished) -> None:
    """Protects the agreement: each accepted cell has both views, and they say the same."""
    accepted = [one for one in matrix.data.observations if one.outcome is Outcome.ACCEPTED]
    assert len(accepted) > 500
    assert [one.cell for one in accepted if one.agree is not True] == []
    assert re.search(r"0 of \d+ views compared disagree", matrix.out)


def test_each_cells_evidence_is_of_that_cell(matrix: Finished) -> None:
    """Protects the join: dialogue, log, message and trace header all belong to one connection."""
    data = matrix.data
    for one in data.observations:
        evidence = data.evidence(one)
        assert evidence is not None, one.cell
        assert evidence["cell"] == one.cell
        if one.build.startswith("control-"):
            continue
        address = evidence["client"]["local_address"]
        if address is None:
            # Python's ssl has never heard of SSLv2, or has none of the ciphers that are named: so
            # aiosmtplib does not even connect. s_client has no word for doing without TLS.
            assert one.outcome is Outcome.CLIENT_INCAPABLE, one.cell
            assert one.reason in ("unknown-option", "no-ciphers-available"), one.cell
            continue
        peer = address.rpartition(":")[2]
        connects = [line for line in evidence["log"] if ": connect from" in line]
        assert [line.endswith(f":{peer}") for line in connects] == [True], one.cell


def test_a_delivered_message_carries_what_was_negotiated(matrix: Finished) -> None:
    """Protects the third view: the Received header names the protocol that both sides saw."""
    data = matrix.data
    sent = 0
    for one in data.observations:
        if one.client != "aiosmtplib-debian12" or one.build.startswith("control-"):
            continue
        if one.outcome is Outcome.ACCEPTED:
            evidence = data.evidence(one)
            assert evidence is not None
            assert one.server_saw is not None
            assert evidence["received"].startswith("Received: "), one.cell
            if not hides_sessions(matrix, one):
                negotiated = f"(using {one.server_saw.protocol} with cipher"
                assert negotiated in evidence["received"], one.cell
            sent += 1
    assert sent > 300


def test_each_instance_says_what_was_added_to_the_candidate(matrix: Finished) -> None:
    """Protects "applied as written": the candidate's text is in main.cf to the letter."""
    instance = matrix.data.instance("debian-12", "answer-1-exclude-long")
    assert instance is not None
    assert (
        "smtpd_tls_exclude_ciphers = aNULL, LOW, EXP, MEDIUM, ADH, AECDH, MD5,\n"
        in (instance["main.cf"])
    )
    assert "smtpd_peername_lookup = no" in instance["added"]
    assert "smtpd_tls_exclude_ciphers" in instance["postconf_n"]
    assert any("daemon started" in line for line in instance["startup"])


def test_a_run_leaves_reports_and_nothing_else(
    matrix: Finished, engine: docker.DockerClient
) -> None:
    """Protects the machine, and the reports: all three are there, no container or network is."""
    folder = matrix.folder
    assert leftovers(engine, folder.resolve().name) == []
    assert (folder / "index.html").stat().st_size > 100_000
    assert "answer-2-smtp-line" in (folder / "matrix.md").read_text()
    with (folder / "matrix.csv").open(newline="") as file:
        assert sum(1 for _ in csv.DictReader(file)) >= 2168


def test_provenance_names_versions_and_images(matrix: Finished) -> None:
    """Protects provenance: each build's image, its id, and the versions read back from it."""
    images = matrix.data.run.images
    for build in BUILDS:
        assert images[build].id.startswith("sha256:")
        assert re.fullmatch(r"3\.\d+\.\d+", images[build].postfix or "")
    pair = images["postfix-3.7.11+openssl-1.1.1w"]
    assert (pair.postfix, pair.openssl) == ("3.7.11", "1.1.1w")
    described = images[LEGACY].describe
    assert described is not None
    assert "1.0.2h" in described["tls_version"]
