"""Which line of a candidate does what: the cells that change without it, and by it alone. Pure.

Read from a run that measured the candidate, its control configuration, and variants of the
candidate (config.variants). Of variants with the same effective settings one was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations

from harness.errors import UsageError
from harness.observations.record import Observation, Outcome
from harness.observations.run_folder import (
    RunData,
    ScenarioInfo,
)
from harness.postfix_config.master_cf_overlay import Overlay
from harness.scenarios.bearing import left_out
from harness.scenarios.claims import Claims
from harness.scenarios.scenario import Scenario
from harness.scenarios.variants import (
    Line,
    LineKind,
    likeness,
    lines_of,
    variant,
)
from harness.tls import Offer, Service
from harness.verdicts.observation_diff import changes

#: More pairs than this are not tried: with so many lines a pair says little.
MOST_PAIRS = 40
#: A place of a build: service, client, offer.
Spot = tuple[str, str, str]
#: Ends the id of a configuration that is measured once more, to see whether a change repeats.
AGAIN = "--again"


class LinePart(StrEnum):
    """What a line does in the candidate."""

    ACTS = "acts"
    COVERED = "covered"
    NONE = "no effect"
    UNMEASURED = "unmeasured"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Change:
    """One cell that a line changes: what is there with the line, and without it."""

    build: str
    spot: Spot
    names: tuple[str, ...]
    with_it: Observation
    without_it: Observation


@dataclass(frozen=True, slots=True)
class Compared:
    """Two configurations, cell by cell.

    ``gaps`` are the cells that say nothing, ``unsteady`` those that changed, and did not when they
    were measured once more.
    """

    changes: tuple[Change, ...] = ()
    same: int = 0
    gaps: int = 0
    unsteady: int = 0

    @property
    def places(self) -> frozenset[tuple[str, Spot]]:
        """Where they differ."""
        return frozenset((one.build, one.spot) for one in self.changes)


@dataclass(frozen=True, slots=True)
class LineEffect:
    """A line: what changes when it is taken out of the candidate, and when it is there alone.

    ``partners`` are the lines that it acts together with, or that cover it. ``without`` is the
    configuration that was measured without it. ``left_out`` says why it was not looked at, where it
    was not. ``alone`` is None where the comparison makes no sense: of a whole configuration.
    """

    line: Line
    removed: Compared
    alone: Compared | None
    partners: tuple[int, ...] = ()
    without: str | None = None
    left_out: str = ""

    @property
    def part(self) -> LinePart:
        """What it does: acts where taking it out changes a cell, is covered where it acts alone."""
        if self.left_out:
            return LinePart.LEFT_OUT
        if self.removed.changes:
            return LinePart.ACTS
        if self.removed.gaps or self.removed.unsteady or not self.removed.same:
            return LinePart.UNMEASURED
        if self.alone is None:
            return LinePart.NONE
        if self.alone.changes:
            return LinePart.COVERED
        return LinePart.NONE if not self.alone.gaps else LinePart.UNMEASURED

    @property
    def together(self) -> bool:
        """Whether it acts, and does nothing alone: it needs another line."""
        acts = self.part is LinePart.ACTS
        alone = self.alone
        return acts and alone is not None and not alone.changes and not alone.gaps


@dataclass(frozen=True, slots=True)
class Explanation:
    """A candidate's lines, in its order; ``whole`` is the candidate beside the control.

    Both ``against`` and ``whole`` are None for a whole configuration, which no control is beside.
    """

    scenario: str
    against: str | None
    whole: Compared | None
    lines: tuple[LineEffect, ...]


def scenario_of(name: str, info: ScenarioInfo) -> Scenario:
    """A run's record of a scenario as a scenario."""
    return Scenario(
        id=name,
        title=info.title,
        source=info.source or "",
        claim=info.claim,
        main_cf=info.main_cf,
        master_cf=info.master_cf,
        overlay=Overlay(info.overlay),
    )


def variants(
    scenario: Scenario, control: Scenario | None, numbers: Iterable[int] | None = None
) -> Iterator[Scenario]:
    """The candidate without each line, and the control with each alone.

    Args:
        scenario: the candidate.
        control: what it is held against; None for a whole configuration, of which no line makes
            sense alone.
        numbers: the lines to look at; None for all.
    """
    wanted = None if numbers is None else set(numbers)
    for line in lines_of(scenario):
        if wanted is not None and line.number not in wanted:
            continue
        yield variant(scenario, scenario, LineKind.WITHOUT, (line.number,))
        if control is not None:
            yield variant(scenario, control, LineKind.ONLY, (line.number,))


