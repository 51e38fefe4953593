"""``clients check``: the document's own driver passes, and each lie of a driver's is found."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import docker
import pytest

from harness.catalog.clients import all_clients
from harness.images.recipes import base_recipe
from harness.paths import images_dir
from tests.docker.conftest import CLI, run_process
from tests.schema_files import faults

pytestmark = pytest.mark.docker

PAGE = Path(__file__).resolve().parents[2] / "docs" / "client-contract.md"
DESCRIBE = (
    '{"contract": 1, "client": "liar", "version": "1", "tls_library": "none",'
    ' "tls_version": "none", "offers": ["TLSv1.2"], "sends_mail": true}'
)
#: A driver in shell that gives each request the same answer.
LIAR = """#!/bin/sh
if [ "$1" = --describe ]; then echo '{describe}'; exit; fi
while read -r line; do
    id=$(printf '%s' "$line" | sed 's/.*"id": "\\([^"]*\\)".*/\\1/')
    printf '{{"contract": 1, "id": "%s", {answer}}}\\n' "$id"
done
"""


def image(engine: docker.DockerClient, folder: Path, driver: str) -> str:
    """An image of a driver, on the suite that clients stand on."""
    base = base_recipe("bookworm").tag(images_dir())
    (folder / "driver").write_text(driver)
    (folder / "Dockerfile").write_text(
        f"FROM {base}\nRUN apt-get update && apt-get install python3\n"
        "COPY driver /usr/local/bin/driver\nRUN chmod 755 /usr/local/bin/driver\n"
        'USER nobody\nENTRYPOINT ["driver"]\n'
    )
    made, _ = engine.images.build(path=str(folder), rm=True)
    return str(made.id)


def check(reference: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and each check by its name."""
    done = subprocess.run(
        [*CLI, "clients", "check", "--json", "-q", reference],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr[-2000:]
    data = json.loads(done.stdout)
    assert faults("clients-check", data) == []
    return done.returncode, {one["name"]: one for one in data["checks"]}


@pytest.mark.usefixtures("matrix")
def test_the_documents_own_driver_keeps_the_contract(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Protects who brings a client: the page's driver, copied as it stands, passes every check."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert code is not None
    exit_code, checks = check(image(engine, tmp_path, code[1]))
    verdicts = {name: one["verdict"] for name, one in checks.items()}
    # It declares no extras, so none of them is tried.
    assert verdicts.pop("extras") == "not checked"
    assert set(verdicts.values()) == {"passed"}, checks
    assert exit_code == 0


@pytest.mark.usefixtures("matrix")
def test_a_client_of_ones_own_is_measured_as_any_other(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Protects --client: its cells have both sides' words, and controls."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert code is not None
    mine = f"mine={image(engine, tmp_path, code[1])}"
    words = ("-b", "debian-12", "-s", "defaults", "-S", "smtp", "-o", "TLSv1.2,TLSv1.3,default")
    done = run_process(tmp_path / "runs", "--client", mine, *words)
    assert done.code == 0, done.err[-2000:]
    cells = [one for one in done.data.observations if one.build == "debian-12"]
    assert [(one.client, one.outcome, one.agree) for one in cells] == [
        ("mine", "accepted", True)
    ] * 3
    assert done.data.run.images["mine"].foreign
    controls = [o for o in done.data.observations if o.build == "control-openssl-3.5"]
    assert {one.client for one in controls} == {"mine"}


@pytest.mark.usefixtures("matrix")
@pytest.mark.parametrize(
    ("answer", "failures"),
    [
        ('"outcome": "accepted", "protocol": "TLSv1.2"', {"refusal", "incapable", "at-once"}),
        ('"outcome": "refused", "stage": "handshake"', {"offers", "incapable", "words", "default"}),
        ('"outcome": "client-incapable"', {"offers", "refusal", "words", "login"}),
        ('"outcome": "timeout"', {"offers", "refusal", "incapable", "nobody", "wrong-password"}),
    ],
)
def test_a_driver_that_always_says_the_same_is_found_out(
    engine: docker.DockerClient, tmp_path: Path, answer: str, failures: set[str]
) -> None:
    """Protects the conformance test from passing anything: each lie fails where it is one."""
    driver = LIAR.format(describe=DESCRIBE, answer=answer)
    exit_code, checks = check(image(engine, tmp_path, driver))
    failed = {name for name, one in checks.items() if one["verdict"] == "failed"}
    assert failures <= failed, checks
    assert exit_code == 1


@pytest.mark.nightly
@pytest.mark.parametrize("name", [client.name for client in all_clients() if client.brings_python])
def test_a_client_of_its_time_keeps_the_contract(name: str) -> None:
    """Protects the clients of old suites, and the mail servers that send: nightly only."""
    exit_code, checks = check(name)
    failed = {name: one for name, one in checks.items() if one["verdict"] == "failed"}
    assert failed == {}
    assert exit_code == 0
