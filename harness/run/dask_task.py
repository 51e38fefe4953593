"""What a Dask worker does: it measures one build's cells and returns the run folder.

A worker needs a Docker engine, this package with the extra ``dask``, and nothing of the client's
files: candidates, plan and options come with the task.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.images.registry import ImageRegistry
from harness.run.engine import Engine, Options
from harness.run.events import Listener
from harness.run.job import Job, measure_job

#: How often a build is begun at most: once, and twice more after its worker died.
MOST_BEGINS = 3
#: What of a run folder travels; the reports are made again.
_PARTS = ("run.json", "observations.jsonl", "evidence", "instances")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine is opened with, on this machine or on a worker's."""

    options: Options
    mirrors: tuple[str, ...] = ()
    registry: ImageRegistry | None = None

    def make_engine(self, listener: Listener = lambda _: None) -> Engine:
        """The engine, to be opened as a context manager."""
        return Engine(
            listener=listener, options=self.options, mirrors=self.mirrors, registry=self.registry
        )


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """One build's cells. ``topic`` is that of the scheduler's log in which begins are noted."""

    build: str
    job: Job
    settings: EngineSettings
    topic: str


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """A packed run folder, or why there is none, or why it is not complete.

    ``has_engine`` is False where the worker's Docker engine does not answer.
    """

    worker: str
    archive: bytes | None = None
    failure: str = ""
    has_engine: bool = True


def measure_build(task: WorkerTask) -> WorkerResult:
    """Measure a build's cells on a worker; the errors of the harness are in the result."""
    from distributed import get_worker

    worker = str(get_worker().address)
    with tempfile.TemporaryDirectory(prefix="postfix-matrix-") as name, ExitStack() as stack:
        runs = Path(name)
        try:
            engine = stack.enter_context(task.settings.make_engine())
        except HarnessError as error:
            return WorkerResult(worker, failure=str(error), has_engine=False)
        failure = begin_build(task, worker)
        if failure:
            return WorkerResult(worker, failure=failure)
        try:
            measure_job(engine, task.job, runs)
        except HarnessError as error:
            failure = str(error)
        folders = [path.parent for path in runs.glob("*/run.json")]
        return WorkerResult(worker, pack_folder(folders[0]) if folders else None, failure)


def begin_build(task: WorkerTask, worker: str) -> str:
    """Note that this worker begins a build; why it must not, where too many died of it."""
    from distributed import get_client

    client = get_client()
    earlier = begins_of(client.get_events(task.topic), task.build)
    if len(earlier) >= MOST_BEGINS:
        return describe_deaths(earlier)
    client.log_event(task.topic, {"build": task.build, "worker": worker})
    return ""


def begins_of(events: Any, build: str) -> list[str]:
    """The workers that began a build, by the scheduler's log: pairs of a time and a message."""
    return [str(event["worker"]) for _, event in events or () if event["build"] == build]


def describe_deaths(workers: list[str]) -> str:
    """Why a build that these workers began is not begun again."""
    return f"its worker died {len(workers)} times: {', '.join(workers)}"


def pack_folder(folder: Path) -> bytes:
    """A run folder as one archive, without its reports."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=3) as archive:
        for name in _PARTS:
            if (folder / name).exists():
                archive.add(folder / name, name)
    return buffer.getvalue()


def unpack_folder(data: bytes, folder: Path) -> None:
    """Write what :func:`pack_folder` made; nothing is written outside the folder."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(folder, filter="data")
