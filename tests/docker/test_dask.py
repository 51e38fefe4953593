"""A plan on the workers of a Dask cluster: a real scheduler, real workers, one of them killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import distributed
import pytest

from harness.cli.commands.run import make_job
from harness.errors import InfrastructureError
from harness.observations.run_folder import RunData, load_run
from harness.run.choosing import Selection
from harness.run.dask_run import RESOURCE, measure_on_workers
from harness.run.dask_task import EngineSettings, WorkerResult, WorkerTask, begin_build
from harness.run.engine import Options
from harness.run.events import Event
from tests.docker.conftest import CLI, run_process
from tests.docker.test_sharding import SELECTION, assert_equal_but_for_times

pytestmark = [pytest.mark.docker, pytest.mark.nightly]

ROOT = Path(__file__).resolve().parents[2]


class Cluster:
    """A scheduler and workers, each a process; ``address`` is the scheduler's."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        file = folder / "scheduler.json"
        self._start("scheduler", "--scheduler-file", str(file), "--port", "0")
        self._file = file
        make_client: Any = distributed.Client
        while not file.exists():
            time.sleep(0.1)
        self.client = stack.enter_context(make_client(scheduler_file=str(file), timeout="60s"))
        self.address = str(self.client.scheduler.address)

    def add_worker(self, *options: str, **env: str) -> None:
        """Start a worker, and wait until the scheduler knows it."""
        before = len(self.client.scheduler_info(n_workers=-1)["workers"])
        local = self._folder / f"worker-{before}"
        self._start(
            "worker", self.address, "--nthreads", "1", "--local-directory", str(local),
            *options, **env,
        )  # fmt: skip
        self.client.wait_for_workers(before + 1, timeout=120)

    def pids(self) -> dict[str, int]:
        """The workers' process ids, by their addresses."""
        return dict(self.client.run(os.getpid))

    def _start(self, kind: str, *options: str, **env: str) -> None:
        module = f"distributed.cli.dask_{kind}"
        command = [sys.executable, "-m", module, "--no-dashboard", "--host", "127.0.0.1", *options]
        process = self._stack.enter_context(
            subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **env},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        self._stack.callback(process.kill)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without workers."""
    with ExitStack() as stack:
        yield Cluster(stack, tmp_path)


def measure(cluster: Cluster, runs: Path, work: Any = None) -> tuple[RunData, list[Event]]:
    """Two builds, on the cluster's workers."""
    job = make_job(
        Selection(
            builds=("debian-12", "debian-11"), scenarios=("defaults",), clients=("openssl-3.5.7",)
        )
    )
    events: list[Event] = []
    settings = EngineSettings(Options())
    more = {"work": work} if work else {}
    folder = measure_on_workers(cluster.address, job, runs, settings, events.append, **more)
    return load_run(folder), events


def test_a_killed_worker_loses_no_cell(cluster: Cluster, tmp_path: Path) -> None:
    """Protects long runs: the other worker measures the dead one's build; no cell is there twice.

    The worker is killed when it has begun its build, by the signal that no process can catch.
    """
    whole = run_process(tmp_path / "whole", *SELECTION)
    assert whole.code == 0, whole.err
    for _ in range(2):
        cluster.add_worker("--no-nanny", "--resources", f"{RESOURCE}=1")
    pids = cluster.pids()
    runs = tmp_path / "runs"
    words = [word for word in SELECTION if word != "-q"]
    command = [*CLI, "run", *words, "--dask", cluster.address, "--runs", str(runs)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        printed = []
        for line in process.stderr:
            printed.append(line)
            if line.startswith("debian-12: measured by ") and pids:
                worker = line.rpartition(" ")[2].strip()
                os.kill(pids[worker], signal.SIGKILL)
                pids = {}
    text = "".join(printed)
    assert process.returncode == 0, text
    assert f"debian-12: its worker {worker} died; begun again" in text
    assert_equal_but_for_times(
        load_run(whole.folder.resolve()), load_run((runs / "latest").resolve())
    )


def test_a_worker_whose_engine_does_not_answer_gets_no_more(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Protects against a worker that fails each build at once, and so would take them all."""
    cluster.add_worker("--no-nanny", "--resources", f"{RESOURCE}=1", DOCKER_HOST="tcp://[::1]:9")
    data, events = measure(cluster, tmp_path / "broken")
    assert data.observations == ()
    assert [entry.name for entry in data.run.missing] == ["debian-11", "debian-12"]
    assert all("has a Docker engine" in entry.why for entry in data.run.missing)
    assert "takes no more builds" in str(events)
    cluster.add_worker("--no-nanny", "--resources", f"{RESOURCE}=1")
    data, _ = measure(cluster, tmp_path / "mended")
    assert data.run.missing == ()
    assert len(data.observations) > 42


def die_with_debian_11(task: WorkerTask) -> WorkerResult:
    """A worker's work: debian-11 kills it, and any other build is refused."""
    worker = str(distributed.get_worker().address)
    if failure := begin_build(task, worker):
        return WorkerResult(worker, failure=failure)
    if task.build == "debian-11":
        os._exit(1)
    return WorkerResult(worker, failure="not today")


def test_a_build_that_kills_its_workers_is_given_up(cluster: Cluster, tmp_path: Path) -> None:
    """Protects the other builds, and the cluster: three workers die of it at most."""
    cluster.add_worker("--resources", f"{RESOURCE}=1")
    data, _ = measure(cluster, tmp_path / "runs", die_with_debian_11)
    why = {entry.name: entry.why for entry in data.run.missing}
    assert why["debian-11"].startswith("its worker died 3 times: tcp://127.0.0.1:")
    assert len(set(why["debian-11"].partition(": ")[2].split(", "))) == 3
    assert why["debian-12"] == "not today"
    assert data.run.finished


def test_a_worker_without_the_resource_takes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """Protects machines without an engine: nothing is begun, and the message says what to do."""
    cluster.add_worker("--no-nanny")
    with pytest.raises(InfrastructureError, match="1 workers, none with the resource docker"):
        measure(cluster, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
