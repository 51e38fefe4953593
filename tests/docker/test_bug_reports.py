"""What is said of public bug reports: each row of their table, with its neighbours.

The scenarios in ``data/bug-reports`` have the reports' settings and their addresses.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.observations.record import Observation
from tests.docker.conftest import Finished, run_cli

pytestmark = pytest.mark.docker

FOLDER = Path(__file__).with_name("data") / "bug-reports"
#: Postfix 3.7 with OpenSSL 3.0, and 3.1 with 1.0.2.
NEW, OLD = "debian-12", "ubuntu-16.04"
PYTHON, S_CLIENT = "aiosmtplib-debian12", "openssl-1.0.2h"


@pytest.fixture(scope="module")
def inbound(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """All scenarios in which Postfix is the server."""
    return run_cli(
        tmp_path_factory.mktemp("bug-reports"),
        *("--scenarios-dir", str(FOLDER), "-b", f"{NEW},{OLD}", "-c", f"{PYTHON},{S_CLIENT}"),
        *("-S", "smtp,submission,submissions", "-o", "default,TLSv1,TLSv1.2"),
    )


@pytest.fixture(scope="module")
def outbound(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """All scenarios in which Postfix is the client."""
    return run_cli(
        tmp_path_factory.mktemp("bug-reports"),
        *("--scenarios-dir", str(FOLDER), "-b", f"{NEW},{OLD}", "-S", "outbound"),
        *("-c", "peer-mx,peer-unsigned,peer-example.com", "-o", "default"),
    )


@pytest.fixture
def seen(request: pytest.FixtureRequest, where: str) -> tuple[Observation, Finished]:
    """One observation by its id, and the run that it is from."""
    name = "outbound" if "/outbound/" in where else "inbound"
    run: Finished = request.getfixturevalue(name)
    found = run.data.find(where)
    assert found is not None, f"{where} was not measured: {run.err[-2000:]}"
    return found, run


@pytest.mark.parametrize(
    ("where", "outcome", "reason"),
    [
        (f"{NEW}/cnf-proto/smtp/{S_CLIENT}/TLSv1", "refused", "protocol-version"),
        (f"{NEW}/cnf-proto/smtp/{S_CLIENT}/TLSv1.2", "accepted", None),
        (f"{NEW}/mailcow-5816/smtp/{PYTHON}/default", "accepted", None),
        (f"{NEW}/kolab-8/submission/{PYTHON}/default", "refused", "tls-disabled-ca-file"),
        (f"{OLD}/kolab-8/submissions/{S_CLIENT}/TLSv1.2", "refused", "tls-disabled-ca-file"),
        (f"{NEW}/sovereign-31/submissions/{S_CLIENT}/default", "refused",
         "tls-disabled-key-mismatch"),
        (f"{OLD}/sovereign-31/smtp/{PYTHON}/default", "refused", "tls-disabled-key-mismatch"),
        (f"{NEW}/chain-order/smtp/{PYTHON}/default", "refused", "tls-disabled-chain-order"),
        (f"{NEW}/chain-order/submissions/{S_CLIENT}/TLSv1.2", "refused",
         "tls-disabled-chain-order"),
        (f"{NEW}/req-ccert/submission/{PYTHON}/TLSv1.2", "refused",
         "client-certificate-required"),
        (f"{OLD}/req-ccert/submission/{S_CLIENT}/default", "refused",
         "client-certificate-required"),
        (f"{NEW}/dms-2415/smtp/{PYTHON}/TLSv1.2", "accepted", None),
        # By default it offers no suite that does without a certificate.
        (f"{NEW}/dms-2415/smtp/{PYTHON}/default", "refused", "no-shared-cipher"),
        (f"{NEW}/bad-list/smtp/{PYTHON}/default", "refused", "tls-disabled-bad-cipher-list"),
        (f"{NEW}/bad-list/smtp/{S_CLIENT}/TLSv1.2", "refused", "tls-disabled-bad-cipher-list"),
        (f"{OLD}/bad-list/smtp/{S_CLIENT}/TLSv1", "refused", "tls-disabled-bad-cipher-list"),
        (f"{NEW}/dies/smtp/{PYTHON}/default", "config-rejected", "fatal-parameter"),
        (f"{OLD}/dies/smtp/{S_CLIENT}/TLSv1.2", "config-rejected", "fatal-parameter"),
        (f"{NEW}/dies-with-client/smtp/{PYTHON}/default", "config-rejected", "fatal"),
        (f"{NEW}/dies-with-client/smtp/{S_CLIENT}/TLSv1.2", "config-rejected", "fatal"),
        (f"{NEW}/sf-759985/outbound/peer-unsigned/default", "refused",
         "certificate-name-mismatch"),
        (f"{OLD}/sf-759985/outbound/peer-unsigned/default", "refused",
         "certificate-name-mismatch"),
        (f"{NEW}/sf-759985/outbound/peer-mx/default", "accepted", None),
        (f"{NEW}/wader-230/outbound/peer-mx/default", "refused", "certificate-untrusted-issuer"),
        (f"{OLD}/wader-230/outbound/peer-mx/default", "refused", "certificate-untrusted-issuer"),
        (f"{OLD}/stsr-76/outbound/peer-mx/default", "refused", "bad-policy-attribute"),
        (f"{NEW}/stsr-76/outbound/peer-mx/default", "accepted", None),
        (f"{NEW}/bokysan-222/outbound/peer-mx/default", "refused", "tlsproxy-missing"),
        (f"{NEW}/bokysan-222-fix/outbound/peer-mx/default", "accepted", None),
        (f"{NEW}/logan-59/outbound/peer-example.com/default", "refused", "not-tls"),
        (f"{OLD}/logan-59/outbound/peer-example.com/default", "refused", "not-tls"),
        (f"{NEW}/logan-59-465/outbound/peer-example.com/default", "accepted", None),
        (f"{NEW}/tlspol-8/outbound/peer-unsigned/default", "refused", "no-dnssec"),
        (f"{NEW}/erik73-312/outbound/peer-example.com/default", "timeout",
         "wrapper-mode-missing"),
        (f"{NEW}/smtp-dies/outbound/peer-mx/default", "config-rejected", "fatal-parameter"),
        (f"{OLD}/smtp-dies/outbound/peer-mx/default", "config-rejected", "fatal-parameter"),
    ],
)  # fmt: skip
def test_each_report_has_its_reason(
    seen: tuple[Observation, Finished], outcome: str, reason: str | None
) -> None:
    """Protects causes: each report's has one name, whoever meets it and however fast."""
    one, run = seen
    assert (one.outcome, one.reason) == (outcome, reason), run.data.evidence(one)


