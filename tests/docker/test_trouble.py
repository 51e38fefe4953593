"""Trouble on the way: bad configurations, hanging servers, drivers that misbehave."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from harness.clients.contract import ClientResult, Message, Request
from harness.clients.driver import Driver
from harness.docker_engine.session import DockerSession
from harness.observations.record import Observation
from harness.targets.lab import Lab
from harness.tls import Offer
from tests.docker.conftest import Finished, run_process, write_scenarios

pytestmark = pytest.mark.docker

SCENARIOS = {
    "fatal-parameter": ("smtpd_client_connection_count_limit = many\n", ""),
    "bad-protocol-list": ("smtpd_tls_protocols = !SSLv2, TLSv9\n", ""),
    "unknown-parameter": ("smtpd_tls_protocolls = TLSv1.2\n", ""),
    "no-tls": ("smtpd_tls_security_level = none\n", ""),
    "must-starttls": ("smtpd_tls_security_level = encrypt\n", ""),
    "hangs-at-rcpt": ("smtpd_recipient_restrictions = sleep 30, permit\n", ""),
    "no-such-service": ("", "127.0.0.1:submissions inet n - n - - smtpd\n"),
    "broken-master": ("", "submission inet n - n - nonsense smtpd\n"),
}


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One run of all troublesome configurations against Debian 12."""
    root = tmp_path_factory.mktemp("trouble")
    folder = write_scenarios(root, SCENARIOS)
    return run_process(
        root / "runs",
        *("--scenarios-dir", str(folder), "-b", "debian-12"),
        *("-c", "aiosmtplib-debian12", "-o", "TLSv1.2,default", "--time-limit", "3"),
    )


def seen(run: Finished, where: str) -> Observation:
    """One observation by scenario/service and offer."""
    scenario, service, offer = where.split("/")
    found = run.data.find(f"debian-12/{scenario}/{service}/aiosmtplib-debian12/{offer}")
    assert found is not None, run.err[-2000:]
    return found


@pytest.mark.parametrize(
    ("where", "outcome", "reason"),
    [
        ("fatal-parameter/smtp/TLSv1.2", "config-rejected", "fatal-parameter"),
        ("bad-protocol-list/smtp/TLSv1.2", "refused", "tls-disabled-bad-protocol-list"),
        ("unknown-parameter/smtp/TLSv1.2", "accepted", None),
        ("no-tls/smtp/TLSv1.2", "not-offered", None),
        ("no-tls/smtp/default", "plaintext", None),
        ("must-starttls/smtp/default", "accepted", None),
        ("hangs-at-rcpt/smtp/TLSv1.2", "timeout", None),
        ("no-such-service/submissions/TLSv1.2", "refused", "connection-refused"),
        ("unknown-parameter/submissions/TLSv1.2", "accepted", None),
        ("broken-master/smtp/TLSv1.2", "config-rejected", "fatal-parameter"),
    ],
)
def test_each_trouble_has_its_own_outcome(
    troubled: Finished, where: str, outcome: str, reason: str | None
) -> None:
    """Protects the vocabulary on a real Postfix: no trouble is taken for another one."""
    one = seen(troubled, where)
    assert (one.outcome, one.reason) == (outcome, reason), troubled.data.evidence(one)


def test_a_rejected_config_shows_postfixs_own_words(troubled: Finished) -> None:
    """Protects evidence: config-rejected comes with the fatal line that Postfix logged."""
    evidence = troubled.data.evidence(seen(troubled, "fatal-parameter/smtp/TLSv1.2"))
    assert evidence is not None
    assert any("fatal: bad numerical configuration" in line for line in evidence["log"])


def test_an_unknown_parameter_is_warned_of(troubled: Finished) -> None:
    """Protects the commonest mistake: Postfix's warning of an unused parameter is kept."""
    instance = troubled.data.instance("debian-12", "unknown-parameter")
    assert instance is not None
    assert "unused parameter: smtpd_tls_protocolls" in instance["check"]


def test_other_cells_go_on_beside_the_trouble(troubled: Finished) -> None:
    """Protects the rest of a run: every cell of every troubled config was measured."""
    cells = [one for one in troubled.data.observations if one.build == "debian-12"]
    # An entry of one address is a service of its own.
    assert len(cells) == len(SCENARIOS) * 3 * 2 + 2


DRIVERS = {
    "hangs": "cat >/dev/null",
    "rubbish": "while read -r line; do echo 'Traceback (most recent call last):'; done",
    "dies": "read -r line; echo 'out of cheese' >&2; exit 3",
    "wrong-id": """
        while read -r line; do echo '{"contract": 1, "id": "x", "outcome": "accepted"}'; done""",
    "mostly-works": r"""
        while read -r line; do
            id=$(printf '%s' "$line" | sed 's/.*"id": "\([^"]*\)".*/\1/')
            case $id in
                bad) echo 'not a word of JSON' ;;
                *) printf '{"contract": 1, "id": "%s", "outcome": "timeout"}\n' "$id" ;;
            esac
        done""",
}


@pytest.fixture(scope="module")
def lab(engine: docker.DockerClient) -> Iterator[Lab]:
    """A network for the drivers."""
    with DockerSession(engine) as session, Lab(session) as made:
        yield made


def driver_image(engine: docker.DockerClient, folder: Path, name: str) -> str:
    """An image whose driver misbehaves in one way, on the project's own base."""
    base = next(
        tag
        for image in engine.images.list()
        for tag in image.tags
        if tag.startswith("postfix-matrix/base-bookworm:")
    )
    (folder / "driver").write_text("#!/bin/sh\n" + textwrap.dedent(DRIVERS[name]) + "\n")
    (folder / "Dockerfile").write_text(
        f'FROM {base}\nCOPY driver /driver\nRUN chmod 755 /driver\nENTRYPOINT ["/driver"]\n'
    )
    image, _ = engine.images.build(path=str(folder), rm=True)
    return str(image.id)


def ask(lab: Lab, reference: str, name: str, *ids: str) -> list[ClientResult]:
    """Ask a driver for several dialogues at once."""

    async def all_of_them() -> list[ClientResult]:
        driver = Driver(lab, name, reference)
        requests = [
            Request(one, "h", 25, "h", False, Offer(), "/ca", Message("a", "b", "c"), None, 0.5)
            for one in ids
        ]
        try:
            return list(await asyncio.gather(*(driver.ask(request) for request in requests)))
        finally:
            driver.close()

    return asyncio.run(all_of_them())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hangs", "gave no answer"),
        ("rubbish", "Traceback"),
        ("dies", "out of cheese"),
        ("wrong-id", "gave no answer"),
    ],
)
@pytest.mark.usefixtures("matrix")
def test_a_bad_driver_gives_errors_with_what_it_said(
    engine: docker.DockerClient, lab: Lab, tmp_path: Path, name: str, words: str
) -> None:
    """Protects the run from a driver: its cells are errors, never refusals, and nothing hangs."""
    results = ask(lab, driver_image(engine, tmp_path, name), name, "one", "two")
    assert [result.outcome for result in results] == ["error", "error"]
    assert any(words in (result.error or "") for result in results)


@pytest.mark.usefixtures("matrix")
def test_a_driver_that_fails_once_fails_one_cell(
    engine: docker.DockerClient, lab: Lab, tmp_path: Path
) -> None:
    """Protects the neighbours: only the cell whose answer was rubbish is an error."""
    results = ask(lab, driver_image(engine, tmp_path, "mostly-works"), "works", "a", "bad", "c")
    assert [result.outcome for result in results] == ["timeout", "error", "timeout"]
