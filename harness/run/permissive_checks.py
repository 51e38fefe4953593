"""What stood in a cell's way: the same build, with restrictions lifted, is asked the same again.

Which copies there are is decided in ``scenarios.permissive_copy``, what they show in
``observations.obstacles``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from harness.catalog.cells import CONTROL_PREFIX, Cell
from harness.clients.controls import permissive_copy_cell
from harness.errors import FaultError, HarnessError, InfrastructureError
from harness.observations.journal import Journal
from harness.observations.obstacles import Grounds, all_excluded, find_obstacles, needs_grounds
from harness.observations.record import Observation, Outcome, Stage
from harness.postfix_config.protocol_lists import ProtocolList, excluded_protocols
from harness.run.container_pool import BuildContainer
from harness.run.control_checks import (
    UNPROVED,
    FindKnown,
    MeasureCell,
    RecordCell,
    is_granted,
)
from harness.run.endpoints import PostfixEndpoint, instance_evidence
from harness.run.engine import Engine
from harness.run.instances import HeldInstance
from harness.run.measure import Measured
from harness.run.run_resources import RunResources
from harness.run.shared_tasks import SharedTasks
from harness.scenarios.permissive_copy import BuildLibrary, KeptPart, make_permissive_copy
from harness.scenarios.scenario import Scenario
from harness.tls import Protocol


@dataclass(frozen=True, slots=True)
class _Case:
    """A cell that is to be explained, its instance, its candidate, its service's settings."""

    cell: Cell
    held: HeldInstance
    candidate: Scenario
    settings: Mapping[str, str]


class PermissiveChecks:
    """The permissive copies of a run's builds; a copy is started when it is first needed.

    ``find_known`` finds cells that an earlier run measured.
    """

    def __init__(
        self,
        engine: Engine,
        resources: RunResources,
        journal: Journal,
        find_known: FindKnown,
        measure: MeasureCell,
        record: RecordCell,
    ) -> None:
        self._engine = engine
        self._resources = resources
        self._journal = journal
        self._find_known = find_known
        self._measure = measure
        self._record = record
        self._tasks = SharedTasks()
        self._copies: list[tuple[BuildContainer, PostfixEndpoint]] = []

    async def close(self) -> None:
        """Stop what is being measured, and the copies."""
        await self._tasks.cancel()
        for container, copy in self._copies:
            # One that does not end by itself ends with its container, and takes no result away.
            with suppress(InfrastructureError):
                await self._engine.instances.stop_permissive_copy(container, copy)
        self._copies.clear()

    async def explain(
        self, measured: Measured, cell: Cell, held: HeldInstance, candidate: Scenario
    ) -> Measured:
        """What was measured, with what stood in the cell's way."""
        if not needs_grounds(measured.decision):
            return measured.explained(find_obstacles(measured.decision, cell.offer, Grounds()))
        endpoint = held.endpoint
        protocols = endpoint.protocol_list(cell.service)
        left_out = _left_out(protocols, endpoint)
        case = _Case(cell, held, candidate, endpoint.settings(cell.service))
        grounds, outcomes = await self._find_grounds(case, Grounds(excluded=left_out))
        evidence: dict[str, object] = {
            "controls": outcomes,
            "list": str(protocols) if protocols else None,
            "excluded": None if left_out is None else sorted(left_out),
        }
        if grounds.with_files is False:
            evidence["files"] = sorted(candidate.system_files)
        return measured.explained(find_obstacles(measured.decision, cell.offer, grounds), evidence)

    async def _find_grounds(self, case: _Case, grounds: Grounds) -> tuple[Grounds, dict[str, str]]:
        """What the copies show, asked as far as they can tell; and their outcomes by cell."""
        outcomes: dict[str, str] = {}

        async def grants(kept: KeptPart) -> bool | None:
            try:
                observation = await self._observe_copy(case, kept)
            except FaultError:
                raise
            except HarnessError:
                # The refusal stands without it; whose decision it was is unknown then.
                return None
            if observation is not None:
                outcomes[observation.cell] = str(observation.outcome)
            return _is_granted(observation)

        grounds = replace(grounds, opened=await grants(KeptPart.NOTHING))
        if not grounds.opened:
            return grounds, outcomes
        if case.candidate.system_files:
            grounds = replace(grounds, with_files=await grants(KeptPart.FILES))
            if grounds.with_files is False:
                # With these files there nothing else of the candidate's can be told apart.
                return grounds, outcomes
        settings = "".join(case.settings.values())
        if _library_of(case.held.endpoint).has_levels and "@SECLEVEL" not in settings:
            grounds = replace(grounds, with_level=await grants(KeptPart.LEVEL))
        if grounds.with_level is not False and not all_excluded(case.cell.offer, grounds.excluded):
            grounds = replace(grounds, with_keys=await grants(KeptPart.KEYS))
        return grounds, outcomes

    async def _observe_copy(self, case: _Case, kept: KeptPart) -> Observation | None:
        """The cell of a permissive copy, measured once by a client with an offer."""
        copy = make_permissive_copy(
            case.candidate,
            kept,
            case.settings,
            case.cell.offer.groups,
            _library_of(case.held.endpoint),
        )
        cell = permissive_copy_cell(case.cell.build, copy.id, case.cell.client, case.cell.offer)
        if (known := self._find_known(cell)) is not None:
            return known
        try:
            observation: Observation | None = await self._tasks.result(
                cell.id, lambda: self._measure_copy(case, kept, cell, copy)
            )
        except FaultError:
            self._tasks.forget(cell.id)
            raise
        return observation

    async def _measure_copy(
        self, case: _Case, kept: KeptPart, cell: Cell, copy: Scenario
    ) -> Observation | None:
        container = case.held.container
        if kept.beside(case.candidate):
            self._engine.containers.hold_again(container)
        else:
            container = await self._resources.plain_container(case.cell.build, case.candidate)
        key = (container.target.host, copy.id)
        try:
            endpoint = await self._tasks.result(key, lambda: self._start_copy(container, copy))
            measured = await self._measure(cell, endpoint, UNPROVED)
        except FaultError:
            self._tasks.forget(key)
            raise
        finally:
            self._engine.containers.give_back(container)
        return None if measured is None else self._record(measured)

    async def _start_copy(self, container: BuildContainer, copy: Scenario) -> PostfixEndpoint:
        """Start a permissive copy in a container of its build."""
        endpoint = await self._engine.instances.start_permissive_copy(container, copy)
        self._copies.append((container, endpoint))
        name = f"{CONTROL_PREFIX}{endpoint.target.name}"
        self._journal.write_instance(name, copy.id, instance_evidence(endpoint))
        return endpoint


def _left_out(
    protocols: ProtocolList | None, endpoint: PostfixEndpoint
) -> frozenset[Protocol] | None:
    library = _library_of(endpoint)
    if protocols is None:
        return None
    return excluded_protocols(protocols.value, library.mail_version, ssl2=not library.has_levels)


def _library_of(endpoint: PostfixEndpoint) -> BuildLibrary:
    facts = endpoint.target.facts
    return BuildLibrary(facts.mail_version, facts.openssl)


def _is_granted(observation: Observation | None) -> bool | None:
    """What a copy shows: yes, or no in the handshake; anything else shows nothing."""
    if observation is None:
        return None
    if observation.outcome in (Outcome.ACCEPTED, Outcome.HUNG_UP) or is_granted(observation):
        return True
    refused = observation.outcome in (Outcome.REFUSED, Outcome.WOULD_BE_REFUSED)
    return False if refused and observation.stage is Stage.HANDSHAKE else None