@pytest.mark.parametrize(
    ("where", "obstacles"),
    [
        (f"{NEW}/cnf-proto/smtp/{S_CLIENT}/TLSv1", ("settings",)),
        (f"{NEW}/cnf-proto/smtp/{PYTHON}/TLSv1", ("settings",)),
        (f"{NEW}/kolab-8/submission/{PYTHON}/default", ("settings",)),
        (f"{NEW}/sovereign-31/submissions/{S_CLIENT}/default", ("keys",)),
        (f"{NEW}/chain-order/submissions/{S_CLIENT}/TLSv1.2", ("keys",)),
        (f"{NEW}/bad-list/smtp/{PYTHON}/default", ("cipher-list",)),
        (f"{OLD}/bad-list/smtp/{S_CLIENT}/TLSv1", ("cipher-list",)),
        (f"{NEW}/req-ccert/submission/{PYTHON}/TLSv1.2", ("settings",)),
        (f"{NEW}/dms-2415/smtp/{PYTHON}/default", ("keys",)),
    ],
)
def test_each_report_has_what_stood_in_the_way(
    seen: tuple[Observation, Finished], obstacles: tuple[str, ...]
) -> None:
    """Protects "whose decision": the same in every run."""
    one, run = seen
    assert one.obstacles == obstacles, run.data.evidence(one)


@pytest.mark.parametrize("where", [f"{NEW}/cnf-proto/smtp/{S_CLIENT}/TLSv1"])
def test_the_file_that_refuses_is_named(seen: tuple[Observation, Finished]) -> None:
    """Protects the proof: the same build without the file grants it, with the file it does not."""
    one, run = seen
    grounds = (run.data.evidence(one) or {})["grounds"]
    assert grounds["files"] == ["/etc/ssl/openssl.cnf"]
    asked = {cell.split("/")[1].rpartition("-")[0] or "open": outcome
             for cell, outcome in grounds["controls"].items()}  # fmt: skip
    assert asked == {"open": "accepted", "open-with-files": "refused"}


@pytest.mark.parametrize("where", [f"{NEW}/mailcow-5816/smtp/{PYTHON}/default"])
def test_the_servers_view_is_read_after_sni(seen: tuple[Observation, Finished]) -> None:
    """Protects agreement: "established from x[…]:port to mx.test:" is a session's line too."""
    one, run = seen
    assert one.server_saw is not None
    assert one.agree is True
    evidence = run.data.evidence(one)
    assert evidence is not None
    assert any(" to mx.test: TLSv1.3 with cipher" in line for line in evidence["log"])


@pytest.mark.parametrize("where", [f"{NEW}/chain-order/smtp/{PYTHON}/default"])
def test_the_base_causes_no_warning_of_its_own(seen: tuple[Observation, Finished]) -> None:
    """Protects the candidate: what it replaces is not in the base."""
    one, run = seen
    assert "legacy" not in " ".join((run.data.evidence(one) or {})["log"])


@pytest.mark.parametrize("where", [f"{NEW}/dms-2415/smtp/{PYTHON}/TLSv1.2"])
def test_a_suite_without_a_certificate_is_marked(seen: tuple[Observation, Finished]) -> None:
    """Protects the table: such a session looks like any other, and proves nobody's identity."""
    one, run = seen
    assert one.server_saw is not None
    assert (one.server_saw.cipher or "").startswith(("ADH-", "AECDH-"))
    row = next(line for line in run.out.splitlines() if "°" in line)
    assert "✓ °" in row


@pytest.mark.parametrize("where", [f"{NEW}/erik73-312/outbound/peer-example.com/default"])
def test_a_time_out_has_the_senders_log(seen: tuple[Observation, Finished]) -> None:
    """Protects evidence: what smtp(8) said before it waited is kept."""
    one, run = seen
    log = (run.data.evidence(one) or {})["log"]
    assert any("SMTPS wrappermode (TCP port 465) requires setting" in line for line in log)


@pytest.mark.parametrize(
    "where",
    [
        f"{NEW}/dies/smtp/{PYTHON}/default",
        f"{NEW}/dies-with-client/smtp/{PYTHON}/default",
        f"{NEW}/smtp-dies/outbound/peer-mx/default",
    ],
)
def test_a_death_is_told_at_once_with_its_line(seen: tuple[Observation, Finished]) -> None:
    """Protects patience: no cell waits for its time limit, and the fatal line is the evidence."""
    one, run = seen
    assert any("fatal: " in line for line in (run.data.evidence(one) or {})["log"])
    assert one.seconds is None or one.seconds < 9.0
