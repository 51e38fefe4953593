"""Runs that end before their time: what is kept, what is tidied up, and going on afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import docker
import pytest

from harness.catalog.cells import is_control
from harness.clients.controls import FORBIDDING, PERMISSIVE
from harness.docker_engine.session import DockerSession
from harness.images import recipes
from harness.images.image_builder import ImageBuilder
from harness.observations.run_folder import RunData, load_run
from harness.reports.problems import missing_configurations
from tests.docker.conftest import CLI, leftovers, run_process

pytestmark = pytest.mark.docker

#: Enough cells to be in the middle of, few enough to be quick.
AXES = ["-b", "debian-12", "-c", "aiosmtplib-debian12"]
#: Cells of all scenarios with one client on one build.
PLANNED = 271


def begin(runs: Path, *words: str, defaults: Sequence[str] = tuple(AXES)) -> subprocess.Popen[str]:
    """Start a run and wait until it has measured some cells."""
    process = subprocess.Popen(
        [*CLI, "run", "--runs", str(runs), *defaults, *words],
        preexec_fn=_as_in_a_terminal,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 600
    while measured(runs) < 20:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < end, "no cell was measured"
        time.sleep(0.05)
    return process


def _as_in_a_terminal() -> None:
    """nohup and shells' background jobs pass ignored signals on; a user's terminal does not."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_DFL)


def measured(runs: Path) -> int:
    """Lines in the latest run's observations."""
    path = runs / "latest" / "observations.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def ended(process: subprocess.Popen[str]) -> int:
    """Wait for the end; the exit code."""
    return ended_with(process)[0]


