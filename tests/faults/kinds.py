"""The kinds of faults, and how each is injected into a run that is going on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import docker
from docker.errors import DockerException

from harness.targets.postfix import ROOT
from tests.faults.processes import ContainerProcess, list_containers, list_processes

#: Seconds for which something that goes on later is stopped, cut off or full.
SHORTEST, LONGEST = 0.5, 6.0


@dataclass(slots=True)
class RunUnderTest:
    """A run into which faults are injected. ``room`` is a file system that can be filled."""

    client: docker.DockerClient
    session: str
    process: subprocess.Popen[bytes]
    folder: Path
    draw: random.Random
    room: Path | None = None
    clock: Path | None = None
    restart_engine: Callable[[], None] | None = None
    timers: list[threading.Timer] = field(default_factory=list)

    def later(self, undo: Callable[[], object]) -> None:
        """Undo a fault after a while."""
        timer = threading.Timer(self.draw.uniform(SHORTEST, LONGEST), undo)
        timer.daemon = True
        self.timers.append(timer)
        timer.start()

    def finish(self) -> None:
        """Wait until all is undone that is to be undone."""
        for timer in self.timers:
            timer.join()
        self.timers.clear()


#: Injects a fault; what it was, or "" where nothing was there to inject it into.
Inject = Callable[[RunUnderTest], str]


def _pick(run: RunUnderTest, programs: tuple[str, ...], container: str = "") -> int | None:
    """A process of one of these programs, at random."""
    found = [
        process
        for process in list_processes(run.client, run.session)
        if process.program in programs and _is_in(process, container)
    ]
    return run.draw.choice(found).pid if found else None


def _is_in(process: ContainerProcess, container: str) -> bool:
    return not container or f"-{container}" in process.container


def _signal(pid: int, number: signal.Signals) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def _kill(*programs: str, container: str = "") -> Inject:
    def inject(run: RunUnderTest) -> str:
        pid = _pick(run, programs, container)
        return f"SIGKILL to {pid}" if pid and _signal(pid, signal.SIGKILL) else ""

    return inject


def _stop(*programs: str, container: str = "") -> Inject:
    def inject(run: RunUnderTest) -> str:
        pid = _pick(run, programs, container)
        if not pid or not _signal(pid, signal.SIGSTOP):
            return ""
        run.later(partial(_signal, pid, signal.SIGCONT))
        return f"SIGSTOP to {pid}"

    return inject


def _signal_harness(number: signal.Signals) -> Inject:
    def inject(run: RunUnderTest) -> str:
        if run.process.poll() is not None:
            return ""
        run.process.send_signal(number)
        if number is signal.SIGSTOP:
            run.later(lambda: run.process.send_signal(signal.SIGCONT))
        return number.name

    return inject


def _kill_container(run: RunUnderTest) -> str:
    containers = list_containers(run.client, run.session)
    if not containers:
        return ""
    container = run.draw.choice(containers)
    with suppress(DockerException):
        container.kill()
        return f"docker kill {container.name}"
    return ""


def _cut_off(run: RunUnderTest) -> str:
    containers = list_containers(run.client, run.session)
    if not containers:
        return ""
    container = run.draw.choice(containers)
    with suppress(DockerException):
        network = run.client.networks.get(f"postfix-matrix-{run.session}")
        network.disconnect(container, force=True)
        return f"network disconnect {container.name}"
    return ""


def _fill_run_folder(run: RunUnderTest) -> str:
    if run.room is None:
        return ""
    waste = run.room / "waste"
    with suppress(OSError), waste.open("wb") as file:
        while True:
            file.write(b"\0" * 65536)
    run.later(lambda: waste.unlink(missing_ok=True))
    return "the run folder's file system is full"


def _fill_container(run: RunUnderTest) -> str:
    pid = _pick(run, ("master",), "debian-12")
    if pid is None:
        return ""
    # A tmpfs takes half of the memory; a limit of its own keeps the machine from harm.
    place = Path(f"/proc/{pid}/root{ROOT}")
    command = ["nsenter", "-t", str(pid), "-m", "mount", "-o", "remount,size=1m", ROOT]
    if not place.exists() or subprocess.run(command, check=False, capture_output=True).returncode:
        return ""
    undo = ["nsenter", "-t", str(pid), "-m", "mount", "-o", "remount,size=512m", ROOT]
    run.later(partial(subprocess.run, undo, check=False, capture_output=True))
    return "the container's queue and configuration have no room"


def _jump_clock(run: RunUnderTest) -> str:
    if run.clock is None:
        return ""
    offset = run.draw.choice(("-86400", "+86400", "-3600", "+3600", "-5", "+5"))
    run.clock.write_text(offset)
    return f"the harness's clock jumps to {offset} s"


def _restart_engine(run: RunUnderTest) -> str:
    if run.restart_engine is None:
        return ""
    run.restart_engine()
    return "dockerd restarted"


#: By name; a kind that ends the run itself is drawn less often (WEIGHTS).
KINDS: Mapping[str, Inject] = {
    "harness killed": _signal_harness(signal.SIGKILL),
    "harness interrupted": _signal_harness(signal.SIGINT),
    "harness stopped": _signal_harness(signal.SIGSTOP),
    "driver killed": _kill("driver", container="client-"),
    "driver stopped": _stop("driver", container="client-"),
    "client program killed": _kill("openssl", container="client-"),
    "client program stopped": _stop("openssl", container="client-"),
    "master killed": _kill("master", container="debian-12"),
    "master stopped": _stop("master", container="debian-12"),
    "smtpd killed": _kill("smtpd", container="debian-12"),
    "smtpd stopped": _stop("smtpd", container="debian-12"),
    "helper of smtpd killed": _kill(
        "tlsmgr", "cleanup", "trivial-rewrite", "anvil", "qmgr", container="debian-12"
    ),
    "Dovecot killed": _kill("dovecot", "auth", "anvil", "log", container="sasl"),
    "Dovecot stopped": _stop("dovecot", "auth", container="sasl"),
    "syslog daemon killed": _kill("perl", "syslogd", "busybox", container="debian-12"),
    "syslog daemon stopped": _stop("perl", "syslogd", "busybox", container="debian-12"),
    "stunnel killed": _kill("stunnel", "stunnel4", container="control-"),
    "stunnel stopped": _stop("stunnel", "stunnel4", container="control-"),
    "control's Postfix killed": _kill("master", "smtpd", container="control-"),
    "shell killed": _kill("sh", "dash", "bash", container="debian-12"),
    "shell stopped": _stop("sh", "dash", "bash", container="debian-12"),
    "container killed": _kill_container,
    "network cut off": _cut_off,
    "run folder full": _fill_run_folder,
    "container full": _fill_container,
    "clock jumps": _jump_clock,
    "slow name server": _stop("unbound", container="dns"),
    "dockerd restarted": _restart_engine,
}
#: How often a kind is drawn; the others: 1.
WEIGHTS = {
    "harness killed": 0.15,
    "harness interrupted": 0.15,
    "run folder full": 0.3,
    "dockerd restarted": 0.25,
    "container killed": 0.6,
    "network cut off": 0.6,
}
