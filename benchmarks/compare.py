"""Engine and bare loop by turns on one Postfix, in one run."""

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
from harness.catalog.clients import client
from harness.clients.driver import Driver
from harness.docker_engine.session import talking
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
#: What runs the bare loop in each client's container: the interpreter, and the loop.
LOOPS = {
    "openssl-1.0.2h": ("sh", "bare_loop.sh"),
    "aiosmtplib-debian12": ("python3", "bare_loop.py"),
}
#: Where processor time goes. "other" is the rest of this machine: the Docker engine that carries
#: requests, results and log lines, and whatever else runs here.
PLACES = ("harness", "client", "server", "other")
#: Dialogues that come before the rounds and are not counted.
WARM_UP = 20

#: A side's round: client, service and count to seconds.
Side = Callable[[str, Service, int], Awaitable[float]]


class Unheard(LogJoin):
    """Takes no line in: while the bare loop runs, the harness does nothing."""

    def feed(self, lines: list[str]) -> None:
        """Drop them."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rounds of one client on one service, in the order in which they were run."""

    client: str
    service: Service
    engine: list[Round]
    bare: list[Round]


async def compare(engine: Engine, scenario: Scenario, rounds: int, count: int) -> list[Comparison]:
    """Measure each client on each service: ``rounds`` pairs of rounds of ``count`` dialogues.

    Raises:
        HarnessError: something is unavailable, or a dialogue that is to be timed failed.
    """
    comparisons = []
    build = Build.parse(BUILD)
    held = await engine.instances.hold(build, scenario)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(Journal(Path(folder))) as journal,
        ):
            drivers = {name: await engine.resources.client(client(name)) for name in LOOPS}
            course = Course(engine.lab, held.endpoint, drivers, journal)
            for name, service in product(LOOPS, SERVICES):
                engine.listener(
                    Step(f"{name} on {service}", f"{rounds} pairs of {count} dialogues")
                )
                comparisons.append(await course.run(name, service, rounds, count))
    finally:
        await engine.instances.release(build, scenario)
    return comparisons


class Course:
    """The instance, the clients and the journal that all rounds are run with."""

    def __init__(
        self, lab: Lab, bench: PostfixEndpoint, drivers: Mapping[str, Driver], journal: Journal
    ) -> None:
        self._lab = lab
        self._bench = bench
        self._drivers = drivers
        self._journal = journal
        self._made = 0

    async def run(self, client: str, service: Service, rounds: int, count: int) -> Comparison:
        """Engine, bare loop, engine, bare loop, ..."""
        for side in (self._engine, self._bare):
            await self._timed(side, client, service, WARM_UP)
        both = Comparison(client, service, [], [])
        for _ in range(rounds):
            both.engine.append(await self._timed(self._engine, client, service, count))
            both.bare.append(await self._timed(self._bare, client, service, count))
        return both

    async def _timed(self, side: Side, client: str, service: Service, count: int) -> Round:
        """One round. Docker's figures come a second late, in which the server comes to rest."""
        theirs = await self._containers_cpu(client)
        # Also drops what the round before left unclaimed.
        self._bench.target.join = Unheard() if side == self._bare else LogJoin()
        own = _own_cpu()
        seconds = await side(client, service, count)
        cpu = {place: used - own[place] for place, used in _own_cpu().items()}
        for place, used in (await self._containers_cpu(client)).items():
            cpu[place] = used - theirs[place]
        cpu["other"] = cpu.pop("machine") - sum(cpu[place] for place in PLACES[:-1])
        return Round(count, seconds, cpu)

    async def _engine(self, client: str, service: Service, count: int) -> float:
        """Cells as the runner has them: dialogue, log, decision, evidence, observation."""
        slots = asyncio.Semaphore(Options().jobs)
        first, self._made = self._made, self._made + count
        # Numbered, so that each is a cell of its own with a recipient of its own.
        cells = [
            Cell(BUILD, SCENARIO, service, f"{client}-{number}", OFFER)
            for number in range(first, self._made)
        ]
        begin = time.monotonic()
        await asyncio.gather(*(self._cell(cell, self._drivers[client], slots) for cell in cells))
        return time.monotonic() - begin

    async def _cell(self, cell: Cell, driver: Driver, slots: asyncio.Semaphore) -> None:
        control = ControlEvidence(None, None, "a benchmark")
        async with slots:
            measured = await measure(
                cell, self._bench, driver, control, CREDENTIALS, Options().time_limit
            )
        self._journal.append(measured.observation, measured.evidence)
        if measured.observation.outcome is not Outcome.ACCEPTED or not measured.observation.agree:
            raise InfrastructureError(
                f"a cell to be timed failed: {measured.observation.to_json()}"
            )

    async def _bare(self, client: str, service: Service, count: int) -> float:
        """The loop in the client's container; it times itself, so its own start is left out."""
        interpreter, file = LOOPS[client]
        script = (Path(__file__).parent / file).read_text("utf-8")
        mode = "implicit" if service.implicit_tls else "starttls"
        port = self._bench.instance.ports[service]
        address = self._lab.address(self._bench.target.container)
        words = [address, str(port), mode, str(count), str(Options().jobs)]
        # sh takes the word after the script as $0, python3 does not.
        zeroth = ["bare_loop"] if interpreter == "sh" else []
        done = await asyncio.to_thread(
            self._execute, f"client-{client}", [interpreter, "-c", script, *zeroth, *words]
        )
        said = done.output.decode(errors="replace").split()
        if done.exit_code != 0 or said[:1] != [str(count)]:
            raise InfrastructureError(f"the bare loop of {client} failed: {' '.join(said)[-500:]}")
        return float(said[1])

    async def _containers_cpu(self, client: str) -> dict[str, float]:
        """Seconds of processor time so far: the client's, and the servers'."""
        names = (f"client-{client}", BUILD, "sasl")
        used = await asyncio.gather(*(asyncio.to_thread(self._used, name) for name in names))
        return {"client": used[0], "server": used[1] + used[2]}

    def _execute(self, name: str, command: list[str]) -> Any:
        with talking(f"running the bare loop in {name}"):
            return self._container(name).exec_run(command)

    def _used(self, name: str) -> float:
        with talking(f"asking what {name} has used"):
            stats = self._container(name).stats(stream=False, one_shot=True)
        return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9

    def _container(self, name: str) -> Any:
        session = self._lab.session
        return session.client.containers.get(f"postfix-matrix-{session.id}-{name}")


def _own_cpu() -> dict[str, float]:
    """Seconds of processor time so far: this process's, and the whole machine's (proc(5), stat)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    user, nice, system, _idle, _iowait, irq, softirq = map(
        int, Path("/proc/stat").read_text("ascii").split()[1:8]
    )
    ticks = user + nice + system + irq + softirq
    return {
        "harness": used.ru_utime + used.ru_stime,
        "machine": ticks / os.sysconf("SC_CLK_TCK"),
    }