def ended_with(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end; the exit code and what was written to standard error."""
    _, errors = process.communicate(timeout=120)
    print(errors[-3000:])
    return process.returncode, errors


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_tidies_up_and_keeps_its_cells(
    tmp_path: Path, engine: docker.DockerClient, sign: signal.Signals
) -> None:
    """Protects Ctrl-C: exit code 2, nothing of ours left, cells, reports, and how to go on."""
    process = begin(tmp_path)
    process.send_signal(sign)
    code, errors = ended_with(process)
    assert code == 2
    folder = (tmp_path / "latest").resolve()
    assert f"what was measured is kept in {folder}" in errors
    assert f"next step: postfix-matrix run --resume {folder}" in errors
    assert leftovers(engine, folder.name) == []
    data = load_run(folder)
    assert 20 <= len(data.observations) < PLANNED
    assert data.run.finished is None
    assert (folder / "index.html").is_file()
    assert all(data.evidence(one) is not None for one in data.observations)
    check_instances_are_kept(data)
    check_no_local_path(folder, tmp_path)


def check_no_local_path(folder: Path, runs: Path) -> None:
    """No file of a whole run folder names the home, the working folder, or where the runs are."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    places = {str(Path.home()), str(Path.cwd()), str(runs)} - {"/"}
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    assert [
        (path, place) for path, text in texts.items() for place in places if place in text
    ] == []


def check_instances_are_kept(data: RunData) -> None:
    """Each measured instance has its configuration, also those that were stopped midway."""
    places = {(one.build, one.scenario) for one in data.observations}
    kept = {place: data.instance(*place) for place in places if is_instance(*place)}
    assert [place for place, instance in kept.items() if instance is None] == []
    assert all(instance["main.cf"] for instance in kept.values() if instance)
    assert any(instance["checked"] is False for instance in kept.values() if instance)
    (note,) = missing_configurations(data)
    assert note.startswith("'postfix check' did not run for ")


def is_instance(build: str, scenario: str) -> bool:
    """Whether cells of these were measured on a Postfix, and not on a control."""
    return not (is_control(build) and scenario in (PERMISSIVE, FORBIDDING))


def test_a_killed_run_is_swept_at_the_next_start_and_can_go_on(
    tmp_path: Path, engine: docker.DockerClient
) -> None:
    """Protects SIGKILL: nothing stays beyond the next start, no cell is lost or redone."""
    process = begin(tmp_path)
    process.kill()
    process.wait()
    if process.stderr:
        process.stderr.close()
    folder = (tmp_path / "latest").resolve()
    check_instances_are_kept(load_run(folder))
    before = {one.cell: one for one in load_run(folder).observations}
    assert len(before) >= 20
    assert leftovers(engine, folder.name) != [], "the kill came too late to prove anything"
    resumed = run_process(tmp_path, "--resume", str(folder))
    assert resumed.code == 0, resumed.err[-2000:]
    assert leftovers(engine, folder.name) == []
    after = {one.cell: one for one in load_run(folder).observations}
    assert {cell: after[cell] for cell in before} == before
    assert sum(not cell.startswith("control-") for cell in after) == PLANNED
    lines = (folder / "observations.jsonl").read_text().splitlines()
    assert len(lines) == len(after), "a cell was measured twice"
    data = load_run(folder)
    assert all(data.instance("debian-12", name) for name in scenarios_of(after))


def scenarios_of(cells: Iterable[str]) -> set[str]:
    """The scenarios of cells that are no controls'."""
    return {cell.split("/")[1] for cell in cells if not is_control(cell)}


def test_what_the_engine_makes_for_a_dead_session_later_goes_at_a_later_start(
    tmp_path: Path, engine: docker.DockerClient, builder: ImageBuilder
) -> None:
    """Protects the machine from containers that a busy engine starts after a run was killed.

    The dead session's lock file stays until some minutes after it. Containers of others on its
    network do not keep the network.
    """
    with DockerSession(engine, state_dir=tmp_path) as dead:
        lock, labels = tmp_path / f"{dead.id}.lock", dead.labels
        copy = lock.read_bytes()
    image = builder.ensure(recipes.dns_recipe())
    other = engine.containers.run(image.id, ["60"], entrypoint="sleep", detach=True)
    try:
        for _ in range(2):
            lock.write_bytes(copy)
            network = engine.networks.create(f"postfix-matrix-{dead.id}", labels=labels)
            network.connect(other)
            engine.containers.create(image.id, labels=labels)
            with DockerSession(engine, state_dir=tmp_path):
                assert leftovers(engine, dead.id) == []
            assert lock.exists()
        with DockerSession(engine, state_dir=tmp_path):
            assert lock.exists()
        os.utime(lock, (0, 0))
        with DockerSession(engine, state_dir=tmp_path):
            assert not lock.exists()
    finally:
        other.remove(force=True)


def test_a_run_does_not_touch_another_living_one(tmp_path: Path) -> None:
    """Protects parallel runs: the sweep of one leaves the containers of the other alone."""
    first = begin(tmp_path / "first")
    other = run_process(tmp_path / "second", *AXES, "-s", "defaults", "-o", "TLSv1.2")
    assert other.code == 0, other.err[-2000:]
    assert ended(first) == 0
    data = load_run(tmp_path / "first" / "latest")
    assert sum(one.outcome == "error" for one in data.observations) == 0


def test_a_killed_client_is_started_anew(tmp_path: Path, engine: docker.DockerClient) -> None:
    """Protects the rest of a run: a client's container that dies costs no cell."""
    process = begin(tmp_path)
    session = (tmp_path / "latest").resolve().name
    for container in engine.containers.list(filters={"label": f"org.postfix-matrix.run={session}"}):
        if "client-aiosmtplib" in str(container.name):
            container.kill()
    assert ended(process) == 0
    data = load_run(tmp_path / "latest")
    assert [one.cell for one in data.observations if one.outcome == "error"] == []
    assert sum(not one.build.startswith("control-") for one in data.observations) == PLANNED


# With all images there: a container that is still to come cannot be killed.
@pytest.mark.usefixtures("matrix")
def test_a_killed_build_is_replaced(tmp_path: Path, engine: docker.DockerClient) -> None:
    """Protects a build's cells: its container dies, another one starts, and none is lost.

    Those that it took away say so, and what happened is in their evidence.
    """
    axes = ["-b", "debian-12,debian-13", "-c", "aiosmtplib-debian12"]
    process = begin(tmp_path, *axes, defaults=())
    session = (tmp_path / "latest").resolve().name
    for container in engine.containers.list(filters={"label": f"org.postfix-matrix.run={session}"}):
        if str(container.name).endswith("-debian-13"):
            container.kill()
    assert ended(process) == 0
    data = load_run(tmp_path / "latest")
    for build in ("debian-12", "debian-13"):
        assert sum(one.build == build for one in data.observations) == PLANNED
    assert [one.cell for one in data.observations if one.outcome == "error"] == []
    again = [one for one in data.observations if one.again is not None]
    assert again, "the kill came too late to prove anything"
    assert all("debian-13" in one.build for one in again)
    assert all((data.evidence(one) or {}).get("faults") for one in again)


def test_a_finished_run_can_be_resumed_and_keeps_its_provenance(tmp_path: Path) -> None:
    """Protects provenance: going on with nothing left to do changes no image, start or cell."""
    axes = [*AXES, "-s", "defaults", "-o", "TLSv1.2"]
    assert run_process(tmp_path, *axes).code == 0
    before = load_run((tmp_path / "latest").resolve())
    assert run_process(tmp_path, "--resume", str(tmp_path / "latest")).code == 0
    after = load_run((tmp_path / "latest").resolve())
    assert after.folder == before.folder
    assert after.run.started == before.run.started
    assert after.run.images.keys() == before.run.images.keys()
    assert after.observations == before.observations


def test_without_an_engine_nothing_runs_and_the_next_step_is_named(tmp_path: Path) -> None:
    """Protects exit code 3: no Docker is told in a sentence, and no run folder is made."""
    done = run_process(tmp_path / "runs", env={"DOCKER_HOST": "unix:///nonexistent.sock"})
    assert done.code == 3
    assert "no Docker engine answers at unix:///nonexistent.sock" in done.err
    assert "next step" in done.err
    assert not (tmp_path / "runs").exists()
    assert done.out == ""


def test_kept_containers_stay_until_they_are_removed(
    tmp_path: Path, engine: docker.DockerClient
) -> None:
    """Protects --keep: what was to be looked at survives this run and the next one's sweep."""
    run_process(tmp_path, *AXES, "-s", "defaults", "-o", "TLSv1.2", "--keep")
    session = (tmp_path / "latest").resolve().name
    try:
        assert any("debian-12" in name for name in leftovers(engine, session))
        run_process(tmp_path / "next", *AXES, "-s", "defaults", "-o", "TLSv1.2")
        assert leftovers(engine, session) != []
    finally:
        for container in engine.containers.list(
            all=True, filters={"label": f"org.postfix-matrix.run={session}"}
        ):
            container.remove(force=True)
        for network in engine.networks.list(filters={"label": f"org.postfix-matrix.run={session}"}):
            network.remove()
