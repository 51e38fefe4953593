"""Which cells of an earlier run are taken over, and why the others are measured.

A cell is taken over where all that it depends on is equal: the images of its build, its client, the
helpers and the controls; the candidate; the code that measures and decides; the time limit; the
name server. The code's digest, the images and the candidate together decide the configuration that
is applied, the message and the login. What ended in a time-out, in an error of the harness, or in
two unequal results is never taken over, nor is a cell whose controls did.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache

from harness.catalog.cells import CONTROL_PREFIX, Cell, is_control
from harness.catalog.clients import all_controls
from harness.clients.controls import controls_for, forbidding_controls
from harness.observations.record import MeasuredWith, Observation, Outcome, TakenOver
from harness.observations.run_folder import RunData
from harness.tls import Offer, Service

#: The name servers that Postfix can ask in a run, by the names in ``MeasuredWith.names``.
NO_NAMES, OWN_NAMES, PEER_NAMES = "none", "dns", "peers"
#: The images that Postfix needs beside its own, by their names in run.json.
_SASL, _DNS, _PEER, _HAPROXY = "sasl", "dns", "peer", "haproxy"
#: Why a cell is measured, of what an earlier run can have of it.
NOT_THERE = "that run has no such cell"
TIMED_OUT = "it timed out"
FAILED = "it failed with an error of the harness"
FLAKY = "it has two unequal results"
NO_EVIDENCE = "its evidence is not there"
NOT_RECORDED = "that run does not record with which code it measured"
OTHER_CODE = "the code that measures has changed"
OTHER_LIMIT = "the time limit is another one"
OTHER_NAMES = "Postfix asked another name server"
OTHER_CONFIG = "the scenario has changed"
CONTROL_MEASURED = "a control's cell that it rests on is measured anew"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """With what cells are measured, or were.

    ``images`` are ids by the names that run.json has; ``configs`` the digests of the candidates by
    scenario; ``proxied`` the scenarios before which HAProxy stands.
    """

    setup: MeasuredWith | None
    images: Mapping[str, str]
    configs: Mapping[str, str]
    proxied: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CellInputs:
    """All that a cell's result depends on, beside its id.

    ``config`` is the candidate's digest; "" for a control's cell, whose configuration is the
    code's. ``images`` are the ids of the images that take part, by name; None: unknown.
    ``controls`` are those of the controls that could show something of the client, where known.
    """

    cell: str
    config: str
    setup: MeasuredWith
    images: Mapping[str, str | None]
    controls: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The input key: a digest of all but the controls; equal inputs have equal keys."""
        parts = [self.cell, self.config, asdict(self.setup), sorted(self.images.items())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ReuseDecision:
    """What of an earlier run is taken over, and why the rest of the plan is measured.

    ``taken`` and ``controls`` are observations by cell, marked with the run that measured them;
    ``reasons`` says why each other cell of the plan is measured.
    """

    taken: Mapping[str, Observation]
    controls: Mapping[str, Observation]
    reasons: Mapping[str, str]

    def count_reasons(self) -> dict[str, int]:
        """How many cells are measured for each reason, the most frequent first."""
        return dict(Counter(self.reasons.values()).most_common())


def decide_reuse(
    source: RunData, cells: Iterable[Cell], now: Surroundings, unusable: Mapping[str, str]
) -> ReuseDecision:
    """Compare a plan's cells with those of an earlier run.

    ``unusable`` are its cells that cannot be taken over whatever their inputs, with the reason.
    """
    wanted = list(cells)
    known = {observation.cell: observation for observation in source.observations}
    before = recorded_surroundings(source, now.proxied)
    lasting = lasting_reasons(source.observations, unusable)
    pairs = {(cell.client, str(cell.offer)) for cell in wanted}
    builds = {cell.build for cell in wanted}
    controls = {
        name: mark_taken(known[name], source)
        for name in known
        if _shows_any(known[name], pairs, builds)
        and not _why_measured(Cell.parse(name), known, lasting, before, now)
    }
    taken, reasons = {}, {}
    for cell in wanted:
        reason = _why_measured(cell, known, lasting, before, now)
        control = None if reason else known[cell.id].control
        if control is not None and control not in controls:
            reason = CONTROL_MEASURED
        if reason:
            reasons[cell.id] = reason
        else:
            taken[cell.id] = mark_taken(known[cell.id], source)
    return ReuseDecision(taken, controls, reasons)


def recorded_surroundings(source: RunData, proxied: frozenset[str] = frozenset()) -> Surroundings:
    """With what a run measured; it does not record the scenarios before which HAProxy stood."""
    return Surroundings(
        setup=source.run.measured_with,
        images={name: image.id for name, image in source.run.images.items()},
        configs={cell.scenario: cell.config for cell in source.observations},
        proxied=proxied,
    )


def lasting_reasons(
    observations: Iterable[Observation], unusable: Mapping[str, str]
) -> dict[str, str]:
    """Why cells are never taken over, whatever their inputs are; by cell, for those that are not.

    A cell rests on the controls' cells of the same client and offer, and on those of the permissive
    copies of its build.
    """
    every = list(observations)
    reasons = {cell.cell: why for cell in every if (why := _lasting_reason(cell, unusable))}
    blocked = {
        (o.build, o.client, o.offer) for o in every if is_control(o.build) & (o.cell in reasons)
    }
    servers = {control.name for control in all_controls()}
    for cell in every:
        resting_on = (*servers, f"{CONTROL_PREFIX}{cell.build}")
        if cell.cell not in reasons and any(
            (name, cell.client, cell.offer) in blocked for name in resting_on
        ):
            reasons[cell.cell] = CONTROL_MEASURED
    return reasons


def inputs_of(cell: Cell, surroundings: Surroundings) -> CellInputs | None:
    """What a cell depends on in these surroundings; None where their setup is unknown."""
    setup = surroundings.setup
    if setup is None:
        return None
    if _is_control_server(cell.build):
        # Its Postfix asks no name server.
        setup = replace(setup, names=NO_NAMES)
    images = surroundings.images
    is_proxied = cell.scenario in surroundings.proxied
    return CellInputs(
        cell=cell.id,
        config="" if cell.is_control else surroundings.configs.get(cell.scenario, ""),
        setup=setup,
        images={name: images.get(name) for name in image_names(cell, setup, proxied=is_proxied)},
        controls={name: images[name] for name in control_names(cell) if name in images},
    )


def explain_difference(before: CellInputs | None, now: CellInputs) -> str:
    """The first input of a cell that is not what it was, as a reason; "" where all are equal."""
    if before is None:
        return NOT_RECORDED
    if before.config != now.config:
        return OTHER_CONFIG
    for name, image in now.images.items():
        if image is None:
            return f"the image of {name} is not on this machine"
        if before.images.get(name) != image:
            return f"the image of {name} is another one"
    for name, image in before.controls.items():
        if now.controls.get(name) != image:
            return f"the image of {name} is another one"
    if before.setup.version != now.setup.version:
        return OTHER_CODE
    if before.setup.time_limit != now.setup.time_limit:
        return OTHER_LIMIT
    return "" if before.setup.names == now.setup.names else OTHER_NAMES


def image_names(cell: Cell, setup: MeasuredWith, *, proxied: bool = False) -> tuple[str, ...]:
    """The images that take part in a cell, by their names in run.json; controls aside."""
    is_outbound = cell.service is Service.OUTBOUND
    # A permissive copy runs in a container of its build.
    build = cell.build
    if cell.is_control and not _is_control_server(build):
        build = build.removeprefix(CONTROL_PREFIX)
    return (
        build,
        *(() if is_outbound else (cell.client,)),
        _SASL,
        *((_DNS,) if setup.names != NO_NAMES else ()),
        *((_PEER,) if setup.names == PEER_NAMES else ()),
        *((_HAPROXY,) if proxied else ()),
    )


def control_names(cell: Cell) -> tuple[str, ...]:
    """The controls that could show something of the cell's client and offer."""
    if cell.is_control or cell.service is Service.OUTBOUND or cell.offer.plaintext:
        return ()
    return _control_names_of(cell.offer)


def mark_taken(observation: Observation, source: RunData) -> Observation:
    """The observation, marked with the run that measured it: not the last one that took it over."""
    origin = observation.taken_over or TakenOver(source.run.id, source.run.started)
    return replace(observation, taken_over=origin)


def _why_measured(
    cell: Cell,
    known: Mapping[str, Observation],
    lasting: Mapping[str, str],
    before: Surroundings,
    now: Surroundings,
) -> str:
    if cell.id not in known:
        return NOT_THERE
    current = inputs_of(cell, now)
    assert current is not None, "what is measured now has a setup"
    return lasting.get(cell.id) or explain_difference(inputs_of(cell, before), current)


def _lasting_reason(observation: Observation, unusable: Mapping[str, str]) -> str:
    match observation.outcome:
        case Outcome.TIMEOUT:
            return TIMED_OUT
        case Outcome.ERROR:
            return FAILED
    return unusable.get(observation.cell, "")


def _shows_any(observation: Observation, pairs: set[tuple[str, str]], builds: set[str]) -> bool:
    """Whether a control's cell shows something of a client and offer of the plan."""
    if not is_control(observation.build) or (observation.client, observation.offer) not in pairs:
        return False
    name = observation.build
    return _is_control_server(name) or name.removeprefix(CONTROL_PREFIX) in builds


def _is_control_server(build: str) -> bool:
    return is_control(build) and any(control.name == build for control in all_controls())


@cache
def _control_names_of(offer: Offer) -> tuple[str, ...]:
    controls = (*controls_for(offer, all_controls()), *forbidding_controls(all_controls()))
    return tuple(control.name for control in controls)
