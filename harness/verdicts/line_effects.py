"""Which line of a candidate does what: the cells that change without it, and by it alone.

Read from a run that measured the candidate, its baseline configuration, and variants of the
candidate (scenarios.variants). Of variants with the same effective settings, one was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations

from harness.errors import UsageError
from harness.observations.record import Observation, Outcome
from harness.observations.run_folder import RunData
from harness.observations.run_json import ScenarioInfo
from harness.postfix_config.master_cf_overlay import Overlay
from harness.scenarios.claims import Claims
from harness.scenarios.relevant_lines import left_out
from harness.scenarios.scenario import Scenario
from harness.scenarios.variants import (
    Line,
    VariantKind,
    lines_of,
    make_variant,
    settings_digest,
)
from harness.tls import Offer, Service
from harness.verdicts.observation_diff import INCONCLUSIVE, changed_fields

#: At most this many pairs are tried: with so many lines a pair shows little.
MOST_PAIRS = 40
#: A place in a build: service, client, offer.
Spot = tuple[str, str, str]
#: Suffix of the id of a configuration that is measured again, to see whether a change repeats.
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
    """One cell that a line changes: the observation with the line, and the one without it."""

    build: str
    spot: Spot
    names: tuple[str, ...]
    with_it: Observation
    without_it: Observation


@dataclass(frozen=True, slots=True)
class Compared:
    """Two configurations, cell by cell.

    ``unmeasured`` counts the cells that show nothing, ``unsteady`` those that changed, but not when
    they were measured again.
    """

    changes: tuple[Change, ...] = ()
    same: int = 0
    unmeasured: int = 0
    unsteady: int = 0

    @property
    def spots(self) -> frozenset[tuple[str, Spot]]:
        """The builds and places in which they differ."""
        return frozenset((change.build, change.spot) for change in self.changes)


@dataclass(frozen=True, slots=True)
class LineEffect:
    """A line: what changes when it is removed from the candidate, and when it is there alone.

    ``partners`` are the lines with which it acts, or that cover it. ``without`` is the
    configuration that was measured without it. ``left_out`` says why it was not examined, where it
    was not. ``alone`` is None where that comparison makes no sense: for a whole configuration.
    """

    line: Line
    removed: Compared
    alone: Compared | None
    partners: tuple[int, ...] = ()
    without: str | None = None
    left_out: str = ""

    @property
    def part(self) -> LinePart:
        """What it does: acts where removing it changes a cell, is covered where it acts alone."""
        if self.left_out:
            return LinePart.LEFT_OUT
        if self.removed.changes:
            return LinePart.ACTS
        if self.removed.unmeasured or self.removed.unsteady or not self.removed.same:
            return LinePart.UNMEASURED
        if self.alone is None:
            return LinePart.NONE
        if self.alone.changes:
            return LinePart.COVERED
        return LinePart.NONE if not self.alone.unmeasured else LinePart.UNMEASURED

    @property
    def needs_partner(self) -> bool:
        """Whether it acts, but not alone: it needs another line."""
        acts = self.part is LinePart.ACTS
        alone = self.alone
        return acts and alone is not None and not alone.changes and not alone.unmeasured


@dataclass(frozen=True, slots=True)
class Explanation:
    """A candidate's lines, in its order; ``whole`` compares the candidate with the baseline.

    Both ``against`` and ``whole`` are None for a whole configuration, which has no baseline.
    """

    scenario: str
    against: str | None
    whole: Compared | None
    lines: tuple[LineEffect, ...]


def scenario_of(name: str, info: ScenarioInfo) -> Scenario:
    """A scenario, from a run's record of it."""
    return Scenario(
        id=name,
        title=info.title,
        source=info.source or "",
        claim=info.claim,
        main_cf=info.main_cf,
        master_cf=info.master_cf,
        overlay=Overlay(info.overlay),
    )


def line_variants(
    scenario: Scenario, baseline: Scenario | None, numbers: Iterable[int] | None = None
) -> Iterator[Scenario]:
    """The candidate without each line, and the baseline with each line alone.

    Args:
        scenario: the candidate.
        baseline: the configuration to compare with; None for a whole configuration, of which no
            line makes sense alone.
        numbers: the lines to examine; None for all.
    """
    requested = None if numbers is None else set(numbers)
    for line in lines_of(scenario):
        if requested is not None and line.number not in requested:
            continue
        yield make_variant(scenario, scenario, VariantKind.WITHOUT, (line.number,))
        if baseline is not None:
            yield make_variant(scenario, baseline, VariantKind.ONLY, (line.number,))


