"""What the controls of a run prove of a client's offer, each measured once, when first asked for.

Part of the runner: which controls there are, and what their cells come to, is decided elsewhere
(``clients.controls``, ``scenarios.permissive_copy``, ``observations``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from harness.catalog.cells import CONTROL_PREFIX, Cell
from harness.catalog.clients import Control as ControlOf
from harness.catalog.clients import all_controls
from harness.clients.controls import (
    FORBIDDING,
    control_cell,
    controls_for,
    forbidding,
    own_cell,
)
from harness.errors import HarnessError
from harness.observations.decide import CANNOT_REFUSE, ControlEvidence
from harness.observations.journal import Journal
from harness.observations.obstacles import Grounds, all_excluded, needs_grounds, obstacles
from harness.observations.reasons import CLIENTS_OWN_WORDS
from harness.observations.record import Observation, Outcome, Stage
from harness.postfix_config.protocol_lists import (
    ProtocolList,
    excluded,
)
from harness.run.endpoints import (
    PostfixEndpoint,
    instance_evidence,
)
from harness.run.measure import (
    Dialogue,
    Endpoint,
    Measured,
)
from harness.run.resources import Resources
from harness.scenarios.permissive_copy import (
    Kept,
    Library,
    opened,
)
from harness.scenarios.scenario import Scenario
from harness.targets.control import suites_lacking
from harness.targets.postfix import PostfixTarget
from harness.tls import Offer, Protocol, Service

T = TypeVar("T")
#: What may come of a client at the control that forbids; one that is told to hang up may do so.
_NO_TLS = frozenset({Outcome.REFUSED, Outcome.PLAINTEXT, Outcome.HUNG_UP})


class ControlChecks:
    """The controls of a run. ``measure`` has a cell's dialogue, ``record`` keeps what came of it.

    ``prior`` are the observations of a run that is resumed, by cell.
    """

    def __init__(
        self,
        ready: Resources,
        scenarios: Mapping[str, Scenario],
        journal: Journal,
        prior: Mapping[str, Observation],
        measure: Callable[[Cell, Endpoint, ControlEvidence], Awaitable[Measured | None]],
        record: Callable[[Measured], None],
    ) -> None:
        self._ready = ready
        self._scenarios = scenarios
        self._journal = journal
        self._prior = prior
        self._measure = measure
        self._record = record
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}

    def cancel(self) -> None:
        """Stop what is being measured."""
        for task in self._tasks.values():
            task.cancel()

    async def control(self, cell: Cell, dialogue: Dialogue) -> ControlEvidence:
        """What the controls show of the cell's client and offer, spoken to as the service is."""
        if cell.offer.plaintext:
            # There is nothing of TLS to be shown.
            return ControlEvidence(None, works=None, why="no control is asked to do without TLS")
        key = (cell.client, dialogue.service, cell.offer)
        return await self._once(key, lambda: self._try_controls(*key))

    async def explained(self, measured: Measured, cell: Cell, bench: PostfixEndpoint) -> Measured:
        """What was measured, with what stood in the cell's way."""
        if not needs_grounds(measured.decision):
            return measured.explained(obstacles(measured.decision, cell.offer, Grounds()))
        its_list = bench.protocol_list(cell.service)
        out = _left_out(its_list, bench)
        grounds, seen = await self._grounds(cell, bench, Grounds(excluded=out))
        evidence: dict[str, object] = {
            "controls": seen,
            "list": str(its_list) if its_list else None,
            "excluded": None if out is None else sorted(out),
        }
        if grounds.with_files is False:
            evidence["files"] = sorted(self._scenarios[cell.scenario].system_files)
        return measured.explained(obstacles(measured.decision, cell.offer, grounds), evidence)

    async def _once(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(work())
        # Shielded: one cell's cancellation must not take the thing from all others.
        result: T = await asyncio.shield(self._tasks[key])
        return result

    async def _try_controls(self, client: str, service: Service, offer: Offer) -> ControlEvidence:
        """Ask one control after another until one accepts; all refusing proves inability.

        A client that is accepted must also be refused by the control that forbids. A control that
        lacks what is offered proves nothing: one that has it all must refuse.
        """
        tried: str | None = None
        why: list[str] = []
        short: list[str] = []
        for server in controls_for(offer, all_controls()):
            seen, lack = await self._asked(control_cell(server, service, client, offer))
            if seen is not None and seen.outcome in (Outcome.ACCEPTED, Outcome.HUNG_UP):
                proved = await self._can_be_refused(client, service, offer, seen.cell)
                return replace(proved, resumes=bool(seen.resumed))
            if seen is None or seen.outcome is not Outcome.CLIENT_INCAPABLE:
                why.append(lack)
            elif seen.reason in CLIENTS_OWN_WORDS:
                tried = seen.cell
            elif lacks := await self._lacking(server, service, offer):
                short.append(f"{server.name} has not {', '.join(lacks)}")
            else:
                tried = seen.cell
        if tried is not None and not why:
            return ControlEvidence(tried, works=False)
        said = "; ".join([*why, *short]) or "no control speaks this offer"
        return ControlEvidence(tried, works=None, why=said)

    async def _lacking(self, server: ControlOf, service: Service, offer: Offer) -> tuple[str, ...]:
        """The suites of an offer that a control lacks, by its own openssl."""
        bench = await self._ready.control(server.name)
        if bench is None:
            return ()
        target = bench.target
        return await self._once(
            ("lacking", server.name, service, offer),
            lambda: asyncio.to_thread(suites_lacking, target, offer, service),
        )

    async def _can_be_refused(
        self, client: str, service: Service, offer: Offer, accepted: str
    ) -> ControlEvidence:
        """Whether a client that a permissive control accepted tells of refusals as well.

        Left to itself it may do without TLS there; what it may not do is to report TLS.
        """
        for server in forbidding(all_controls()):
            cell = control_cell(server, service, client, offer)
            seen, lack = await self._asked(cell)
            if seen is not None and seen.outcome is Outcome.ACCEPTED:
                why = f"{cell.id}: it reports TLS with a server that refuses every handshake"
                return ControlEvidence(cell.id, works=None, why=why, lack=CANNOT_REFUSE)
            if seen is None or seen.outcome not in _NO_TLS:
                return ControlEvidence(cell.id, works=None, why=lack)
        return ControlEvidence(accepted, works=True)

    async def _asked(self, cell: Cell) -> tuple[Observation | None, str]:
        """A control's cell, measured once; and what to say where it settles nothing."""
        bench = await self._ready.control(cell.build)
        if bench is None:
            return None, f"{cell.build}: {self._ready.why_missing(cell.build)}"
        try:
            seen = self._prior.get(cell.id) or await self._ask_control(cell, bench)
        except HarnessError as error:
            return None, f"{cell.id}: {error.what}"
        return seen, f"{cell.id}: {seen.outcome if seen else 'the client is missing'}"

    async def _ask_control(self, cell: Cell, bench: Endpoint) -> Observation | None:
        """Measure a control's cell; a failure must happen twice before it counts as inability."""
        wanted = Outcome.REFUSED if cell.scenario == FORBIDDING else Outcome.ACCEPTED
        wanted = Outcome.HUNG_UP if cell.offer.extras.hangup else wanted
        measured = await self._measure(cell, bench, ControlEvidence(None, None))
        if measured is not None and measured.observation.outcome is not wanted:
            measured = await self._measure(cell, bench, ControlEvidence(None, None))
        if measured is None:
            return None
        self._record(measured)
        return measured.observation

    async def _grounds(
        self, cell: Cell, bench: PostfixEndpoint, grounds: Grounds
    ) -> tuple[Grounds, dict[str, str]]:
        """What the build's own controls show, asked as far as they can tell; and their outcomes."""
        settings, seen = bench.settings(cell.service), dict[str, str]()

        async def granted(kept: Kept) -> bool | None:
            try:
                one = await self._own(cell, bench, kept, settings)
            except HarnessError:
                # The refusal stands without it; whose decision it was is unknown then.
                return None
            if one is not None:
                seen[one.cell] = str(one.outcome)
            return _granted(one)

        grounds = replace(grounds, opened=await granted(Kept.NOTHING))
        if not grounds.opened:
            return grounds, seen
        if self._scenarios[cell.scenario].system_files:
            grounds = replace(grounds, with_files=await granted(Kept.FILES))
            if grounds.with_files is False:
                # With these files there nothing else of the candidate's can be told apart.
                return grounds, seen
        if _library(bench).has_levels and "@SECLEVEL" not in "".join(settings.values()):
            grounds = replace(grounds, with_level=await granted(Kept.LEVEL))
        if grounds.with_level is not False and not all_excluded(cell.offer, grounds.excluded):
            grounds = replace(grounds, with_keys=await granted(Kept.KEYS))
        return grounds, seen

    async def _own(
        self, cell: Cell, bench: PostfixEndpoint, kept: Kept, settings: Mapping[str, str]
    ) -> Observation | None:
        """One of the build's own controls, asked once by a client with an offer."""
        candidate = self._scenarios[cell.scenario]
        scenario = opened(candidate, kept, settings, cell.offer.groups, _library(bench))
        own = own_cell(cell.build, scenario.id, cell.client, cell.offer)
        if own.id in self._prior:
            return self._prior[own.id]

        async def ask() -> Observation | None:
            target = bench.target
            if not kept.beside(candidate):
                target = await self._ready.build(cell.build) or target
            at = await self._once((target.host, scenario.id), lambda: self._start(target, scenario))
            measured = await self._measure(own, at, ControlEvidence(None, None))
            if measured is None:
                return None
            self._record(measured)
            return measured.observation

        return await self._once(own.id, ask)

    async def _start(self, target: PostfixTarget, scenario: Scenario) -> PostfixEndpoint:
        """Start one of a build's own controls in a container of the build."""
        instance = await asyncio.to_thread(
            target.start_instance, scenario, await self._ready.sasl()
        )
        bench = PostfixEndpoint(target, instance)
        evidence = instance_evidence(bench, "")
        self._journal.write_instance(f"{CONTROL_PREFIX}{target.name}", scenario.id, evidence)
        return bench


def _left_out(its_list: ProtocolList | None, bench: PostfixEndpoint) -> frozenset[Protocol] | None:
    library = _library(bench)
    if its_list is None:
        return None
    return excluded(its_list.value, library.mail_version, ssl2=not library.has_levels)


def _library(bench: PostfixEndpoint) -> Library:
    facts = bench.target.facts
    return Library(facts.mail_version, facts.openssl)


def _granted(seen: Observation | None) -> bool | None:
    """What an own control says: yes, or no in the handshake; anything else tells nothing."""
    if seen is None:
        return None
    if seen.outcome in (Outcome.ACCEPTED, Outcome.HUNG_UP):
        return True
    return False if (seen.outcome, seen.stage) == (Outcome.REFUSED, Stage.HANDSHAKE) else None
