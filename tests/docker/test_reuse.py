"""Taking cells over, with real images and containers: what is measured, and what is started."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.docker_engine.session import LABEL_RUN, connect
from harness.observations.record import Observation
from harness.observations.run_folder import RunData, load_run
from tests.docker.conftest import CLI, Finished, run_process
from tests.docker.newest_run import newest_run

pytestmark = pytest.mark.docker
#: A refusal that a control and permissive copies show, a success, and one without TLS.
SELECTION = (
    "-b", "debian-12,debian-13", "-s", "defaults", "-S", "smtp", "-c", "openssl-1.0.2h",
    "-o", "SSLv3,TLSv1.2,plaintext",
)  # fmt: skip
LINES = "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1\n"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run that measured everything."""
    done = run_process(tmp_path_factory.mktemp("first"), *SELECTION, "-q")
    assert done.code == 0, done.err
    return done


@pytest.fixture
def started() -> Iterator[list[str]]:
    """The names of all containers that were created while the test ran."""
    client, names = connect(), []
    events = client.events(decode=True, filters={"type": "container", "event": "create"})
    import threading

    def note_events() -> None:
        for event in events:
            attributes = event["Actor"]["Attributes"]
            names.append(f"{attributes.get(LABEL_RUN, '')} {attributes['name']}")

    thread = threading.Thread(target=note_events, daemon=True)
    thread.start()
    yield names
    events.close()
    thread.join(5)
    client.close()


def cells(data: RunData) -> dict[str, Observation]:
    """The observations of a run as the run that measured them recorded them."""
    return {known.cell: replace(known, taken_over=None) for known in data.observations}


def test_a_second_run_with_nothing_changed_measures_and_starts_nothing(
    first: Finished, tmp_path: Path, started: list[str]
) -> None:
    """All results and evidence are there, and the engine was asked for ids alone."""
    source = first.folder.resolve()
    done = run_process(tmp_path, *SELECTION, "--reuse", str(source))
    assert done.code == 0, done.err
    assert f"6 of 6 cells are taken over from {source}" in done.err
    assert f"measured by run {source.name}" in done.out
    assert cells(done.data) == cells(first.data)
    assert all(known.taken_over for known in done.data.observations)
    assert all(done.data.evidence(known) for known in done.data.observations)
    assert done.data.run.images == first.data.run.images
    run = done.folder.resolve().name
    assert [name for name in started if run in name] == []


def test_another_image_of_one_build_measures_that_build_alone(
    first: Finished, tmp_path: Path, started: list[str]
) -> None:
    """Exactly its cells; no container of the other build starts, and no control."""
    before = tmp_path / "before"
    subprocess.run(["cp", "-a", str(first.folder.resolve()), str(before)], check=True)
    record = json.loads((before / "run.json").read_text("utf-8"))
    record["images"]["debian-13"]["id"] = "sha256:" + "0" * 64
    (before / "run.json").write_text(json.dumps(record), "utf-8")
    done = run_process(tmp_path / "runs", *SELECTION, "--reuse", str(before), "-v", "-q")
    assert done.code == 0, done.err
    measured = {known.cell for known in done.data.observations if known.taken_over is None}
    assert {name.split("/")[0] for name in measured} == {"debian-13", "control-debian-13"}
    assert len([name for name in measured if name.startswith("debian-13/")]) == 3
    assert {name: known.outcome for name, known in cells(done.data).items()} == {
        name: known.outcome for name, known in cells(first.data).items()
    }
    session = done.folder.resolve().name
    names = {name.rpartition(f"{session}-")[2] for name in started if session in name}
    assert names == {"debian-13", "sasl", "client-openssl-1.0.2h"}


@pytest.mark.nightly
def test_a_second_verify_measures_the_candidate_alone(tmp_path: Path, started: list[str]) -> None:
    """Its controls' cells are those of the first, whose folder need not be there any more."""
    (tmp_path / "main.cf").write_text(LINES, "utf-8")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    # Sources and logs of images are not of interest here, but what is known of images is.
    (tmp_path / "cache").mkdir()

    def verify(runs: str, *words: str) -> RunData:
        command = [*CLI, "verify", str(tmp_path / "main.cf"), "--lines", "-p", "tls12-or-newer"]
        options = ["-b", "debian-12", "-c", "openssl-1.0.2h", "-S", "smtp", "-q", *words]
        done = subprocess.run(
            [*command, *options, "--runs", str(tmp_path / runs)],
            capture_output=True, text=True, env=environment, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return load_run(newest_run(tmp_path / runs))

    before = verify("first")
    assert not any(known.taken_over for known in before.observations)
    after = verify("second")
    taken = {known.cell for known in after.observations if known.taken_over}
    assert taken == {known.cell for known in before.observations if "control" in known.build}
    assert {known.outcome for known in after.observations} == {
        known.outcome for known in before.observations
    }
    session = after.folder.name
    assert not [name for name in started if session in name and "control" in name]
    checked = after.instance("debian-12", "candidate")
    assert checked is not None
    assert checked["checked"] is True
    fresh = verify("third", "--fresh")
    assert not any(known.taken_over for known in fresh.observations)
