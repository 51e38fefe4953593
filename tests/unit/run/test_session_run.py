"""A run without a plan: its folder, and cells that are asked for more than once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.catalog.builds import Build
from harness.catalog.cells import Cell
from harness.errors import InfrastructureError, UsageError
from harness.observations.record import Observation, Outcome, Stage
from harness.run.engine import Engine, EngineClosedError
from harness.run.instances import HeldInstance
from harness.run.session_run import SessionRun, parse_cell
from harness.scenarios.scenario import Scenario

BUILD = Build.parse("debian-12")
SCENARIO = Scenario("test-a", "T", "S", "C", main_cf="smtpd_tls_security_level = may\n")
CELL = parse_cell(BUILD, SCENARIO, "smtp", "openssl-3.5.7", "TLSv1.2")
HELD = cast(
    "HeldInstance",
    SimpleNamespace(
        endpoint=SimpleNamespace(
            instance=SimpleNamespace(
                config=SimpleNamespace(listeners=[SimpleNamespace(service=CELL.service)])
            )
        )
    ),
)


class Measurer:
    """Measures cells, or fails as often as it is told to."""

    measured, seconds = 1, 0.1

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failures = 0

    async def measure_cell(self, cell: Cell, *_: Any) -> Observation:
        """Measure one."""
        await asyncio.sleep(0)
        self.asked.append(cell.id)
        if self.failures:
            self.failures -= 1
            raise InfrastructureError("the container has died")
        return Observation(
            cell=cell.id,
            build=cell.build,
            scenario=cell.scenario,
            config="sha256:0",
            service=str(cell.service),
            client=cell.client,
            offer=str(cell.offer),
            outcome=Outcome.ACCEPTED,
            stage=Stage.QUIT,
        )

    async def close(self) -> None:
        """Nothing is left to be stopped."""


class FakeInstances:
    """Lends the same instance always."""

    async def hold(self, *_: Any) -> HeldInstance:
        """Lend it."""
        return HELD


@contextmanager
def open_run(folder: Path) -> Iterator[tuple[SessionRun, Measurer]]:
    """A run whose cells are measured without an engine."""
    engine = SimpleNamespace(
        listener=lambda _: None,
        resources=SimpleNamespace(records={}, name_server=lambda: "dns"),
        instances=FakeInstances(),
    )
    run, measurer = SessionRun(cast("Engine", engine), folder), Measurer()
    run._measurer = cast("Any", measurer)
    run._scenarios[SCENARIO.id] = SCENARIO
    try:
        yield run, measurer
    finally:
        run._journal._file.close()


def test_a_cell_is_measured_once_but_anew_after_an_error(tmp_path: Path) -> None:
    """Protects a suite from one dead container: the next test starts another."""

    async def ask(run: SessionRun) -> None:
        with pytest.raises(InfrastructureError):
            await run.measure(HELD, SCENARIO, CELL)
        first = await run.measure(HELD, SCENARIO, CELL)
        assert await run.measure(HELD, SCENARIO, CELL) is first

    with open_run(tmp_path / "run") as (run, measurer):
        measurer.failures = 1
        asyncio.run(ask(run))
    assert measurer.asked == [CELL.id] * 2
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["axes"]["clients"] == ["openssl-3.5.7"]
    assert record["finished"] is None


def test_a_client_that_does_not_exist_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """Controls were built for it first, and it stood in the run's plan."""
    cell = parse_cell(BUILD, SCENARIO, "smtp", "opensl-3.5.7", "TLSv1.2")
    with (
        open_run(tmp_path / "run") as (run, measurer),
        pytest.raises(UsageError, match="opensl"),
    ):
        asyncio.run(run.measure(HELD, SCENARIO, cell))
    assert measurer.asked == []
    assert not (tmp_path / "run/run.json").exists()


def test_two_texts_of_one_scenario_are_not_taken_for_one(tmp_path: Path) -> None:
    """The second one's cells would have the first one's results."""
    other = Scenario(SCENARIO.id, "T", "S", "C", main_cf="smtpd_tls_security_level = none\n")
    with (
        open_run(tmp_path / "run") as (run, _),
        pytest.raises(UsageError, match="another one than before"),
    ):
        asyncio.run(run.hold(BUILD, other))


def test_nothing_is_asked_of_a_run_that_is_closed(tmp_path: Path) -> None:
    """Another thread may ask while the engine is being closed, when the journal is closed."""

    async def ask(run: SessionRun) -> None:
        await run.measure(HELD, SCENARIO, CELL)
        await run.close()
        with pytest.raises(EngineClosedError):
            await run.measure(HELD, SCENARIO, CELL)

    with open_run(tmp_path / "run") as (run, _):
        asyncio.run(ask(run))
    assert json.loads((tmp_path / "run/run.json").read_text())["finished"] is not None


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """All errors of the API are the harness's own."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(InfrastructureError, match="cannot be written"),
        open_run(tmp_path / "file/run"),
    ):
        pass
