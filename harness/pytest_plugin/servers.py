"""What the fixture ``postfix`` gives: a running server, its services, its build."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.catalog.cells import Cell
from harness.catalog.plan import Plan
from harness.catalog.selectors import split_globs
from harness.errors import UsageError
from harness.observations.record import Observation
from harness.pytest_plugin.behaviour_check import check_same_behaviour
from harness.pytest_plugin.cell_result import CellResult
from harness.pytest_plugin.engine_requests import (
    BuildFacts,
    CellAnswer,
    CipherAnswer,
    EngineConnection,
    HoldServer,
    ListCiphers,
    MeasureCells,
    ReleaseServer,
    ServerRecord,
)
from harness.pytest_plugin.measured_run import (
    claim_delivery,
    claim_policies,
    make_run_data,
    plan_candidate,
)
from harness.pytest_plugin.not_measured import NotMeasured
from harness.pytest_plugin.own_additions import NO_OWN, OwnAdditions
from harness.pytest_plugin.policy_check import check_claims
from harness.pytest_plugin.protocol_facts import accepted_protocols, protocol_cells
from harness.scenarios.candidate import make_test_id, read_candidate
from harness.scenarios.permissive_copy import BuildLibrary, KeptPart, make_permissive_copy
from harness.scenarios.scenario import Scenario
from harness.tls import Offer, Service, read_service

if TYPE_CHECKING:
    from harness.pytest_plugin.async_servers import AsyncServer
    from harness.tools.result import ToolResult


class TestedServer:
    """A Postfix that runs with a candidate on one build.

    Facts (``server.smtp.protocols``) are plain values for ``assert``; checks (``must_…``) raise
    AssertionError with the whole story. Both raise NotMeasured where nothing is known. They may be
    called from any thread; ``server.aio`` has the same to be awaited.
    """

    #: pytest takes no class of this name for tests.
    __test__ = False

    def __init__(
        self,
        connection: EngineConnection,
        record: ServerRecord,
        scenario: Scenario,
        own: OwnAdditions = NO_OWN,
        tool: ToolResult | None = None,
    ) -> None:
        """Use the fixture ``postfix``, or ``postfix_tool``."""
        self.scenario = scenario
        self.own = own
        #: What the hardening tool did whose configuration it is; None: it is of no tool.
        self.tool = tool
        self._connection = connection
        self._record = record
        self._lock = threading.Lock()
        self._answers: dict[str, CellAnswer] = {}

    def __repr__(self) -> str:
        facts = self._record.facts
        return f"<Postfix {facts.postfix} on {facts.build} with {self.scenario.id}>"

    @cached_property
    def build(self) -> TestedBuild:
        """What it runs on."""
        return TestedBuild(self._connection, self._record.facts)

    @property
    def smtp(self) -> TestedService:
        """Port 25."""
        return self.service("smtp")

    @property
    def submission(self) -> TestedService:
        """Port 587."""
        return self.service("submission")

    @property
    def submissions(self) -> TestedService:
        """Port 465, where TLS comes first."""
        return self.service("submissions")

    @property
    def services(self) -> tuple[str, ...]:
        """The services that take mail, by name, or by port where they have no name."""
        return self._record.services

    @property
    def started(self) -> bool:
        """Whether Postfix accepts its configuration so far that master(8) runs."""
        return self._record.started

    @property
    def startup_log(self) -> tuple[str, ...]:
        """What master(8) has logged, and printed where it did not start."""
        return self._record.startup_log

    @property
    def run_folder(self) -> Path:
        """The folder with the evidence of every cell."""
        return self._record.folder

    @property
    def facts(self) -> BuildFacts:
        """The build's versions, and what run.json records of its image."""
        return self._record.facts

    @property
    def aio(self) -> AsyncServer:
        """The same server for ``async`` tests: each fact and check is awaited."""
        from harness.pytest_plugin.async_servers import AsyncServer

        return AsyncServer(self)

    def service(self, name: str) -> TestedService:
        """A service by its name, or by its port, such as ``2525``.

        Raises:
            UsageError: there is no such service.
        """
        try:
            service = read_service(name)
        except ValueError:
            raise UsageError(
                f"there is no service {name!r}",
                next_step="name smtp, submission or submissions, or a port such as 2525",
            ) from None
        return TestedService(self, service)

    def must_meet(self, *policies: str, clients: str = "", services: str = "") -> None:
        """The candidate meets policies ('postfix-matrix list policies').

        They are the tool's, and those of a policies.toml beside the test, in pytest's rootdir, or
        at the key ``postfix_policies``. ``clients`` and ``services`` are globs with commas between;
        "" for those that ``postfix-matrix verify`` measures.

        Raises:
            AssertionError: it does not; the text has each cell that shows it, with its log line.
            NotMeasured: nothing contradicts them, and something that they require is unknown.
            UsageError: there is no such policy.
        """
        claimed = claim_policies(self.scenario, policies, self.own.policies)
        self._check_candidate(claimed, clients, services)

    def must_deliver_from(self, clients: str, *, services: str = "") -> None:
        """Clients, by globs such as ``php*,nodemailer-*``, get their mail through.

        They run as their users run them, on each service of the candidate.

        Raises:
            AssertionError: mail of one does not get through.
            NotMeasured: that is not known of one.
            UsageError: a glob matches no client.
        """
        self._check_candidate(
            claim_delivery(self.scenario, split_globs([clients])), clients, services
        )

    def must_behave_like(self, other: TestedServer, *, clients: str = "") -> None:
        """Clients experience the same as with another server: outcome, reason, TLS version.

        Raises:
            AssertionError: some cell differs.
            NotMeasured: none does, and some could not be measured.
        """
        names = [name for name in self.services if name in other.services]
        if set(names) != set(self.services) | set(other.services):
            raise AssertionError(
                f"the services differ: {', '.join(self.services)} here, "
                f"{', '.join(other.services)} with {other!r}"
            )
        plan = self.plan(services=names, clients=split_globs([clients]))
        answers = self.measure(plan.cells())
        theirs = other.measure(
            Cell(other.facts.build, other.scenario.id, cell.service, cell.client, cell.offer)
            for cell in plan.cells()
        )
        data = make_run_data(self.run_folder, plan, self.scenario, self.facts, answers)
        check_same_behaviour(data, _by_place(answers), _by_place(theirs), repr(other))

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The cells that this test measured so far on this server."""
        with self._lock:
            answers = tuple(self._answers.values())
        return tuple(answer.observation for answer in answers if answer.observation is not None)

    def plan(
        self,
        *,
        services: Sequence[str] = (),
        clients: Sequence[str] = (),
        offers: Sequence[str] = (),
    ) -> Plan:
        """The cells that ``postfix-matrix run`` would measure with such globs."""
        return plan_candidate(
            self.scenario,
            self.facts.build,
            services=services,
            clients=clients,
            offers=offers,
            own_clients=self.own.clients,
        )

    @contextmanager
    def start_another(self, scenario: Scenario) -> Iterator[TestedServer]:
        """A server with another candidate on the same build, stopped at the end."""
        record = self._connection.ask(HoldServer(self.facts.build, scenario))
        other = TestedServer(self._connection, record, scenario, self.own)
        try:
            yield other
        finally:
            other.release()

    def measure(self, cells: Iterable[Cell]) -> tuple[CellAnswer, ...]:
        """Measure cells side by side, each once for the session."""
        request = MeasureCells(self._record.number, tuple(cells))
        answers: tuple[CellAnswer, ...] = self._connection.ask(request)
        with self._lock:
            self._answers |= {answer.cell: answer for answer in answers}
        return answers

    def list_ciphers(self, service: Service) -> CipherAnswer:
        """The cipher suites that a service accepts."""
        answer: CipherAnswer = self._connection.ask(ListCiphers(self._record.number, service))
        return answer

    def release(self) -> None:
        """Stop it, unless another test has the same one."""
        self._connection.ask(ReleaseServer(self._record.number))

    def _check_candidate(self, candidate: Scenario, clients: str, services: str) -> None:
        """Measure what a candidate claims, and judge it."""
        build = self.facts.build
        plan = plan_candidate(
            candidate,
            build,
            services=split_globs([services]),
            clients=split_globs([clients]),
            own_clients=self.own.clients,
        )
        answers = self.measure(plan.cells())
        data = make_run_data(self.run_folder, plan, candidate, self.facts, answers)
        check_claims(data, build, candidate.id)


class TestedService:
    """One service of a server."""

    __test__ = False

    def __init__(self, server: TestedServer, service: Service) -> None:
        """Use ``server.smtp`` and its siblings."""
        self.name = str(service)
        self._server = server
        self._service = service

    def __repr__(self) -> str:
        return f"<{self.name} of {self._server!r}>"

    @property
    def protocols(self) -> set[str]:
        """The TLS versions that it accepts, such as ``{"TLSv1.2", "TLSv1.3"}``.

        Raises:
            NotMeasured: that is not known of every version.
            AssertionError: Postfix does not serve it with this configuration.
        """
        server = self._server
        self._check_existence()
        answers = server.measure(
            protocol_cells(server.facts.build, server.scenario.id, self._service)
        )
        _check_served(self, [answer.observation for answer in answers])
        return accepted_protocols(answers)

    @property
    def ciphers(self) -> set[str]:
        """The cipher suites that it accepts, by OpenSSL's names, in whatever version.

        Raises:
            NotMeasured: some could not be measured.
        """
        self._check_existence()
        answer = self._server.list_ciphers(self._service)
        if answer.not_measured:
            what, why = next(iter(answer.not_measured.items()))
            raise NotMeasured(f"not every cipher suite was measured: {what}: {why}")
        return set(answer.ciphers)

    def result(self, client: str) -> CellResult:
        """What happens to a client, run as its users run it."""
        return self.cell(client, "default")

    def cell(self, client: str, offer: str) -> CellResult:
        """What happens to a client that makes an offer, such as ``TLSv1`` or ``plaintext``.

        Raises:
            NotMeasured: it could not be measured, since the client is unavailable, for example.
            UsageError: the configuration has no such service, or there is no such offer.
        """
        self._check_existence()
        server = self._server
        cell = Cell(
            server.facts.build, server.scenario.id, self._service, client, Offer.parse(offer)
        )
        (answer,) = server.measure([cell])
        return CellResult.of(answer, server.run_folder)

    def _check_existence(self) -> None:
        services = self._server.services
        if self.name not in services:
            raise UsageError(
                f"the configuration has no service {self.name}",
                next_step=f"name one that it has: {', '.join(services) or 'it has none'}",
            )


class TestedBuild:
    """The build that a server runs on."""

    __test__ = False

    def __init__(self, connection: EngineConnection, facts: BuildFacts) -> None:
        """Use ``server.build``."""
        self.name = facts.build
        self.postfix = facts.postfix
        self.openssl = facts.openssl
        self._connection = connection
        self._facts = facts

    def __repr__(self) -> str:
        return f"<{self.name}: Postfix {self.postfix}, OpenSSL {self.openssl}>"

    def __str__(self) -> str:
        return self.name

    @cached_property
    def protocols(self) -> set[str]:
        """The TLS versions that it can accept at all: those of its permissive copy.

        Raises:
            NotMeasured: that is not known of every version.
        """
        library = BuildLibrary(self.postfix, self._facts.library)
        lines = read_candidate({Path("main.cf"): "smtpd_tls_security_level = may\n"}, None)
        copy = make_permissive_copy(lines, KeptPart.NOTHING, {}, (), library)
        # It is another one for another library.
        scenario = replace(copy, id=make_test_id("permissive", copy.digest))
        record = self._connection.ask(HoldServer(self.name, scenario))
        server = TestedServer(self._connection, record, scenario)
        try:
            return server.smtp.protocols
        finally:
            server.release()


def _by_place(answers: Sequence[CellAnswer]) -> dict[str, CellAnswer]:
    """Answers by service, client and offer."""
    return {answer.cell.split("/", 2)[2]: answer for answer in answers}


def _check_served(service: TestedService, observations: Sequence[Observation | None]) -> None:
    from harness.verdicts.policy_answers import is_rejected

    if is_rejected(each for each in observations if each is not None):
        raise AssertionError(f"{service!r}: Postfix rejects the configuration")
