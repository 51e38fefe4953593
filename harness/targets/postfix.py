"""A build under test: its container, and the Postfix instances in it, one per configuration.

A container takes half a second to start, another ``master`` in it some ten milliseconds; so each
configuration is an instance (with directories, ports, ``syslog_name``) in the build's container.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.docker_engine.session import discard_container
from harness.errors import FaultError, InfrastructureError
from harness.postfix_config.lookup_tables import GivenTable
from harness.postfix_config.ports import number_ports
from harness.scenarios.instance import (
    FileKind,
    InstanceConfig,
    InstanceContext,
    places_of,
)
from harness.scenarios.placeholders import assemble_filled
from harness.scenarios.scenario import Scenario
from harness.targets.build_facts import read_facts
from harness.targets.delivered_mail import collect_headers
from harness.targets.lab import (
    POSTFIX_CAPABILITIES,
    FileSpec,
    Lab,
    Role,
    attach_socket,
    host_name,
)
from harness.targets.log_join import LogJoin
from harness.targets.log_tags import service_tags
from harness.targets.machine_pace import MachinePace
from harness.targets.port_pool import PortPool
from harness.targets.process_checks import find_missing, states_script
from harness.targets.shell import LastingShell, ShellLostError, ShellOutput
from harness.targets.start_script import setup_script, start_script
from harness.targets.stream import LineStream
from harness.tls import INBOUND, Service

#: master(8) gives up after 100 s (MASTER_INIT_TIMEOUT) with these words.
_START_LIMIT = 120.0
_NOT_IN_TIME = "daemon initialization timeout"
ROOT = "/srv/postfix-matrix"
#: How a build's container is started.
ROLE = Role(capabilities=POSTFIX_CAPABILITIES, tmpfs={ROOT: "exec,mode=755"})


@dataclass(frozen=True, slots=True)
class Instance:
    """A configuration on a build: its ports, and the evidence of its start."""

    scenario: str
    directory: str
    ports: Mapping[Service, int]
    config: InstanceConfig
    started: bool
    postconf_n: str
    warnings: tuple[str, ...]
    output: str
    #: Its master's process id; if it did not start, the ids that were assigned meanwhile.
    pids: range
    #: The log tag of each service's smtpd.
    tags: Mapping[Service, str]
    #: The ``smtpd_sasl_path`` of the engine's Dovecot.
    sasl: str = ""


class PostfixTarget:
    """A running build. Methods that talk to Docker block; waits for the log are coroutines."""

    def __init__(
        self,
        lab: Lab,
        name: str,
        container: Any,
        loop: asyncio.AbstractEventLoop,
        *,
        called: str = "",
    ) -> None:
        self.name = name
        self.host = host_name(called or name)
        self.address = lab.address(container)
        self.container = container
        self.join = LogJoin()
        self._lab = lab
        self._placed: dict[str, FileKind] = {}
        self._ports = PortPool()
        self._is_cut_off = False
        self._resolves = False
        self._loop = loop
        self._shell = LastingShell(container, lab.pace)
        #: A second shell for what takes long, so that instances need not wait for it.
        self._check_shell: LastingShell | None = None
        self._check_lock = threading.Lock()
        self._start_lock = threading.Lock()
        self._stream = LineStream(
            attach_socket(container, stdin=False),
            self._take_log,
            name=f"log {name}",
        )
        self._stream.start()
        try:
            image = str(container.attrs["Image"])
            if image not in lab.facts:
                lab.facts[image] = read_facts(self._shell, name)
            self.facts = lab.facts[image]
        except BaseException:
            self.close()
            raise

    @classmethod
    def start(
        cls,
        lab: Lab,
        name: str,
        reference: str,
        loop: asyncio.AbstractEventLoop,
        *,
        called: str = "",
    ) -> PostfixTarget:
        """Start a container of the build, a further one under the name ``called``. Blocks.

        Raises:
            InfrastructureError: it does not start, or does not keep the image contract.
        """
        container = lab.start(reference, called or name, ROLE)
        return cls(lab, name, container, loop, called=called)

    @property
    def ended(self) -> bool:
        """Whether the container has died, was removed, or is no longer on the network."""
        return self._stream.ended or self._is_cut_off

    async def has_died(self, time_limit: float = 1.0) -> bool:
        """Whether the container has died; its log may end later than its shell (seconds)."""
        end = time.monotonic() + time_limit
        while not self.ended and time.monotonic() < end:
            await asyncio.sleep(0.02)
        return self.ended

    @property
    def pace(self) -> MachinePace:
        """How slow the machine is, which limits of waits for this container follow."""
        return self._lab.pace

    def check_alive(self) -> None:
        """Check that the container still runs: otherwise a client's failure has no meaning.

        Raises:
            FaultError: it has died.
        """
        if self.ended:
            raise FaultError(
                f"the container of {self.name} died while it was being tested",
                cause="it was removed or cut off, or the machine is out of memory",
                next_step="run again; --resume measures only what is left",
            )

    def close(self) -> None:
        """Close the container's streams; the session removes the container."""
        for stream in (self._shell, self._check_shell, self._stream):
            if stream is not None:
                stream.close()

    def remove(self) -> None:
        """Close the streams and remove the container, if it still exists."""
        self.close()
        discard_container(self.container)

    def start_instance(
        self, scenario: Scenario, sasl: str, fixed_ports: Mapping[Service, int] | None = None
    ) -> Instance:
        """Write a configuration, start its ``master`` and wait until it listens. Blocks.

        ``fixed_ports`` are those of the registered services, if they must be known beforehand. A
        Postfix that will not start is a result, not an error: see ``started`` and ``output``.
        """
        directory = f"{ROOT}/{scenario.id}"
        places = places_of(scenario, self.facts.master_cf, self.facts.mail_version)
        numbers = fixed_ports or self._ports.take(scenario.id, len(INBOUND) + len(places))
        by_place = number_ports({str(name): port for name, port in numbers.items()}, places)
        config = self._assemble_config(scenario, directory, by_place, sasl)
        missing = [path for path, kind in config.files.items() if kind is FileKind.MISSING]
        ports = {Service(name): port for name, port in by_place.items()}
        master = f"{self.facts.daemon_directory}/master"
        command = start_script(master, f"{directory}/etc", self.facts.mail_version)
        # One after another: an instance must not start before another has put a file in place that
        # both name, and the process ids of one that does not start must not be another's.
        with self._start_lock:
            files = self._list_files(directory, config)
            setup = self._setup_script(directory, files, missing, config.tables)
            try:
                answer, pids = self._start_master(directory, setup, command)
            except ShellLostError:
                # Whether it has started is unknown; the setup ends one that has.
                answer, pids = self._start_master(directory, setup, command)
        postconf = self._shell.run(f"postconf -c {directory}/etc -n")
        values, warnings = _split_warnings(postconf.output)
        return Instance(
            scenario=scenario.id,
            directory=directory,
            ports=ports,
            config=config,
            started=answer.status == 0,
            postconf_n=values,
            warnings=warnings,
            output=answer.output,
            pids=pids,
            tags=service_tags(config.main_cf, config.master_cf, values, ports),
            sasl=sasl,
        )

    def use_resolver(self, address: str) -> None:
        """Let the container's programs, and instances' chroots, use a name server. Blocks."""
        if not self._resolves:
            self._run_or_fail(f"echo nameserver {address} > /etc/resolv.conf")
            self._resolves = True

    def stop_instance(self, instance: Instance) -> None:
        """End an instance's master and with it its children. Blocks."""
        pid_file = f"{instance.directory}/queue/pid/master.pid"
        self._shell.run(f"kill $(cat {pid_file}) 2>/dev/null || true")
        self._ports.give_back(instance.scenario)

    def check(self, directory: str) -> str:
        """The output of ``postfix check`` for an instance; takes 0.2 s of processor time."""
        script = f"nice postfix -c {directory}/etc check"
        with self._check_lock:
            self._check_shell = self._check_shell or LastingShell(self.container, self.pace)
        return self._check_shell.run(script).output

    def run(self, script: str) -> str:
        """Run a shell script in the container; return its output (both streams).

        It runs once more where the shell was lost meanwhile.
        """
        return self._shell.run(script).output

    def measure_echo(self) -> None:
        """Measure a round trip to the container; a shell that is lost is replaced.

        Raises:
            InfrastructureError: the container has died.
        """
        self._shell.measure_echo()

    def check_network(self) -> None:
        """Check that clients reach the container. Blocks.

        Raises:
            FaultError: it has died, or is not on the network any more.
        """
        self.check_alive()
        self._is_cut_off = not self._lab.has_address(self.container, self.address)
        self.check_alive()

    def check_processes(self, names: Mapping[str, int | None]) -> None:
        """Check that processes run which a result rests on. Blocks.

        ``names`` are those of programs, with the process id if it must be this one.

        Raises:
            FaultError: one does not run, or stands still; or the container has died.
        """
        if missing := find_missing(self._shell.run(states_script()).output, names):
            raise FaultError(
                f"{missing} in the container of {self.host} does not run any more",
                cause="it was killed or stopped from outside, or the machine is out of memory",
                next_step="run again; --resume measures only what is left",
            )

    def collect(self, directory: str) -> dict[str, str]:
        """Trace headers of the mail delivered since the last call, by recipient token."""
        return collect_headers(self._shell, directory)

    def _run_or_fail(self, script: str) -> None:
        """Run a script that must succeed before Postfix can start.

        Raises:
            InfrastructureError: it failed.
        """
        answer = self._shell.run(script)
        if answer.status != 0:
            raise InfrastructureError(
                f"{self.name}: an instance could not be set up: {answer.output}",
                cause="the container's file system is full, or the image does not have a tool",
                next_step="see docs/image-contract.md for what an image must have",
            )

    def _start_master(self, directory: str, setup: str, command: str) -> tuple[ShellOutput, range]:
        """Set an instance up and start its master: what it said, and its process ids.

        Raises:
            ShellLostError: the shell was lost while it started.
            FaultError: master(8) had no time to start.
        """
        self._run_or_fail(setup)
        first = self._next_pid()
        answer = self._shell.run_once(command, time_limit=_START_LIMIT)
        if answer.status != 0 and _NOT_IN_TIME in answer.output:
            raise FaultError(f"{self.name}: master did not start in time: {answer.output}")
        return answer, self._find_pids(directory, first)

    def _next_pid(self) -> int:
        """The process id that the container assigns next, approximately."""
        return int(self._shell.run("sh -c 'echo $$'").output)

    def _find_pids(self, directory: str, first: int) -> range:
        pid = self._shell.run(f"cat {directory}/queue/pid/master.pid").output.strip()
        if pid.isdigit():
            return range(int(pid), int(pid) + 1)
        return range(first, self._next_pid() + 1)

    def _take_log(self, lines: list[str]) -> None:
        self._loop.call_soon_threadsafe(self.join.feed, lines)

    def _assemble_config(
        self, scenario: Scenario, directory: str, ports: Mapping[str, int], sasl: str
    ) -> InstanceConfig:
        context = InstanceContext(
            name=scenario.id,
            mail_version=self.facts.mail_version,
            directory=directory,
            ports=ports,
            sasl=sasl,
            stock_master=self.facts.master_cf,
            table_types=self.facts.table_types,
            resolves=self._resolves,
        )
        return assemble_filled(scenario, context, self._lab.pki.fingerprints)

    def _list_files(self, directory: str, config: InstanceConfig) -> dict[str, FileSpec]:
        files = {
            f"{directory}/etc/main.cf": FileSpec(config.main_cf),
            f"{directory}/etc/master.cf": FileSpec(config.master_cf),
        }
        # A file is written once, for all instances that name it: while another instance's smtpd
        # reads it, it must not be half-written. What is below its own directory went with the
        # earlier instance of its name.
        fresh = {
            path: kind
            for path, kind in config.files.items()
            if (path not in self._placed or path.startswith(f"{directory}/"))
            and path not in config.texts
        }
        self._placed |= fresh
        files |= {path: FileSpec(text) for path, text in config.texts.items()}
        for path, kind in fresh.items():
            if kind is FileKind.MISSING:
                continue
            secret = kind.name.endswith(("KEY", "CHAIN"))
            files[path] = FileSpec(self._lab.pki.text(kind), mode=0o600 if secret else 0o644)
        return files

    def _setup_script(
        self,
        directory: str,
        files: Mapping[str, FileSpec],
        missing: Iterable[str],
        tables: Iterable[GivenTable],
    ) -> str:
        return setup_script(self.facts, directory, files, missing, tables, resolves=self._resolves)


def _split_warnings(output: str) -> tuple[str, tuple[str, ...]]:
    warnings = tuple(line for line in output.splitlines() if line.startswith("postconf: "))
    values = "\n".join(line for line in output.splitlines() if not line.startswith("postconf: "))
    return values, warnings
