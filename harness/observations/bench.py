"""The benches that cells are measured on: a Postfix instance of a build, and a control."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial

from harness.clients.contract import Result
from harness.config.listeners import Listener
from harness.config.maincf import parse_main_cf
from harness.config.protocol_lists import ProtocolList, protocol_list
from harness.observations.decide import ServerWords
from harness.observations.measure import (
    BANNER_PATIENCE,
    DELIVERY_PATIENCE,
    LOG_PATIENCE,
    Asked,
    Dialogue,
    MailCollector,
    ServerSide,
)
from harness.targets.control import (
    FRONT_PORTS,
    PERMISSIVE,
    ControlServer,
    backend_peer,
    front_closed,
    front_lines,
)
from harness.targets.maillog import LogLine
from harness.targets.postfix import Instance, PostfixTarget
from harness.tls import Service

#: How long, in seconds, to wait for the end of a connection in stunnel's log.
CONTROL_PATIENCE = 2.0
#: Stages at which no smtpd may have taken the connection yet, so its log may have nothing.
_UNSERVED = frozenset({"connect", "banner"})


class PostfixBench:
    """One config on one build."""

    def __init__(self, target: PostfixTarget, instance: Instance) -> None:
        self.target = target
        self.instance = instance
        self._mail = MailCollector(partial(target.collect, instance.directory))

    @property
    def host(self) -> str:
        """The build's container."""
        return self.target.host

    @property
    def ports(self) -> Mapping[Service, int]:
        """The instance's own ports."""
        return self.instance.ports

    @property
    def config_digest(self) -> str:
        """The candidate's."""
        return self.instance.config.digest

    def settings(self, service: Service) -> Mapping[str, str]:
        """What is in effect for a service: main.cf's settings under its entry's -o options."""
        listener = self.listener(service)
        return listener.settings if listener else parse_main_cf(self.instance.config.main_cf).values

    def listener(self, service: Service) -> Listener | None:
        """The entry that a service's clients meet; None: the configuration has no such service."""
        listeners = self.instance.config.listeners
        return next((known for known in listeners if known.service == service), None)

    def dialogue(self, service: Service) -> Dialogue:
        """How a service is spoken to."""
        listener = self.listener(service)
        if listener is None:
            return Dialogue(service.implicit_tls, service.authenticates)
        return Dialogue(listener.implicit_tls, listener.authenticates)

    def protocol_list(self, service: Service) -> ProtocolList | None:
        """The list that a service goes by; None: it does no TLS, or its release has no lists."""
        return protocol_list({**self.target.facts.protocol_lists, **self.settings(service)})

    def mark(self) -> int:
        """A connection is found by its port here, so no mark is needed."""
        return 0

    def startup(self) -> list[str]:
        """What the instance's master has logged so far."""
        return [str(line) for line in self.target.join.log.masters(self.instance.pids)]

    async def server_side(self, asked: Asked, result: Result) -> ServerSide:
        """The log lines of the dialogue's connection, and the message's trace header."""
        session = None
        if result.local_address is not None:
            patience = BANNER_PATIENCE if result.stage in _UNSERVED else LOG_PATIENCE
            session = await self.target.join.session(result.local_address, asked.since, patience)
        self.target.must_live()
        log = [str(line) for line in (*session.preamble, *session.lines)] if session else []
        words = ServerWords(tuple(log), () if session else tuple(self._deaths(asked, result)))
        received = None
        if result.queue_id is not None:
            delivery = await self.target.join.delivery(result.queue_id, DELIVERY_PATIENCE)
            log = [*log, *(str(line) for line in delivery)]
            received = await self._mail.header(asked.token)
        return ServerSide(words, [*log, *words.deaths], received)

    def _deaths(self, asked: Asked, result: Result) -> list[str]:
        """Why Postfix did not serve the connection, where its processes died of their config."""
        if not self.instance.started:
            return [*self.startup(), *self.instance.words.splitlines()] or ["master did not start"]
        if result.stage == "connect":
            # Nobody listens there, which a process that died cannot be the reason of.
            return []
        log = self.target.join.log
        tag = self.instance.tags[asked.cell.service]
        return [str(line) for line in log.deaths(self.instance.pids, tag)]


class ControlBench:
    """A control server: stunnel's words stand for the server's."""

    def __init__(self, server: ControlServer) -> None:
        self.server = server
        self.target = server.target

    @property
    def host(self) -> str:
        """The control's container."""
        return self.target.host

    @property
    def ports(self) -> Mapping[Service, int]:
        """The registered ports."""
        return FRONT_PORTS

    @property
    def config_digest(self) -> str:
        """The control's own, the same in every run."""
        return PERMISSIVE.digest

    def dialogue(self, service: Service) -> Dialogue:
        """As the registered services are spoken to."""
        return Dialogue(service.implicit_tls, service.authenticates)

    def mark(self) -> int:
        """How far stunnel's log has come: what is before it is of earlier connections."""
        return len(self.target.join.log.other.get("stunnel", ()))

    async def server_side(self, asked: Asked, result: Result) -> ServerSide:
        """What stunnel logged of the connection, once it has logged its end."""
        if result.local_address is None:
            return ServerSide(ServerWords(), ())
        end = time.monotonic() + CONTROL_PATIENCE
        while True:
            log = self.target.join.log.other.get("stunnel", [])[asked.mark :]
            lines = front_lines(log, result.local_address)
            if front_closed(lines) or time.monotonic() > end:
                break
            await asyncio.sleep(0.01)
        self.target.must_live()
        words = tuple(str(line) for line in lines)
        behind = await self._behind(lines, asked.since)
        return ServerSide(ServerWords(session=words), [*words, *behind])

    async def _behind(self, lines: list[LogLine], since: float) -> list[str]:
        """What the Postfix behind the front logged of the same dialogue."""
        peer = backend_peer(lines)
        session = await self.target.join.session(peer, since, LOG_PATIENCE) if peer else None
        return [str(line) for line in session.lines] if session else []


def instance_evidence(bench: PostfixBench, check: str) -> dict[str, object]:
    """What an instance was and said (docs/run-folder.md)."""
    instance = bench.instance
    said = [*instance.warnings, *check.splitlines()]
    if not instance.started:
        said += instance.words.splitlines()
    return {
        "build": bench.target.name,
        "scenario": instance.scenario,
        "config": instance.config.digest,
        "main.cf": instance.config.main_cf,
        "master.cf": instance.config.master_cf,
        "files": {path: kind.value for path, kind in instance.config.files.items()},
        "base": list(instance.config.base),
        "added": list(instance.config.added),
        "replaced": [change.to_dict() for change in instance.config.replaced],
        "services": [listener.to_dict() for listener in instance.config.listeners],
        "postconf_n": instance.postconf_n,
        "check": "\n".join(dict.fromkeys(said)),
        "startup": bench.startup(),
        "started": instance.started,
    }