def repeats(found: Explanation, scenario: Scenario) -> list[Scenario]:
    """What to measure once more, so that no line is said to act by a chance of timing.

    The candidate, and the candidate without each line that seems to act, in the cells that change.
    """
    acting = [one for one in found.lines if one.removed.changes and one.without is not None]
    changed = [change.spot for one in acting for change in one.removed.changes]
    again = [_again(scenario, scenario.id, changed)] if acting else []
    for one in acting:
        spots = [change.spot for change in one.removed.changes]
        without = variant(scenario, scenario, LineKind.WITHOUT, (one.line.number,))
        again.append(_again(without, str(one.without), spots))
    return list({one.id: one for one in again}.values())


def _again(scenario: Scenario, measured: str, spots: Iterable[Spot]) -> Scenario:
    """A scenario by another name, about these spots (and those between them) alone."""
    spots = list(spots)
    claims = Claims(
        services=tuple(dict.fromkeys(Service(service) for service, _, _ in spots)),
        clients=tuple(dict.fromkeys(client for _, client, _ in spots)),
        offers=tuple(dict.fromkeys(Offer.parse(offer) for _, _, offer in spots)),
        against=scenario.claims.against,
    )
    return replace(scenario, id=f"{measured}{AGAIN}", claims=claims)


def distinct(wanted: Iterable[Scenario], known: Iterable[Scenario]) -> list[Scenario]:
    """Those whose effective settings are not among the known, each once."""
    seen = {likeness(one) for one in known}
    found = []
    for one in wanted:
        if (like := likeness(one)) not in seen:
            seen.add(like)
            found.append(one)
    return found


def explain(data: RunData, name: str) -> Explanation:
    """What each line of a scenario does, by the variants that a run has.

    Raises:
        UsageError: the run has no such scenario, or not what it is held against.
    """
    info = data.run.scenarios.get(name)
    if info is None:
        raise UsageError(
            f"{data.folder} has no scenario {name}",
            next_step="'postfix-matrix explain SCENARIO' measures what it takes",
        )
    control_info = data.run.scenarios.get(info.against) if info.against != name else None
    control = scenario_of(info.against, control_info) if control_info else None
    book = _Book(data, scenario_of(name, info), control)
    effects = [book.line(line) for line in lines_of(book.scenario)]
    if control is None:
        return Explanation(name, None, None, tuple(effects))
    whole = book.compared(name, info.against)
    return Explanation(
        name, info.against, whole, tuple(book.partnered(e, effects) for e in effects)
    )


def pairs(found: Explanation) -> list[tuple[LineKind, tuple[int, int]]]:
    """The pairs of lines to try next, where single lines do not tell who acts with whom."""
    covered = [e.line.number for e in found.lines if e.part is LinePart.COVERED]
    together = [e.line.number for e in found.lines if e.together]
    others = [e.line.number for e in found.lines]
    wanted: list[tuple[LineKind, tuple[int, int]]] = []
    wanted += [(LineKind.WITHOUT, pair) for pair in combinations(covered, 2)]
    for one in together:
        wanted += [(LineKind.ONLY, (min(one, o), max(one, o))) for o in others if o != one]
    return list(dict.fromkeys(wanted))[:MOST_PAIRS]