def repeated_scenarios(explanation: Explanation, scenario: Scenario) -> list[Scenario]:
    """What to measure again, so that no line seems to act by a chance of timing.

    The candidate, and the candidate without each line that seems to act, in the cells that change.
    """
    acting = [
        effect
        for effect in explanation.lines
        if effect.removed.changes and effect.without is not None
    ]
    changed = [change.spot for effect in acting for change in effect.removed.changes]
    repeated = [_repeat_scenario(scenario, scenario.id, changed)] if acting else []
    for effect in acting:
        spots = [change.spot for change in effect.removed.changes]
        without = make_variant(scenario, scenario, VariantKind.WITHOUT, (effect.line.number,))
        repeated.append(_repeat_scenario(without, str(effect.without), spots))
    return list({repeat.id: repeat for repeat in repeated}.values())


def _repeat_scenario(scenario: Scenario, measured: str, spots: Iterable[Spot]) -> Scenario:
    """A scenario under another name, for these spots (and those between them) alone."""
    spots = list(spots)
    claims = Claims(
        services=tuple(dict.fromkeys(Service(service) for service, _, _ in spots)),
        clients=tuple(dict.fromkeys(client for _, client, _ in spots)),
        offers=tuple(dict.fromkeys(Offer.parse(offer) for _, _, offer in spots)),
        against=scenario.claims.against,
    )
    return replace(scenario, id=f"{measured}{AGAIN}", claims=claims)


def distinct_scenarios(scenarios: Iterable[Scenario], known: Iterable[Scenario]) -> list[Scenario]:
    """Those whose effective settings are not among the known, each once."""
    likenesses = {settings_digest(scenario) for scenario in known}
    fresh = []
    for scenario in scenarios:
        if (like := settings_digest(scenario)) not in likenesses:
            likenesses.add(like)
            fresh.append(scenario)
    return fresh


def explain_lines(data: RunData, name: str) -> Explanation:
    """What each line of a scenario does, according to the variants that a run has.

    Raises:
        UsageError: the run has no such scenario, or not the one it is compared with.
    """
    info = data.run.scenarios.get(name)
    if info is None:
        raise UsageError(
            f"{data.folder} has no scenario {name}",
            next_step="'postfix-matrix explain SCENARIO' measures what is needed",
        )
    info_of_baseline = data.run.scenarios.get(info.against) if info.against != name else None
    baseline = scenario_of(info.against, info_of_baseline) if info_of_baseline else None
    measurements = _Measurements(data, scenario_of(name, info), baseline)
    effects = [measurements.line_effect(line) for line in lines_of(measurements.scenario)]
    if baseline is None:
        return Explanation(name, None, None, tuple(effects))
    whole = measurements.compare(name, info.against)
    lines = tuple(measurements.with_partners(effect, effects) for effect in effects)
    return Explanation(name, info.against, whole, lines)


def next_pairs(explanation: Explanation) -> list[tuple[VariantKind, tuple[int, int]]]:
    """The pairs of lines to try next, where single lines do not show which act with which."""
    covered = [e.line.number for e in explanation.lines if e.part is LinePart.COVERED]
    dependent = [e.line.number for e in explanation.lines if e.needs_partner]
    others = [e.line.number for e in explanation.lines]
    tries: list[tuple[VariantKind, tuple[int, int]]] = []
    tries += [(VariantKind.WITHOUT, pair) for pair in combinations(covered, 2)]
    for number in dependent:
        tries += [
            (VariantKind.ONLY, (min(number, o), max(number, o))) for o in others if o != number
        ]
    return list(dict.fromkeys(tries))[:MOST_PAIRS]


