"""The endpoints that cells are measured on: a Postfix instance of a build, and a control."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial

from harness.clients.contract import ClientResult
from harness.observations.decide import ServerLog
from harness.postfix_config.listeners import (
    POSTSCREEN,
    Listener,
)
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.postfix_config.protocol_lists import (
    ProtocolList,
    find_protocol_list,
)
from harness.postfix_config.tls_parameters import effective_parameters
from harness.run.instance_faults import InstanceFaults
from harness.run.measure import (
    BANNER_PATIENCE,
    DELIVERY_PATIENCE,
    LOG_PATIENCE,
    Dialogue,
    DialogueTrace,
    MailCollector,
    ServerSide,
)
from harness.targets.mail_log import (
    Death,
    LogLine,
    SmtpSession,
    is_of_service,
)
from harness.targets.postfix import Instance, PostfixTarget
from harness.tls import Service

#: How long, in seconds, until master(8) reports a process that has logged a fatal error.
DEATH_PATIENCE = 3.0
#: The processes that outgoing mail passes (OVERVIEW of Postfix), by program.
_SENDERS = frozenset(
    {"pickup", "cleanup", "trivial-rewrite", "qmgr", "oqmgr", "smtp", "lmtp", "tlsmgr", "proxymap"}
)
#: master(8)'s own end.
MASTER_DIES = re.compile(r"master\[\d+\]: (?:fatal|panic): ")
#: Stages at which no smtpd may have taken the connection yet, so its log may have nothing.
_UNSERVED = frozenset({"connect", "banner"})


class PostfixEndpoint:
    """One config on one build."""

    def __init__(
        self,
        target: PostfixTarget,
        instance: Instance,
        proxied: Mapping[Service, tuple[str, int]] | None = None,
    ) -> None:
        """``proxied``: host and port of the HAProxy before services that expect its protocol."""
        self.target = target
        self.instance = instance
        self._proxied = dict(proxied or {})
        self._mail = MailCollector(partial(target.collect, instance.directory))
        #: Why a service takes no client, once that is known.
        self._dead: dict[Service, tuple[str, ...]] = {}
        #: The services that took a client.
        self._served: set[Service] = set()
        #: Whether a service shares its log tag, once that was looked at.
        self._shared_tags: dict[Service, bool] = {}
        self._faults = InstanceFaults(target, instance)

    @property
    def host(self) -> str:
        """The build's container."""
        return self.target.host

    @property
    def is_proxied(self) -> bool:
        """Whether HAProxy is before some of its services."""
        return bool(self._proxied)

    def address(self, service: Service) -> tuple[str, int]:
        """The build's container and the instance's own port, or the HAProxy before it."""
        return self._proxied.get(service, (self.host, self.instance.ports[service]))

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
        return find_protocol_list({**self.target.facts.protocol_lists, **self.settings(service)})

    def mark(self) -> int:
        """A connection is found by its port or address here, so no mark is needed."""
        return 0

    def turn(self, client: str) -> AbstractAsyncContextManager[object]:
        """One dialogue at a time with each client where no ports are logged."""
        facts, join = self.target.facts, self.target.join
        return nullcontext() if facts.logs_ports else join.turns[client]

    def startup(self) -> list[str]:
        """What the instance's master has logged so far."""
        return [str(line) for line in self.target.join.log.master_lines(self.instance.pids)]

    async def server_side(self, trace: DialogueTrace, result: ClientResult) -> ServerSide:
        """The log lines of the dialogue's connection, and the message's trace header."""
        session, pace = None, self.target.pace
        if result.local_address is not None:
            patience = BANNER_PATIENCE if result.stage in _UNSERVED else LOG_PATIENCE
            session = await self._find_session(result, trace.since, pace.stretch(patience))
            if session is None and self._faults.must_be_logged(result):
                await self._faults.check_log()
                session = await self._find_session(result, trace.since, 0)
            if session is not None:
                self._served.add(trace.cell.service)
        log = [str(line) for line in (*session.preamble, *session.lines)] if session else []
        message = ServerLog(tuple(log), await self._find_deaths(trace, result, session))
        await self._faults.check(result, session, message)
        received = None
        if result.queue_id is not None:
            limit = pace.stretch(DELIVERY_PATIENCE)
            delivery = await self.target.join.delivery(result.queue_id, limit)
            log = [*log, *(str(line) for line in delivery)]
            received = await self._mail.header(trace.token)
        return ServerSide(message, [*log, *message.deaths], received)

    def known_deaths(self, service: Service) -> Sequence[str]:
        """Why master did not start, or died, or no process of the service takes a client."""
        if not self.instance.started:
            return [*self.startup(), *self.instance.output.splitlines()] or ["master did not start"]
        dead = [line for line in self.startup() if MASTER_DIES.search(line)]
        return dead or self._dead.get(service, ())

    async def await_death(self, service: Service) -> Sequence[str]:
        """Wait for a death of the service's own smtpd before it took any client.

        Where services share a tag, a death may be another's, and nothing is known before the
        dialogue has ended.
        """
        tag = self.instance.tags[service]

        def is_its_own(death: Death) -> bool:
            return death.tag == tag and is_of_service(death, self.instance.pids, tag)

        if self._shares_tag(service):
            await asyncio.Event().wait()
        await self.target.join.death(is_its_own)
        self._faults.check_kills()
        deaths = self._note_deaths(service)
        self._faults.check_lines(deaths)
        return deaths

    async def await_death_of_sender(self) -> None:
        """Wait, without limit, until a process dies that outgoing mail has to pass."""
        await self.target.join.death(self._is_sender)

    def deaths_of_senders(self, since: float, output: Sequence[str]) -> list[str]:
        """Why such processes died since then, and what sendmail(1) ``output`` as it did."""
        deaths = [
            death
            for death in self.target.join.log.died
            if death.at >= since and self._is_sender(death)
        ] or [death for death in self.target.join.log.died if self._is_sender(death)]
        fatal = [line for line in output if "fatal:" in line]
        return [*fatal, *(str(line) for death in deaths for line in death.lines)]

    def unfinished(self, token: str) -> list[LogLine]:
        """What was logged of a message that has no outcome: the token is in its Message-Id.

        And what smtp(8) said of messages without an outcome, for it may name no message.
        """
        join, tag = self.target.join, f"{self._syslog_name()}/smtp"
        for lines in join.log.deliveries.values():
            if any(f"message-id=<{token}@" in line.text for line in lines):
                return [*lines, *join.sent.unfinished(tag)]
        return join.sent.unfinished(tag)

    async def _find_session(
        self, result: ClientResult, since: float, patience: float
    ) -> SmtpSession | None:
        """What smtpd logged of the client's last connection; None if it logged none."""
        peer, join = str(result.local_address), self.target.join
        if self.target.facts.logs_ports:
            return await join.session(peer, since, patience)
        connections = 1 if result.resumed is None else 2
        address = peer.rpartition(":")[0]
        return await join.session_of_address(address, since, patience, connections)

    def _syslog_name(self) -> str:
        values = (line.partition(" = ") for line in self.instance.postconf_n.splitlines())
        return next((value for name, _, value in values if name == "syslog_name"), "postfix")

    def _is_sender(self, death: Death) -> bool:
        return death.master in self.instance.pids and death.program in _SENDERS

    def _shares_tag(self, service: Service) -> bool:
        """Whether other entries of master.cf log under the tag of this service's smtpd."""
        if service not in self._shared_tags:
            self._shared_tags[service] = self._find_shared_tag(service)
        return self._shared_tags[service]

    def _find_shared_tag(self, service: Service) -> bool:
        entries = parse_master_cf(self.instance.config.master_cf).entries
        port = str(self.instance.ports[service])
        listener = self.listener(service)
        is_behind = listener is not None and listener.program == POSTSCREEN
        names: dict[bool, list[str | None]] = {True: [], False: []}
        for entry in entries:
            if entry.fields[7:8] == ("smtpd",):
                is_at_port = entry.type == "inet" and entry.name.rpartition(":")[2] == port
                is_own = entry.type == "pass" if is_behind else is_at_port
                names[is_own].append(entry.options.get("syslog_name"))
        return any(name in names[False] for name in names[True])

    def _note_deaths(self, service: Service) -> tuple[str, ...]:
        log = self.target.join.log
        deaths = log.deaths(self.instance.pids, self.instance.tags[service])
        self._dead[service] = tuple(str(line) for line in deaths)
        return self._dead[service]

    async def _find_deaths(
        self, trace: DialogueTrace, result: ClientResult, session: SmtpSession | None
    ) -> tuple[str, ...]:
        """Why Postfix did not serve the connection, where its processes died of their config."""
        if known := self.known_deaths(trace.cell.service):
            return () if session else tuple(known)
        log, pids = self.target.join.log, self.instance.pids
        if session is not None:
            # What smtpd asks for a client may have died: cleanup(8), trivial-rewrite(8) and others.
            lines = log.other_deaths(pids, trace.since, but="smtpd")
            return tuple(str(line) for line in lines)
        if result.stage == "connect" and result.outcome != "timeout":
            # Nothing listens there, which a process that died cannot be the reason of.
            return ()
        if result.outcome == "client-incapable" and result.local_address is None:
            # It did not connect, so no process of the server's was asked.
            return ()
        tag = self.instance.tags[trace.cell.service]
        # What died under a common tag without a client is not this service's if it took one.
        is_others = trace.cell.service in self._served and self._shares_tag(trace.cell.service)
        if result.outcome == "timeout" and (is_others or not log.deaths(pids, tag)):
            others = log.deaths_with_clients(pids, tag, trace.since)
            if others:
                return tuple(str(line) for line in others)
        if is_others:
            return ()
        if not log.deaths(pids, tag):
            # A process that dies sleeps for a second before it ends (util/msg.c), and master
            # reports it then.
            is_its_death = partial(is_of_service, pids=pids, tag=tag)
            patience = self.target.pace.stretch(DEATH_PATIENCE) if log.is_dying(tag) else 0
            await self.target.join.death(is_its_death, patience)
        return self._note_deaths(trace.cell.service)


def instance_evidence(endpoint: PostfixEndpoint, check: str | None = None) -> dict[str, object]:
    """What an instance is and logged (docs/run-folder.md).

    ``check`` is the output of ``postfix check``; None: it did not run, or did not run yet.
    """
    instance = endpoint.instance
    defaults = endpoint.target.facts.tls_defaults
    messages = [*instance.warnings, *(check or "").splitlines()]
    if not instance.started:
        messages += instance.output.splitlines()
    return {
        "build": endpoint.target.name,
        "scenario": instance.scenario,
        "config": instance.config.digest,
        "main.cf": instance.config.main_cf,
        "master.cf": instance.config.master_cf,
        "files": {path: kind.value for path, kind in instance.config.files.items()},
        "base": list(instance.config.base),
        "added": list(instance.config.added),
        "notes": list(instance.config.notes),
        "replaced": [change.to_dict() for change in instance.config.replaced],
        "services": [
            {**listener.to_dict(), **effective_parameters(listener.settings, defaults)}
            for listener in instance.config.listeners
        ],
        "postconf_n": instance.postconf_n,
        "check": "\n".join(dict.fromkeys(messages)),
        "checked": check is not None,
        "startup": endpoint.startup(),
        "started": instance.started,
    }
