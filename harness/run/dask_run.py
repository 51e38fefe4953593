"""A plan measured by the workers of a Dask cluster, build by build (docs/sharding.md)."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness import __version__
from harness.catalog.cells import is_control
from harness.catalog.shards import cut_plan
from harness.docker_engine.session import new_session_id
from harness.errors import InfrastructureError, UsageError
from harness.observations.merged_folder import MergedFolder
from harness.observations.record import Outcome
from harness.observations.run_folder import load_run
from harness.observations.run_json import Missing
from harness.observations.run_record import closing_figures
from harness.reports import write_reports
from harness.run.dask_task import (
    MOST_BEGINS,
    EngineSettings,
    WorkerResult,
    WorkerTask,
    describe_deaths,
    measure_build,
    unpack_folder,
)
from harness.run.events import Listener, Notice, Planned, ScenarioMeasured, Seen, Step
from harness.run.job import Job, earlier_images, hold_folder, keep_on_error, open_record
from harness.run.measuring_version import measuring_version
from harness.run.run_folders import point_latest

#: What a worker has where a Docker engine answers; a task takes all of it.
RESOURCE = "docker"
#: Seconds between two looks at the workers.
_POLL = 2.0
#: Seconds without any worker that has an engine, after which the rest is given up.
_PATIENCE = 60.0
_START_WORKER = f"start one with 'dask worker ADDRESS --resources {RESOURCE}=1'"


@dataclass(slots=True)
class _BuildProgress:
    """A build's task, and how it went so far.

    ``given_up`` counts how often the scheduler gave it up; ``workers`` are the only ones that it
    may go to, () for all.
    """

    task: WorkerTask
    given_up: int = 0
    workers: tuple[str, ...] = ()


def measure_on_workers(
    address: str,
    job: Job,
    runs: Path,
    settings: EngineSettings,
    listener: Listener,
    work: Callable[[WorkerTask], WorkerResult] = measure_build,
) -> Path:
    """Measure a job's cells on a cluster's workers, in one run folder here; gives the folder.

    One task is one build. What a worker measured is merged as soon as it arrives, and is on disk
    however the run ends. ``work`` is what a worker does.

    Raises:
        HarnessError: the scheduler does not answer, no worker has an engine, or the folder is not
            writable.
    """
    _check_scheduler(address)
    with _open_client(address) as client:
        folder = job.prior.folder if job.prior else runs.resolve() / new_session_id()
        with hold_folder(folder):
            run = _DaskRun(client, job, folder, settings, listener, work)
            run.write_record()
            point_latest(folder)
            with keep_on_error(folder, run.write_record, run.merged.close):
                run.execute()
            run.write_record(is_finished=True)
            run.merged.close()
            write_reports(folder)
    return folder


def _check_scheduler(address: str) -> None:
    """Refuse an address that no scheduler can have.

    Raises:
        UsageError: it has no host, or a port that is none.
    """
    try:
        parsed = urlsplit(address if "://" in address else f"tcp://{address}")
        is_wrong = not parsed.hostname or parsed.port == 0
    except ValueError:
        is_wrong = True
    if is_wrong:
        raise UsageError(
            f"--dask {address!r} is no address of a Dask scheduler",
            next_step="write it as tcp://host:8786",
        )


@contextmanager
def _open_client(address: str) -> Iterator[Any]:
    """A client of the scheduler at an address.

    Raises:
        UsageError: the extra is not installed, or this is no address.
        InfrastructureError: no scheduler answers there, or no worker has an engine.
    """
    try:
        import distributed
    except ImportError:
        raise UsageError(
            "--dask needs the package distributed, which is not installed",
            next_step="pip install 'postfix-matrix[dask]'",
        ) from None
    try:
        # Any: its functions have no types.
        make_client: Any = distributed.Client
        client = make_client(address, timeout="10s")
    except ValueError as error:
        raise UsageError(
            f"--dask {address} is no address: {error}",
            next_step="write the scheduler's address, such as tcp://192.0.2.1:8786",
        ) from None
    except OSError as error:
        raise InfrastructureError(
            f"no Dask scheduler answers at {address}",
            cause=str(error).partition("\n")[0],
            next_step="start one with 'dask scheduler', and name the address that it prints",
        ) from None
    with client:
        if not _engine_slots(client):
            workers = len(client.scheduler_info(n_workers=-1)["workers"])
            raise InfrastructureError(
                f"no worker of {address} has a Docker engine: {workers} workers, none with the "
                f"resource {RESOURCE}",
                next_step=_START_WORKER,
            )
        yield client


def _engine_slots(client: Any) -> dict[str, int]:
    """How many builds each worker with an engine measures at a time, by its address."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    slots = {
        address: int(worker.get("resources", {}).get(RESOURCE, 0))
        for address, worker in workers.items()
    }
    return {address: number for address, number in slots.items() if number}


