"""Measures the engine and the bare loop alternately on one Postfix, in one run."""

from __future__ import annotations

import asyncio
import os
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.figures import Round
from harness.catalog.builds import Build
from harness.catalog.cells import Cell
from harness.catalog.clients import find_client
from harness.clients.driver import Driver
from harness.docker_engine.session import engine_errors
from harness.errors import InfrastructureError
from harness.observations.decide import ControlEvidence
from harness.observations.journal import Journal
from harness.observations.record import Outcome
from harness.run.cell_measurer import CREDENTIALS
from harness.run.endpoints import PostfixEndpoint
from harness.run.engine import Engine, Options
from harness.run.events import Step
from harness.run.measure import measure
from harness.scenarios.scenario import Scenario
from harness.targets.lab import Lab
from harness.targets.log_join import LogJoin
from harness.tls import Offer, Protocol, Service

BUILD = "debian-12"
SCENARIO = "defaults"
SERVICES = (Service.SMTP, Service.SUBMISSIONS)
OFFER = Offer(Protocol.TLSv1_2, Protocol.TLSv1_2)
#: For each client's container, the interpreter of the bare loop, and its file.
LOOPS = {
    "openssl-1.0.2h": ("sh", "bare_loop.sh"),
    "aiosmtplib-debian12": ("python3", "bare_loop.py"),
}
#: Where processor time is used. "other" is the rest of this machine: the Docker engine that carries
#: requests, results and log lines, and whatever else runs here.
PLACES = ("harness", "client", "server", "other")
#: Dialogues before the rounds, which are not counted.
WARM_UP = 20

#: A side's round: client, service and count to seconds.
Side = Callable[[str, Service, int], Awaitable[float]]


class IgnoringLogJoin(LogJoin):
    """Ignores all log lines: the harness does no work while the bare loop runs."""

    def feed(self, lines: list[str]) -> None:
        """Drop them."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rounds of one client on one service, in the order in which they were run."""

    client: str
    service: Service
    engine: list[Round]
    bare: list[Round]


async def compare_sides(
    engine: Engine, scenario: Scenario, rounds: int, count: int
) -> list[Comparison]:
    """Measure each client on each service: ``rounds`` pairs of rounds of ``count`` dialogues.

    Raises:
        HarnessError: something is unavailable, or a timed dialogue failed.
    """
    comparisons = []
    build = Build.parse(BUILD)
    held = await engine.instances.hold(build, scenario)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(Journal(Path(folder))) as journal,
        ):
            drivers = {name: await engine.resources.client(find_client(name)) for name in LOOPS}
            course = Course(engine.lab, held.endpoint, drivers, journal)
            for name, service in product(LOOPS, SERVICES):
                text = f"{rounds} pairs of {count} dialogues"
                engine.listener(Step(f"{name} on {service}", text))
                comparisons.append(await course.run(name, service, rounds, count))
    finally:
        await engine.instances.release(build, scenario)
    return comparisons


