"""A build under test: its container, and the Postfix instances in it, one a config.

A container takes half a second to start, one more ``master`` in it some ten milliseconds; so each
config is an instance of its own (directories, ports, ``syslog_name``) in the build's one container.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from docker.errors import DockerException

from harness.errors import InfrastructureError
from harness.postfix_config.lookup_tables import GivenTable
from harness.postfix_config.ports import number_ports
from harness.postfix_config.protocol_lists import (
    MANDATORY,
    OPPORTUNISTIC,
)
from harness.scenarios.instance import (
    FileKind,
    InstanceConfig,
    InstanceContext,
    places_of,
)
from harness.scenarios.placeholders import assemble_filled
from harness.scenarios.scenario import Scenario
from harness.targets.lab import (
    POSTFIX_CAPABILITIES,
    FileSpec,
    Lab,
    Role,
    attach,
    host_name,
    put_files,
)
from harness.targets.log_join import LogJoin
from harness.targets.log_tags import service_tags
from harness.targets.port_pool import PortPool
from harness.targets.shell import Shell
from harness.targets.start_script import start_script
from harness.targets.stream import LineStream
from harness.tls import INBOUND, Service

# Postfix lets a file that has just changed "cool down" for seconds before it reads it
# (dict_load_file in its util library), so configurations are given an old date.
_COOL = "200001010000"
_MESSAGE = "== postfix-matrix: a message =="
ROOT = "/srv/postfix-matrix"
#: How a build's container is started.
ROLE = Role(capabilities=POSTFIX_CAPABILITIES, tmpfs={ROOT: "exec,mode=755"})
#: What a chrooted smtp(8) needs to look names up; Debian's init script copies the same.
_CHROOT = """
mkdir -p etc
cp /etc/resolv.conf /etc/services /etc/hosts etc/
cp /etc/nsswitch.conf etc/ 2>/dev/null || true"""
#: Parameters whose defaults are facts.
_ASKED = ("mail_version", "mail_owner", "setgid_group", "daemon_directory", "config_directory")
#: Queue folders that belong to mail_owner (conf/postfix-files of any release).
_QUEUE_OWNED = "active bounce corrupt defer deferred flush hold incoming private saved trace"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the image's own Postfix says of itself (postconf -d), and its OpenSSL.

    ``protocol_lists`` are its own defaults of smtpd's two, ``openssl`` what ``openssl version``
    says (docs/image-contract.md: the one that Postfix loads), ``table_types`` what ``postconf -m``
    lists.
    """

    mail_version: str
    mail_owner: str
    setgid_group: str
    daemon_directory: str
    config_directory: str
    master_cf: str
    protocol_lists: Mapping[str, str]
    openssl: str
    table_types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Instance:
    """One config on one build: where it listens, and what its start left as evidence."""

    scenario: str
    directory: str
    ports: Mapping[Service, int]
    config: InstanceConfig
    started: bool
    postconf_n: str
    warnings: tuple[str, ...]
    words: str
    #: Its master's process id; of one that did not start, those given out meanwhile.
    pids: range
    #: Under which tag each service's smtpd logs.
    tags: Mapping[Service, str]


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
        self._resolves = False
        self._loop = loop
        self._shell = Shell(container)
        #: A second shell for what takes long, so that instances need not wait for it.
        self._check_shell: Shell | None = None
        self._check_lock = threading.Lock()
        self._stream = LineStream(
            attach(container, stdin=False),
            self._take_log,
            name=f"log {name}",
        )
        self._stream.start()
        try:
            self.facts = self._read_facts()
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
        """Start the build's container, a further one under the name it is ``called``; blocking.

        Raises:
            InfrastructureError: it does not start, or does not keep the image contract.
        """
        container = lab.start(reference, called or name, ROLE)
        return cls(lab, name, container, loop, called=called)

    @property
    def ended(self) -> bool:
        """Whether the container has died, or was removed."""
        return self._stream.ended

    async def has_died(self, time_limit: float = 1.0) -> bool:
        """Whether the container has died; its log may end later than its shell (seconds)."""
        end = time.monotonic() + time_limit
        while not self.ended and time.monotonic() < end:
            await asyncio.sleep(0.02)
        return self.ended

    def must_live(self) -> None:
        """See that the container still runs: of a dead one, a client's failure says nothing.

        Raises:
            InfrastructureError: it has died.
        """
        if self._stream.ended:
            raise InfrastructureError(
                f"the container of {self.name} died while it was being tested",
                cause="somebody removed it, or the machine is out of memory",
                next_step="run again; --resume measures only what is left",
            )

    def close(self) -> None:
        """Let go of the container's streams; removing it is the session's."""
        for stream in (self._shell, self._check_shell, self._stream):
            if stream is not None:
                stream.close()

    def remove(self) -> None:
        """Let go of the streams and remove the container; one that is gone already is as good."""
        self.close()
        with suppress(DockerException):
            self.container.remove(force=True, v=True)

    def start_instance(
        self, scenario: Scenario, sasl: str, fixed_ports: Mapping[Service, int] | None = None
    ) -> Instance:
        """Write a config, start its ``master`` and wait until it listens; blocking.

        ``fixed_ports`` are the registered services', where others must know them beforehand. A
        Postfix that will not start is a result, not an error: see ``started`` and ``words``.
        """
        directory = f"{ROOT}/{scenario.id}"
        places = places_of(scenario, self.facts.master_cf, self.facts.mail_version)
        numbers = fixed_ports or self._ports.take(scenario.id, len(INBOUND) + len(places))
        by_place = number_ports({str(name): port for name, port in numbers.items()}, places)
        config = self._assemble(scenario, directory, by_place, sasl)
        put_files(self.container, self._files(directory, config))
        missing = [path for path, kind in config.files.items() if kind is FileKind.MISSING]
        self._must(self._setup_script(directory, missing, config.tables))
        ports = {Service(name): port for name, port in by_place.items()}
        first = self._pid()
        master = f"{self.facts.daemon_directory}/master"
        answer = self._shell.run(start_script(master, f"{directory}/etc", self.facts.mail_version))
        pids = self._pids(directory, first)
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
            words=answer.output,
            pids=pids,
            tags=service_tags(config.main_cf, config.master_cf, values, ports),
        )

    def use_resolver(self, address: str) -> None:
        """Have the container's programs ask a name server, and instances' chroots too; blocking."""
        if not self._resolves:
            self._must(f"echo nameserver {address} > /etc/resolv.conf")
            self._resolves = True

    def stop_instance(self, instance: Instance) -> None:
        """End an instance's master and with it its children; blocking."""
        pid_file = f"{instance.directory}/queue/pid/master.pid"
        self._shell.run(f"kill $(cat {pid_file}) 2>/dev/null || true")
        self._ports.give_back(instance.scenario)

    def check(self, directory: str) -> str:
        """What ``postfix check`` says of an instance; a fifth of a second of processor time."""
        with self._check_lock:
            self._check_shell = self._check_shell or Shell(self.container)
        return self._check_shell.run(f"nice postfix -c {directory}/etc check").output

    def run(self, script: str) -> str:
        """Run a shell script in the container; what it printed on both outputs."""
        return self._shell.run(script).output

    def collect(self, directory: str) -> dict[str, str]:
        """Trace headers of what an instance delivered since the last call, by recipient token."""
        script = f"""cd {directory}/mail/sink/new 2>/dev/null || exit 0
set -- *
[ -e "$1" ] || exit 0
awk 'FNR == 1 {{ header = 1; print "{_MESSAGE}" }} /^$/ {{ header = 0 }} header' "$@"
mv "$@" ../cur/"""
        found: dict[str, str] = {}
        for message in self._shell.run(script).output.split(_MESSAGE + "\n")[1:]:
            token, header = delivered_token(message), trace_header(message)
            if token is not None and header is not None:
                found[token] = header
        return found

    def _must(self, script: str) -> None:
        """Run what has to go well before Postfix can have a say.

        Raises:
            InfrastructureError: it did not.
        """
        answer = self._shell.run(script)
        if answer.status != 0:
            raise InfrastructureError(
                f"{self.name}: an instance could not be set up: {answer.output}",
                cause="the container's file system is full, or the image lacks a tool",
                next_step="see docs/image-contract.md for what an image must have",
            )

    def _pid(self) -> int:
        """The process id that the container gives out next, or nearly."""
        return int(self._shell.run("sh -c 'echo $$'").output)

    def _pids(self, directory: str, first: int) -> range:
        told = self._shell.run(f"cat {directory}/queue/pid/master.pid").output.strip()
        if told.isdigit():
            return range(int(told), int(told) + 1)
        return range(first, self._pid() + 1)

    def _take_log(self, lines: list[str]) -> None:
        self._loop.call_soon_threadsafe(self.join.feed, lines)

    def _assemble(
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

    def _read_facts(self) -> Facts:
        values = {name: self._default(name) for name in _ASKED}
        config = shlex.quote(values["config_directory"])
        # A release that has only one of them, or none (before 2.3), warns on standard error.
        lists = self._shell.run(f"postconf -d {OPPORTUNISTIC} {MANDATORY} 2>/dev/null").output
        settings = (line.partition(" =") for line in lists.splitlines() if " =" in line)
        return Facts(
            **values,
            master_cf=self._shell.run(f"cat {config}/master.cf").output,
            protocol_lists={name: value.strip() for name, _, value in settings},
            openssl=self._shell.run("openssl version").output.strip(),
            table_types=frozenset(self._shell.run("postconf -m 2>/dev/null").output.split()),
        )

    def _default(self, name: str) -> str:
        """The image's own value of a parameter that every Postfix has.

        Raises:
            InfrastructureError: it has none to tell.
        """
        answer = self._shell.run(f"postconf -d -h {name}")
        if answer.status != 0:
            raise InfrastructureError(
                f"{self.name}: 'postconf -d -h {name}' failed: {answer.output}",
                cause="the image does not keep the image contract",
                next_step="see docs/image-contract.md",
            )
        return answer.output.strip()

    def _files(self, directory: str, config: InstanceConfig) -> dict[str, FileSpec]:
        wanted = {
            f"{directory}/etc/main.cf": FileSpec(config.main_cf),
            f"{directory}/etc/master.cf": FileSpec(config.master_cf),
        }
        # A file is written once, for all instances that name it: one that is being read by another
        # instance's smtpd must not be half of itself at that moment.
        fresh = {
            path: kind
            for path, kind in config.files.items()
            if path not in self._placed and path not in config.texts
        }
        self._placed |= fresh
        wanted |= {path: FileSpec(text) for path, text in config.texts.items()}
        for path, kind in fresh.items():
            if kind is FileKind.MISSING:
                continue
            secret = kind.name.endswith(("KEY", "CHAIN"))
            wanted[path] = FileSpec(self._lab.pki.text(kind), mode=0o600 if secret else 0o644)
        # What the engine copies in does not show on a tmpfs, so all is staged beside it.
        return {_stage(directory) + path: spec for path, spec in wanted.items()}

    def _setup_script(
        self, directory: str, missing: Iterable[str], tables: Iterable[GivenTable]
    ) -> str:
        facts = self.facts
        gone = " ".join(map(shlex.quote, missing))
        return f"""set -e
umask 022
mkdir -p {directory}/etc {directory}/queue {directory}/data {directory}/mail
cp -R {_stage(directory)}/. /
rm -f -- {gone}
touch -t {_COOL} {directory}/etc/*
chown {facts.mail_owner} {directory}/data
chown 65534:65534 {directory}/mail
cd {directory}/queue
mkdir -p {_QUEUE_OWNED} maildrop public pid
chmod 700 {_QUEUE_OWNED}
chown {facts.mail_owner} {_QUEUE_OWNED} maildrop public
chgrp {facts.setgid_group} maildrop public
chmod 730 maildrop
chmod 710 public{_CHROOT if self._resolves else ""}
{compile_script(tables, f"{directory}/etc")}"""


def compile_script(tables: Iterable[GivenTable], config_directory: str) -> str:
    """The commands that make indexed tables of the texts that were given, postmap(1).

    A table whose text Postfix cannot read is left as it is: what smtpd says of it is the result.
    """
    lines = [
        f"{table.compiler} -c {config_directory} {shlex.quote(table.name)} || true"
        for table in tables
        if table.compiler is not None
    ]
    return "\n".join(lines)


def _stage(directory: str) -> str:
    return f"/postfix-matrix-stage/{directory.rpartition('/')[2]}"


def trace_header(message: str) -> str | None:
    """The first ``Received:`` field with its folded lines (RFC 5322, section 3.6.7)."""
    lines = message.splitlines()
    for number, line in enumerate(lines):
        if line.lower().startswith("received:"):
            end = number + 1
            while end < len(lines) and lines[end][:1] in (" ", "\t"):
                end += 1
            return "\n".join(lines[number:end])
    return None


def delivered_token(message: str) -> str | None:
    """Whom virtual(8) delivered to: the local part of ``Delivered-To:``."""
    match = re.search(r"^Delivered-To: ([a-z0-9]+)@", message, re.MULTILINE)
    return match[1] if match else None


def _split_warnings(output: str) -> tuple[str, tuple[str, ...]]:
    warnings = tuple(line for line in output.splitlines() if line.startswith("postconf: "))
    values = "\n".join(line for line in output.splitlines() if not line.startswith("postconf: "))
    return values, warnings