class _DaskRun:
    """The client's side of one run: submits builds, merges what comes back, counts deaths."""

    def __init__(
        self,
        client: Any,
        job: Job,
        folder: Path,
        settings: EngineSettings,
        listener: Listener,
        work: Callable[[WorkerTask], WorkerResult],
    ) -> None:
        self.merged = MergedFolder(folder, known=job.prior)
        # run.json names this machine's code, so the workers must have the same.
        self.merged.expect_code(__version__, measuring_version(), f"the run {folder.name}")
        self._opening = open_record(folder, job, settings.options.time_limit)
        self._client = client
        self._job = job
        self._listener = listener
        self._work = work
        self._topic = f"postfix-matrix-{folder.name}"
        self._waiting = list(self._make_tasks(settings))
        self._running: dict[Any, _BuildProgress] = {}
        self._begins: dict[str, list[str]] = {}
        self._without_engine: set[str] = set()
        self._seen_worker = time.monotonic()

    def execute(self) -> None:
        """Measure all builds; what cannot be measured is recorded with the reason.

        Raises:
            InfrastructureError: the scheduler is lost.
        """
        from distributed.comm.core import CommClosedError

        prior = self._job.prior
        done = sum(
            cell.outcome is not Outcome.ERROR and not is_control(cell.build)
            for cell in (prior.observations if prior else ())
        )
        self._listener(Planned(len(self._job.plan), done))
        self._client.subscribe_topic(self._topic, self._note_begin)
        try:
            while self._waiting or self._running:
                self._submit_tasks()
                for future in self._wait_for_results():
                    self._take_result(future, self._running.pop(future))
        except CommClosedError as error:
            raise InfrastructureError(
                f"the Dask scheduler is lost: {error}; what was measured before is kept",
                next_step="start it again, then --resume the run",
            ) from error
        finally:
            with suppress(CommClosedError):
                self._client.unsubscribe_topic(self._topic)
                self._client.cancel(list(self._running))

    def write_record(self, *, is_finished: bool = False) -> None:
        """Write ``run.json``."""
        closing = None
        if is_finished:
            closing = closing_figures(self._job.plan, self.merged.observations, 0, None)
        images = {**earlier_images(self._job), **self.merged.images}
        record = self._opening.record(images, self.merged.missing, closing)
        earlier = self._job.prior.run.flaky if self._job.prior else ()
        flaky = list(dict.fromkeys((*earlier, *(cell.cell for cell in self.merged.flaky))))
        self.merged.write_run({**record, **({"flaky": flaky} if flaky else {})})

    def _make_tasks(self, settings: EngineSettings) -> Iterator[_BuildProgress]:
        """One task for each build that has cells to measure, the one that takes longest first."""
        job = self._job
        measured = {
            cell.cell
            for cell in (job.prior.observations if job.prior else ())
            if cell.outcome is not Outcome.ERROR
        }
        builds = len({cell.build for cell in job.plan.cells()})
        for plan in cut_plan(job.plan, builds):
            (build,) = plan.builds
            remaining = frozenset(cell.id for cell in plan.cells()) - measured
            if remaining:
                part = replace(
                    job,
                    plan=plan,
                    scenarios={name: job.scenarios[name] for name in plan.scenarios},
                    builds={build: job.builds[build]},
                    prior=None,
                    becomes_latest=False,
                    folder=None,
                    only=remaining if measured else None,
                    shard=None,
                )
                yield _BuildProgress(WorkerTask(build, part, settings, self._topic))

    def _submit_tasks(self) -> None:
        """Submit as many builds as workers can begin now, so that no worker holds a queue."""
        slots = {
            address: number
            for address, number in _engine_slots(self._client).items()
            if address not in self._without_engine
        }
        self._take_back_stranded(slots)
        if slots:
            self._seen_worker = time.monotonic()
        elif self._is_deserted():
            self._give_up_rest()
        while self._waiting and len(self._running) < sum(slots.values()):
            progress = self._waiting.pop(0)
            progress.workers = tuple(slots) if self._without_engine else ()
            future = self._client.submit(
                self._work,
                progress.task,
                key=f"{self._topic}-{progress.task.build}-{uuid.uuid4().hex[:8]}",
                pure=False,
                resources={RESOURCE: 1},
                workers=progress.workers or None,
            )
            self._running[future] = progress

    def _take_back_stranded(self, slots: dict[str, int]) -> None:
        """Take back the builds that may only go to workers that are not there any more."""
        for future, progress in list(self._running.items()):
            if progress.workers and not set(progress.workers) & set(slots):
                self._running.pop(future)
                future.cancel()
                self._waiting.insert(0, progress)

    def _is_deserted(self) -> bool:
        """Whether no worker with an engine is there, and none will be waited for any longer."""
        is_late = time.monotonic() - self._seen_worker > _PATIENCE
        return is_late or bool(self._without_engine and not self._running)

    def _give_up_rest(self) -> None:
        """Record the builds that no worker is there for as unmeasured."""
        self._client.cancel(list(self._running))
        for progress in (*self._running.values(), *self._waiting):
            why = f"no worker of the Dask cluster has a Docker engine\n  next step: {_START_WORKER}"
            self._report_lost(progress.task.build, why)
        self._running.clear()
        self._waiting.clear()

    def _wait_for_results(self) -> list[Any]:
        """The tasks that ended, after a short wait at most."""
        import distributed

        if not self._running:
            time.sleep(_POLL if self._waiting else 0)
            return []
        with suppress(TimeoutError):
            wait: Any = distributed.wait
            wait(list(self._running), timeout=_POLL, return_when="FIRST_COMPLETED")
        return [future for future in self._running if future.done()]

    def _take_result(self, future: Any, progress: _BuildProgress) -> None:
        build = progress.task.build
        self._listener(Step(build, ""))
        if future.status != "finished":
            self._handle_death(future, progress)
            return
        result: WorkerResult = future.result()
        future.release()
        if not result.has_engine:
            self._without_engine.add(result.worker)
            self._listener(Notice(result.worker, f"takes no more builds: {result.failure}"))
            self._waiting.insert(0, progress)
            return
        if result.archive is not None:
            self._merge_result(build, result)
        if result.failure:
            self._report_lost(build, result.failure)
        self.write_record()

    def _handle_death(self, future: Any, progress: _BuildProgress) -> None:
        """Begin a build again whose worker died, unless it was begun often enough."""
        from distributed import KilledWorker

        build = progress.task.build
        begins = self._begins.get(build, [])
        error = future.exception() if future.status == "error" else None
        progress.given_up += 1
        if error is not None and not isinstance(error, KilledWorker):
            why = f"the task failed on its worker: {type(error).__name__}: {error}"
            self._report_lost(build, why)
        elif len(begins) >= MOST_BEGINS or progress.given_up >= MOST_BEGINS:
            given_up = f"the Dask scheduler gave it up: {error}"
            self._report_lost(build, describe_deaths(begins) if begins else given_up)
        else:
            self._waiting.insert(0, progress)

    def _merge_result(self, build: str, result: WorkerResult) -> None:
        """Put a worker's run folder into this one; one made from other inputs is left out."""
        assert result.archive is not None
        with tempfile.TemporaryDirectory(dir=self.merged.folder, prefix=".arrived-") as name:
            unpack_folder(result.archive, Path(name))
            try:
                data = load_run(Path(name))
                written = self.merged.add(data, f"{build} on {result.worker}")
            except UsageError as error:
                self._report_lost(build, str(error))
                return
        for missing in data.run.missing:
            self._listener(missing)
        for observation in written:
            self._listener(Seen(observation))
        for scenario in data.run.axes.scenarios:
            self._listener(ScenarioMeasured(build, scenario))

    def _report_lost(self, build: str, why: str) -> None:
        if all((entry.kind, entry.name) != ("build", build) for entry in self.merged.missing):
            missing = Missing(build, "build", why)
            self.merged.missing.append(missing)
            self._listener(missing)

    def _note_begin(self, event: tuple[float, dict[str, str]]) -> None:
        """A worker begins a build; runs in the Dask client's thread."""
        build, worker = event[1]["build"], event[1]["worker"]
        earlier = self._begins.setdefault(build, [])
        if earlier:
            self._listener(Notice(build, f"its worker {earlier[-1]} died; begun again"))
        earlier.append(worker)
        self._listener(Step(build, f"measured by {worker}"))
