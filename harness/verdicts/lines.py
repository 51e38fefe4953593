"""Which line of a candidate does what: the cells that change without it, and by it alone. Pure.

Read from a run that measured the candidate, its control configuration, and variants of the
candidate (config.variants). Of variants with the same effective settings one was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from harness.config.overlay import Overlay
from harness.config.scenario import Scenario
from harness.config.variants import Kind, Line, likeness, lines_of, variant
from harness.errors import UsageError
from harness.observations.record import Observation, Outcome
from harness.observations.rundir import RunData, ScenarioInfo
from harness.verdicts.effects import changes

#: More pairs than this are not tried: with so many lines a pair says little.
MOST_PAIRS = 40
#: A place of a build: service, client, offer.
Spot = tuple[str, str, str]


class Part(StrEnum):
    """What a line does in the candidate."""

    ACTS = "acts"
    COVERED = "covered"
    NONE = "no effect"
    UNMEASURED = "unmeasured"


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
    """Two configurations, cell by cell; ``gaps`` are the cells that say nothing."""

    changes: tuple[Change, ...] = ()
    same: int = 0
    gaps: int = 0

    @property
    def places(self) -> frozenset[tuple[str, Spot]]:
        """Where they differ."""
        return frozenset((one.build, one.spot) for one in self.changes)


@dataclass(frozen=True, slots=True)
class LineEffect:
    """A line: what changes when it is taken out of the candidate, and when it is there alone.

    ``partners`` are the lines that it acts together with, or that cover it.
    """

    line: Line
    removed: Compared
    alone: Compared
    partners: tuple[int, ...] = ()

    @property
    def part(self) -> Part:
        """What it does: acts where taking it out changes a cell, is covered where it acts alone."""
        if self.removed.changes:
            return Part.ACTS
        if self.removed.gaps or not self.removed.same:
            return Part.UNMEASURED
        if self.alone.changes:
            return Part.COVERED
        return Part.NONE if not self.alone.gaps else Part.UNMEASURED

    @property
    def together(self) -> bool:
        """Whether it acts, and does nothing alone: it needs another line."""
        acts = self.part is Part.ACTS
        return acts and not self.alone.changes and not self.alone.gaps


@dataclass(frozen=True, slots=True)
class Explanation:
    """A candidate's lines, in its order; ``whole`` is the candidate beside the control."""

    scenario: str
    against: str
    whole: Compared
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


def variants(scenario: Scenario, control: Scenario) -> Iterator[Scenario]:
    """The candidate without each line, and the control with each alone."""
    for line in lines_of(scenario):
        for kind in Kind:
            yield variant(scenario, control, kind, (line.number,))


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
    control_info = data.run.scenarios.get(info.against) if info else None
    if info is None or control_info is None:
        raise UsageError(
            f"{data.folder} has no scenario {name}, or not the one it is held against",
            next_step="'postfix-matrix explain SCENARIO' measures what it takes",
        )
    book = _Book(data, scenario_of(name, info), scenario_of(info.against, control_info))
    effects = [book.line(line) for line in lines_of(book.scenario)]
    whole = book.compared(name, info.against)
    return Explanation(
        name, info.against, whole, tuple(book.partnered(e, effects) for e in effects)
    )


def pairs(found: Explanation) -> list[tuple[Kind, tuple[int, int]]]:
    """The pairs of lines to try next, where single lines do not tell who acts with whom."""
    covered = [e.line.number for e in found.lines if e.part is Part.COVERED]
    together = [e.line.number for e in found.lines if e.together]
    others = [e.line.number for e in found.lines]
    wanted: list[tuple[Kind, tuple[int, int]]] = []
    wanted += [(Kind.WITHOUT, pair) for pair in combinations(covered, 2)]
    for one in together:
        wanted += [(Kind.ONLY, (min(one, o), max(one, o))) for o in others if o != one]
    return list(dict.fromkeys(wanted))[:MOST_PAIRS]


class _Book:
    """A run's observations by configuration."""

    def __init__(self, data: RunData, scenario: Scenario, control: Scenario) -> None:
        self.scenario, self.control = scenario, control
        self._cells: dict[str, dict[tuple[str, Spot], Observation]] = {}
        for one in data.observations:
            place = (one.build, (one.service, one.client, one.offer))
            self._cells.setdefault(one.scenario, {})[place] = one
        self._by_likeness = {
            likeness(scenario_of(name, info)): name
            for name, info in reversed(list(data.run.scenarios.items()))
            if name in self._cells
        }

    def line(self, line: Line) -> LineEffect:
        """A line's effects, as far as they were measured; partners are not known yet."""
        removed = self.compared(self.scenario.id, self._measured(Kind.WITHOUT, (line.number,)))
        alone = self.compared(self._measured(Kind.ONLY, (line.number,)), self.control.id)
        return LineEffect(line, removed, alone)

    def partnered(self, effect: LineEffect, every: list[LineEffect]) -> LineEffect:
        """The effect with the lines that cover it, or that it acts with."""
        number = effect.line.number
        found = []
        for other in every:
            pair = (min(number, other.line.number), max(number, other.line.number))
            if other is effect:
                continue
            if effect.part is Part.COVERED and other.part is Part.COVERED:
                both = self.compared(self.scenario.id, self._measured(Kind.WITHOUT, pair))
                if both.places & effect.alone.places:
                    found.append(other.line.number)
            elif effect.together:
                both = self.compared(self._measured(Kind.ONLY, pair), self.control.id)
                if both.places - other.alone.places:
                    found.append(other.line.number)
        return LineEffect(effect.line, effect.removed, effect.alone, tuple(found))

    def compared(self, one: str | None, other: str | None) -> Compared:
        """Two configurations beside each other; all gaps where one was not measured."""
        mine: Mapping[tuple[str, Spot], Observation] = self._cells.get(one or "", {})
        theirs: Mapping[tuple[str, Spot], Observation] = self._cells.get(other or "", {})
        found, same, gaps = [], 0, 0
        for place in self._cells.get(self.scenario.id, {}):
            here, there = mine.get(place), theirs.get(place)
            if here is None or there is None or not _settled(here) or not _settled(there):
                gaps += 1
            elif names := changes(here, there):
                found.append(Change(*place, names, here, there))
            else:
                same += 1
        return Compared(tuple(found), same, gaps)

    def _measured(self, kind: Kind, numbers: tuple[int, ...]) -> str | None:
        """The measured configuration that a variant comes to; None where there is none."""
        wanted = variant(self.scenario, self.control, kind, numbers)
        return self._by_likeness.get(likeness(wanted))


def _settled(seen: Observation) -> bool:
    return seen.outcome not in (Outcome.ERROR, Outcome.TIMEOUT)