class Course:
    """The instance, the clients and the journal of all rounds."""

    def __init__(
        self, lab: Lab, endpoint: PostfixEndpoint, drivers: Mapping[str, Driver], journal: Journal
    ) -> None:
        self._lab = lab
        self._endpoint = endpoint
        self._drivers = drivers
        self._journal = journal
        self._cells_made = 0

    async def run(self, client: str, service: Service, rounds: int, count: int) -> Comparison:
        """Run the rounds: engine, bare loop, engine, bare loop, …"""
        for side in (self._run_engine, self._run_bare_loop):
            await self._time_round(side, client, service, WARM_UP)
        both = Comparison(client, service, [], [])
        for _ in range(rounds):
            both.engine.append(await self._time_round(self._run_engine, client, service, count))
            both.bare.append(await self._time_round(self._run_bare_loop, client, service, count))
        return both

    async def _time_round(self, side: Side, client: str, service: Service, count: int) -> Round:
        """Time a round. Docker's figures are a second late; by then the server is idle."""
        cpu_before = await self._containers_cpu(client)
        # This also drops the log lines of the last round.
        self._endpoint.target.join = IgnoringLogJoin() if side == self._run_bare_loop else LogJoin()
        process_before = _process_cpu()
        seconds = await side(client, service, count)
        cpu = {place: used - process_before[place] for place, used in _process_cpu().items()}
        for place, used in (await self._containers_cpu(client)).items():
            cpu[place] = used - cpu_before[place]
        cpu["other"] = cpu.pop("machine") - sum(cpu[place] for place in PLACES[:-1])
        return Round(count, seconds, cpu)

    async def _run_engine(self, client: str, service: Service, count: int) -> float:
        """Measure cells as a run does: dialogue, log, decision, evidence, observation."""
        slots = asyncio.Semaphore(Options().jobs)
        first, self._cells_made = self._cells_made, self._cells_made + count
        # Numbered, so that each is a different cell with a different recipient.
        cells = [
            Cell(BUILD, SCENARIO, service, f"{client}-{number}", OFFER)
            for number in range(first, self._cells_made)
        ]
        begin = time.monotonic()
        await asyncio.gather(
            *(self._measure_cell(cell, self._drivers[client], slots) for cell in cells)
        )
        return time.monotonic() - begin

    async def _measure_cell(self, cell: Cell, driver: Driver, slots: asyncio.Semaphore) -> None:
        control = ControlEvidence(None, None, "a benchmark")
        async with slots:
            measured = await measure(
                cell, self._endpoint, driver, control, CREDENTIALS, Options().time_limit
            )
        self._journal.append(measured.observation, measured.evidence)
        if measured.observation.outcome is not Outcome.ACCEPTED or not measured.observation.agree:
            raise InfrastructureError(f"a timed cell failed: {measured.observation.to_json()}")

    async def _run_bare_loop(self, client: str, service: Service, count: int) -> float:
        """Run the loop in the client's container; it times itself, so its start is left out."""
        interpreter, file = LOOPS[client]
        script = (Path(__file__).parent / file).read_text("utf-8")
        mode = "implicit" if service.implicit_tls else "starttls"
        port = self._endpoint.instance.ports[service]
        address = self._lab.address(self._endpoint.target.container)
        arguments = [address, str(port), mode, str(count), str(Options().jobs)]
        # sh takes the argument after the script as $0, python3 does not.
        zeroth = ["bare_loop"] if interpreter == "sh" else []
        done = await asyncio.to_thread(
            self._run_in_container,
            f"client-{client}",
            [interpreter, "-c", script, *zeroth, *arguments],
        )
        output = done.output.decode(errors="replace").split()
        if done.exit_code != 0 or output[:1] != [str(count)]:
            raise InfrastructureError(
                f"the bare loop of {client} failed: {' '.join(output)[-500:]}"
            )
        return float(output[1])

    async def _containers_cpu(self, client: str) -> dict[str, float]:
        """Seconds of processor time until now: the client's, and the servers'."""
        names = (f"client-{client}", BUILD, "sasl")
        used = await asyncio.gather(
            *(asyncio.to_thread(self._read_cpu_seconds, name) for name in names)
        )
        return {"client": used[0], "server": used[1] + used[2]}

    def _run_in_container(self, name: str, command: list[str]) -> Any:
        with engine_errors(f"running the bare loop in {name}"):
            return self._find_container(name).exec_run(command)

    def _read_cpu_seconds(self, name: str) -> float:
        with engine_errors(f"reading the processor time of {name}"):
            stats = self._find_container(name).stats(stream=False, one_shot=True)
        return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9

    def _find_container(self, name: str) -> Any:
        session = self._lab.session
        return session.client.containers.get(f"postfix-matrix-{session.id}-{name}")


def _process_cpu() -> dict[str, float]:
    """Seconds of processor time until now: this process's and the machine's (proc(5), stat)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    user, nice, system, _idle, _iowait, irq, softirq = map(
        int, Path("/proc/stat").read_text("ascii").split()[1:8]
    )
    ticks = user + nice + system + irq + softirq
    return {
        "harness": used.ru_utime + used.ru_stime,
        "machine": ticks / os.sysconf("SC_CLK_TCK"),
    }