class _Measurements:
    """A run's observations by configuration."""

    def __init__(self, data: RunData, scenario: Scenario, baseline: Scenario | None) -> None:
        self.scenario, self.baseline = scenario, baseline
        self._cells: dict[str, dict[tuple[str, Spot], Observation]] = {}
        axes = data.run.axes
        for cell in data.observations:
            place = (cell.build, (cell.service, cell.client, cell.offer))
            self._cells.setdefault(cell.scenario, {})[place] = cell
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
            settings_digest(scenario_of(name, info)): name
            for name, info in reversed(list(data.run.scenarios.items()))
            if name in self._cells and not name.endswith(AGAIN)
        }
        services = [Service(name) for name in data.run.axes.scope(scenario.id).services]
        self._left_out = left_out(scenario, services)

    def line_effect(self, line: Line) -> LineEffect:
        """A line's effects, as far as they were measured; its partners are not known yet."""
        without = self._find_measured(VariantKind.WITHOUT, (line.number,))
        if without is None and line.number in self._left_out:
            why = self._left_out[line.number]
            return LineEffect(line, Compared(), None, left_out=why)
        removed = self.compare(self.scenario.id, without)
        alone = None
        if self.baseline is not None:
            only = self._find_measured(VariantKind.ONLY, (line.number,))
            alone = self.compare(only, self.baseline.id)
        return LineEffect(line, removed, alone, without=without)

    def with_partners(self, effect: LineEffect, every: list[LineEffect]) -> LineEffect:
        """The effect with the lines that cover it, or with which it acts."""
        number = effect.line.number
        partners = []
        for other in every:
            pair = (min(number, other.line.number), max(number, other.line.number))
            if other is effect or other.alone is None or effect.alone is None:
                continue
            if effect.part is LinePart.COVERED and other.part is LinePart.COVERED:
                compared = self.compare(
                    self.scenario.id, self._find_measured(VariantKind.WITHOUT, pair)
                )
                if compared.spots & effect.alone.spots:
                    partners.append(other.line.number)
            elif effect.needs_partner and self.baseline is not None:
                compared = self.compare(
                    self._find_measured(VariantKind.ONLY, pair), self.baseline.id
                )
                if compared.spots - other.alone.spots:
                    partners.append(other.line.number)
        return replace(effect, partners=tuple(partners))

    def compare(self, first: str | None, second: str | None) -> Compared:
        """Compare two configurations; all cells are unmeasured where one was not measured.

        Cells for which the candidate itself has no result are left out: they show nothing.
        """
        cells: Mapping[tuple[str, Spot], Observation] = self._cells.get(first or "", {})
        other_cells: Mapping[tuple[str, Spot], Observation] = self._cells.get(second or "", {})
        changed, same, unmeasured, unsteady = [], 0, 0, 0
        for place in self._places:
            here, there = cells.get(place), other_cells.get(place)
            if not self._are_settled(self._cells[self.scenario.id][place]):
                continue
            if here is None or there is None or not self._are_settled(here, there):
                unmeasured += 1
            elif not (names := changed_fields(here, there)):
                same += 1
            elif self._is_repeated(place, here, there):
                changed.append(Change(*place, names, here, there))
            else:
                unsteady += 1
        return Compared(tuple(changed), same, unmeasured, unsteady)

    def _are_settled(self, *observations: Observation) -> bool:
        """Whether all cells have a result of the server's that is no chance of timing.

        A client that cannot make an offer shows nothing about a server, whatever its error text.
        Where Postfix serves some clients of a service and not others, those that it does not serve
        met a process that died at that moment.
        """
        return not any(
            observation.outcome in INCONCLUSIVE
            or (
                observation.outcome is Outcome.CONFIG_REJECTED and self._served_another(observation)
            )
            for observation in observations
        )

    def _served_another(self, rejected: Observation) -> bool:
        """Whether the service that rejected a cell did serve another client."""
        return any(
            cell.outcome in (Outcome.ACCEPTED, Outcome.REFUSED, Outcome.PLAINTEXT)
            for (build, (service, _, _)), cell in self._cells.get(rejected.scenario, {}).items()
            if (build, service) == (rejected.build, rejected.service)
        )

    def _is_repeated(self, place: tuple[str, Spot], here: Observation, there: Observation) -> bool:
        """Whether a change is also there in the second measurement of both; True if not made."""
        first = self._cells.get(f"{here.scenario}{AGAIN}", {}).get(place)
        second = self._cells.get(f"{there.scenario}{AGAIN}", {}).get(place)
        if first is None or second is None:
            return True
        return self._are_settled(first, second) and bool(changed_fields(first, second))

    def _find_measured(self, kind: VariantKind, numbers: tuple[int, ...]) -> str | None:
        """The measured configuration that a variant is equal to; None where there is none."""
        measured = make_variant(self.scenario, self.baseline or self.scenario, kind, numbers)
        return self._by_likeness.get(settings_digest(measured))
