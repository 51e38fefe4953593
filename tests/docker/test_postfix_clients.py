"""A build's own smtp(8) and posttls-finger as clients, of an old build and of a new one."""

from __future__ import annotations

import pytest

from harness.observations.record import Observation
from tests.docker.conftest import Finished, run_cli, write_scenarios

pytestmark = pytest.mark.docker

SERVER = "debian-12"
#: What the builds are told to take, and the versions that are left.
SCENARIOS = {"all": ("", ""), "only-tls12": ("smtpd_tls_protocols = TLSv1.2\n", "")}
OLD, NEW = "ubuntu-16.04", "debian-13"
TOOLS = ("smtp", "posttls-finger")
CLIENTS = tuple(f"{tool}-{build}" for tool in TOOLS for build in (OLD, NEW))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One run of all four against Debian 12."""
    root = tmp_path_factory.mktemp("postfix-clients")
    folder = write_scenarios(root, SCENARIOS)
    words = ("--scenarios-dir", str(folder), "-b", SERVER, "-c", ",".join(CLIENTS))
    return run_cli(root / "runs", *words, "-o", "SSLv3,TLSv1,TLSv1.2,TLSv1.3,default")


def seen(run: Finished, where: str) -> Observation:
    """One observation by scenario/service/client/offer."""
    found = run.data.find(f"{SERVER}/{where}")
    assert found is not None, f"{where} was not measured: {run.err[-2000:]}"
    return found


def test_both_postfixes_say_the_same(run: Finished) -> None:
    """Protects Postfix x Postfix: each accepted cell has both logs' word, and they agree."""
    assert run.code == 0, run.err[-2000:]
    cells = [one for one in run.data.observations if one.build == SERVER]
    accepted = [one for one in cells if one.outcome == "accepted"]
    assert {one.client for one in accepted} == set(CLIENTS)
    assert [one.cell for one in accepted if one.agree is not True] == []
    assert [one.cell for one in cells if one.outcome in ("error", "timeout")] == []


@pytest.mark.parametrize(
    ("where", "outcome", "reason"),
    [
        *((f"all/smtp/{client}/TLSv1.2", "accepted", None) for client in CLIENTS),
        *((f"all/submissions/{client}/TLSv1.2", "accepted", None) for client in CLIENTS),
        *((f"all/submission/smtp-{one}/TLSv1.2", "accepted", None) for one in (OLD, NEW)),
        *((f"only-tls12/smtp/{client}/TLSv1.2", "accepted", None) for client in CLIENTS),
        *((f"only-tls12/smtp/{client}/TLSv1", "refused", "protocol-version") for client in CLIENTS),
        *((f"only-tls12/smtp/{client}/default", "accepted", None) for client in CLIENTS),
        *((f"all/smtp/{tool}-{NEW}/TLSv1.3", "accepted", None) for tool in TOOLS),
        # OpenSSL 1.0.2 has no TLSv1.3, and Ubuntu's has no SSLv3.
        *((f"all/smtp/{tool}-{OLD}/TLSv1.3", "client-incapable", None) for tool in TOOLS),
        *((f"all/smtp/{tool}-{OLD}/SSLv3", "client-incapable", None) for tool in TOOLS),
    ],
)
def test_each_offer_comes_to_what_it_must(
    run: Finished, where: str, outcome: str, reason: str | None
) -> None:
    """Protects the client axis: a pin holds on an old release and on a new one."""
    one = seen(run, where)
    assert one.outcome == outcome, run.data.evidence(one)
    if reason is not None:
        assert one.reason == reason


def test_the_refused_client_says_so_in_its_own_log(run: Finished) -> None:
    """Protects doubters: a refusal has smtp(8)'s status and its library's words, and smtpd(8)'s."""
    for build in (OLD, NEW):
        evidence = run.data.evidence(seen(run, f"only-tls12/smtp/smtp-{build}/TLSv1"))
        assert evidence is not None
        assert "Cannot start TLS: handshake failure" in evidence["client"]["error"]
        assert "alert protocol version" in evidence["client"]["error"]
        assert any("SSL_accept error" in line for line in evidence["log"])
