"""Twenty test sessions in which something is killed at a random moment."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from harness.docker_engine.session import LABEL_RUN, DockerSession, connect
from harness.pytest_plugin.engine_socket import EngineSocket
from tests.docker.conftest import leftovers
from tests.pytest_sessions import LOADING, prepare

pytestmark = [pytest.mark.docker, pytest.mark.nightly]
#: Seconds that a session may go on after a kill, beyond what one without a kill takes.
MOST_HANGING = 60.0
#: Seconds after its first container in which something is killed.
_MOMENTS = (0.0, 25.0)
RUNS = 20
TESTS = """
import pytest
pytestmark = pytest.mark.postfix_builds("debian-12,ubuntu-16.04")
LINES = {"smtpd_tls_protocols": "TLSv1.2"}

@pytest.mark.parametrize("offer", ["TLSv1", "TLSv1.1", "TLSv1.2"])
def test_true(postfix, offer):
    expected = "accepted" if offer == "TLSv1.2" else "refused"
    assert postfix(main_cf=LINES).smtp.cell("openssl-1.0.2h", offer).outcome == expected

@pytest.mark.parametrize("offer", ["TLSv1", "TLSv1.1", "TLSv1.2"])
def test_false(postfix, offer):
    expected = "refused" if offer == "TLSv1.2" else "accepted"
    assert postfix(main_cf=LINES).smtp.cell("openssl-1.0.2h", offer).outcome == expected
"""


class Session:
    """A pytest session in a process of its own, with two workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.began = time.monotonic()
        self._output = (folder / "output.txt").open("w+")
        command = [sys.executable, "-m", "pytest", *LOADING, "-v", "-n", "2", str(folder)]
        command += ["--postfix-time-limit", "30", "--rootdir", str(folder)]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=self._output, stderr=subprocess.STDOUT
        )

    @property
    def workers(self) -> list[int]:
        """The workers' process ids."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in path.read_text().split()] if path.exists() else []

    @property
    def id(self) -> str:
        """The Docker session; "" before there is one."""
        names = sorted(path.name for path in (self.folder / "runs").glob("2*"))
        return names[0].removesuffix("-scenarios") if names else ""

    def wait(self, limit: float) -> str:
        """Wait for its end, and for its workers'; gives what it printed."""
        workers = self.workers
        end = time.monotonic() + limit
        self.process.wait(limit)
        while any(Path(f"/proc/{pid}/cmdline").exists() for pid in workers):
            assert time.monotonic() < end, f"a worker goes on: {workers}"
            time.sleep(0.2)
        with self._output as output:
            output.seek(0)
            return output.read()


def kill_worker(session: Session, _client: docker.DockerClient) -> None:
    """End one of the workers."""
    for pid in session.workers[:1]:
        os.kill(pid, signal.SIGKILL)


def kill_controller(session: Session, _client: docker.DockerClient) -> None:
    """End the process that has the engine."""
    session.process.kill()


def kill_container(session: Session, client: docker.DockerClient) -> None:
    """End a build's container."""
    label = f"{LABEL_RUN}={session.id}"
    for container in client.containers.list(filters={"label": [label]}):
        if str(container.name).endswith("-debian-12"):
            container.kill()


def kill_socket(session: Session, _client: docker.DockerClient) -> None:
    """Remove the socket and its folder."""
    for folder in Path("/tmp").glob(f"postfix-matrix-pytest-{session.process.pid}-*"):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


VICTIMS: list[Callable[[Session, docker.DockerClient], None]] = [
    kill_worker, kill_controller, kill_container, kill_socket,
]  # fmt: skip


def await_engine(client: docker.DockerClient, session: str) -> None:
    """Wait until a busy engine starts nothing more for the session: three seconds without any."""
    count, since = -1, time.monotonic()
    while time.monotonic() < since + 3.0:
        now = len(client.api.containers(all=True, filters={"label": f"{LABEL_RUN}={session}"}))
        if now != count:
            count, since = now, time.monotonic()
        time.sleep(0.2)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> float:
    """The seconds that a session takes in which nothing is killed; its verdicts are as they are."""
    patch = pytest.MonkeyPatch()
    prepare(patch)
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "test_it.py").write_text(TESTS)
    session = Session(folder)
    output = session.wait(1200)
    patch.undo()
    assert len(re.findall(r"PASSED .*test_true", output)) == 6, output
    assert len(re.findall(r"FAILED .*test_false.*$", output, re.MULTILINE)) >= 6
    return time.monotonic() - session.began


@pytest.mark.parametrize("number", range(RUNS))
def test_nothing_hangs_lies_or_stays(
    number: int,
    tmp_path: Path,
    engine: docker.DockerClient,
    undisturbed: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Protects users from whatever dies: no hang, no pass that is none, nothing left behind."""
    prepare(monkeypatch)
    (tmp_path / "test_it.py").write_text(TESTS)
    session = Session(tmp_path)
    while not session.id and session.process.poll() is None:
        assert time.monotonic() - session.began < undisturbed + MOST_HANGING
        time.sleep(0.1)
    chosen = random.Random(number)
    time.sleep(chosen.uniform(*_MOMENTS))
    victim = VICTIMS[number % len(VICTIMS)]
    victim(session, engine)
    output = session.wait(undisturbed + MOST_HANGING)
    assert not re.search(r"PASSED .*test_false", output), output
    await_engine(engine, session.id)
    with DockerSession(connect()):
        pass
    EngineSocket(lambda *_: None, lambda _: None).close()
    assert leftovers(engine, session.id) == []
    assert list(Path("/tmp").glob(f"postfix-matrix-pytest-{session.process.pid}-*")) == []