class _Book:
    """A run's observations by configuration."""

    def __init__(self, data: RunData, scenario: Scenario, control: Scenario | None) -> None:
        self.scenario, self.control = scenario, control
        self._cells: dict[str, dict[tuple[str, Spot], Observation]] = {}
        axes = data.run.axes
        for one in data.observations:
            place = (one.build, (one.service, one.client, one.offer))
            self._cells.setdefault(one.scenario, {})[place] = one
        ranks = [
            {name: rank for rank, name in enumerate(names)}
            for names in (axes.builds, axes.services, axes.clients, axes.offers)
        ]
        self._places = sorted(
            self._cells.get(scenario.id, {}),
            key=lambda place: [
                rank.get(name, len(rank))
                for rank, name in zip(ranks, (place[0], *place[1]), strict=True)
            ],
        )
        self._by_likeness = {
            likeness(scenario_of(name, info)): name
            for name, info in reversed(list(data.run.scenarios.items()))
            if name in self._cells and not name.endswith(AGAIN)
        }
        services = [Service(one) for one in data.run.axes.scope(scenario.id).services]
        self._left_out = left_out(scenario, services)

    def line(self, line: Line) -> LineEffect:
        """A line's effects, as far as they were measured; partners are not known yet."""
        without = self._measured(LineKind.WITHOUT, (line.number,))
        if without is None and line.number in self._left_out:
            why = self._left_out[line.number]
            return LineEffect(line, Compared(), None, left_out=why)
        removed = self.compared(self.scenario.id, without)
        alone = None
        if self.control is not None:
            only = self._measured(LineKind.ONLY, (line.number,))
            alone = self.compared(only, self.control.id)
        return LineEffect(line, removed, alone, without=without)

    def partnered(self, effect: LineEffect, every: list[LineEffect]) -> LineEffect:
        """The effect with the lines that cover it, or that it acts with."""
        number = effect.line.number
        found = []
        for other in every:
            pair = (min(number, other.line.number), max(number, other.line.number))
            if other is effect or other.alone is None or effect.alone is None:
                continue
            if effect.part is LinePart.COVERED and other.part is LinePart.COVERED:
                both = self.compared(self.scenario.id, self._measured(LineKind.WITHOUT, pair))
                if both.places & effect.alone.places:
                    found.append(other.line.number)
            elif effect.together and self.control is not None:
                both = self.compared(self._measured(LineKind.ONLY, pair), self.control.id)
                if both.places - other.alone.places:
                    found.append(other.line.number)
        return replace(effect, partners=tuple(found))

    def compared(self, one: str | None, other: str | None) -> Compared:
        """Two configurations beside each other; all gaps where one was not measured.

        Cells of which the candidate itself has no result are left out: they tell of no line.
        """
        mine: Mapping[tuple[str, Spot], Observation] = self._cells.get(one or "", {})
        theirs: Mapping[tuple[str, Spot], Observation] = self._cells.get(other or "", {})
        found, same, gaps, unsteady = [], 0, 0, 0
        for place in self._places:
            here, there = mine.get(place), theirs.get(place)
            if not self._settled(self._cells[self.scenario.id][place]):
                continue
            if here is None or there is None or not self._settled(here, there):
                gaps += 1
            elif not (names := changes(here, there)):
                same += 1
            elif self._repeats(place, here, there):
                found.append(Change(*place, names, here, there))
            else:
                unsteady += 1
        return Compared(tuple(found), same, gaps, unsteady)

    def _settled(self, *seen: Observation) -> bool:
        """Whether cells have a result of the server's that is no chance of timing.

        A client that cannot make an offer tells nothing of a server, whatever words it finds.
        Where Postfix serves some clients of a service and not others, those that it does not serve
        met a process that died just then.
        """
        return not any(
            one.outcome in (Outcome.ERROR, Outcome.TIMEOUT, Outcome.CLIENT_INCAPABLE)
            or (one.outcome is Outcome.CONFIG_REJECTED and self._serves(one))
            for one in seen
        )

    def _serves(self, rejected: Observation) -> bool:
        """Whether the service that rejected a cell did serve another client."""
        return any(
            one.outcome in (Outcome.ACCEPTED, Outcome.REFUSED, Outcome.PLAINTEXT)
            for (build, (service, _, _)), one in self._cells.get(rejected.scenario, {}).items()
            if (build, service) == (rejected.build, rejected.service)
        )

    def _repeats(self, place: tuple[str, Spot], here: Observation, there: Observation) -> bool:
        """Whether a change is there too when both were measured once more; True where not yet."""
        first = self._cells.get(f"{here.scenario}{AGAIN}", {}).get(place)
        second = self._cells.get(f"{there.scenario}{AGAIN}", {}).get(place)
        if first is None or second is None:
            return True
        return self._settled(first, second) and bool(changes(first, second))

    def _measured(self, kind: LineKind, numbers: tuple[int, ...]) -> str | None:
        """The measured configuration that a variant comes to; None where there is none."""
        wanted = variant(self.scenario, self.control or self.scenario, kind, numbers)
        return self._by_likeness.get(likeness(wanted))
