"""A check from beginning to end: measure, compare, measure again what differs, and find the cause.

What measures is a callback (``blame.Measure``), so that the command line, the pytest plugin and
tests without Docker all run the same check.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.catalog.peers import has_cells_of
from harness.errors import ExitCode
from harness.observations.record import Observation
from harness.scenarios.scenario import Scenario
from harness.scenarios.services import services_of
from harness.snapshots.blame import (
    Blame,
    BlameSearch,
    Measure,
    VersionMove,
    find_moves,
)
from harness.snapshots.comparison import (
    Comparer,
    Comparison,
    needs_repeating,
    replace_cells,
)
from harness.snapshots.findings import UNPROVED, Finding
from harness.snapshots.known_failures import KnownFailures
from harness.snapshots.recorded_candidate import SettingChange
from harness.snapshots.snapshot import Measurement, RecordedSelection, Snapshot
from harness.snapshots.strength import (
    MutantResult,
    Mutation,
    find_mutations,
    judge_mutant,
    make_mutant,
)
from harness.snapshots.values import CellPlace, Level
from harness.tls import NEVER_PLAINTEXT, PLAINTEXT, Service

#: How often a cell that differs is measured once more.
REPEATS = 2
#: Up to so many cells are measured again one at a time: where more differ, it is no coincidence.
MOST_ALONE = 64
AGAIN = "--again"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check gave. ``measurement`` is the first one; ``moves`` are builds with new versions.

    ``scenario`` is the candidate's id in the run.
    """

    comparison: Comparison
    measurement: Measurement
    scenario: str
    blames: tuple[Blame, ...] = ()
    moves: tuple[VersionMove, ...] = ()

    def exit_code(self, *, complete: bool = False) -> ExitCode:
        """0 as recorded, 1 red, 3 only flaky or unconfirmed, or nothing measured.

        ``complete``: a cell that was not checked is red too.
        """
        comparison = self.comparison
        if comparison.is_red or (complete and comparison.having(Finding.NOT_CHECKED)):
            return ExitCode.DIFFERS
        if comparison.having(*UNPROVED):
            return ExitCode.INFRASTRUCTURE
        if not comparison.having(Finding.SAME, Finding.KNOWN):
            return ExitCode.INFRASTRUCTURE
        return ExitCode.OK


@dataclass(frozen=True, slots=True)
class SnapshotCheck:
    """One check of a candidate.

    ``known`` are the known failures of its snapshot. ``unknown`` are recorded builds that are not
    known any more, with the reason. ``is_possible_cause`` narrows the settings that are tried as
    causes. ``repeats``: how often a cell that differs is measured once more.
    """

    snapshot: Snapshot
    level: Level
    scenario: Scenario
    measure: Measure
    known: KnownFailures = field(default_factory=KnownFailures)
    unknown: Mapping[str, str] = field(default_factory=dict)
    is_possible_cause: Callable[[SettingChange], bool] = lambda _: True
    repeats: int = REPEATS

    def run(self, selected: Collection[CellPlace], *, with_blame: bool = True) -> CheckResult:
        """Measure the selected cells and compare them.

        Args:
            selected: the places to measure: :func:`select_places`.
            with_blame: also search for the cause of what differs.
        """
        scenario = self.scenario
        measurement = self._measure_one(scenario, selected)
        unavailable = {**measurement.unavailable, **self.unknown}
        measurement = replace(measurement, unavailable=unavailable)
        comparer = self._make_comparer()
        comparison = comparer.compare(measurement, selected)
        if self.repeats:
            compared = {scenario.id: (scenario, comparison)}
            (comparison,) = self._judge_again(comparer, compared).values()
        search = BlameSearch(
            self.snapshot,
            self.level,
            scenario,
            self.measure,
            measurement.builds,
            self.is_possible_cause,
        )
        blames = search.find_blames(comparison.cells) if with_blame else ()
        moves = find_moves(self.snapshot.builds, measurement.builds)
        final = _with_last_results(measurement, comparison)
        return CheckResult(comparison, final, scenario.id, blames, moves)

    def make_mutants(self) -> Mapping[str, tuple[Mutation, Scenario]]:
        """The candidate's mutants by id, each with its scenario."""
        mutants = {}
        for number, mutation in enumerate(find_mutations(self.scenario), start=1):
            mutant = make_mutant(self.scenario, mutation, number)
            mutants[mutant.id] = mutation, mutant
        return mutants

    def run_strength(self, selected: Collection[CellPlace]) -> tuple[MutantResult, ...]:
        """Which mutants of the candidate the snapshot catches: those that a check finds red.

        As in a check what differs, or shows nothing, is measured twice more.
        """
        mutants = self.make_mutants()
        scenarios = [scenario for _, scenario in mutants.values()]
        measured = self.measure(scenarios, selected, False) if scenarios else {}
        comparer, services = self._make_comparer(), {place.service for place in selected}
        compared = {
            scenario.id: (
                scenario,
                comparer.compare(measured.get(scenario.id, Measurement({})), selected),
            )
            for scenario in scenarios
        }
        comparisons = self._judge_again(comparer, compared)
        return tuple(
            judge_mutant(mutation, comparisons[name].cells, services)
            for name, (mutation, _) in mutants.items()
        )

    def _make_comparer(self) -> Comparer:
        services = {str(service) for service in services_of(self.scenario)}
        services |= {str(Service.OUTBOUND)}
        return Comparer(self.snapshot, self.level, services, self.known)

    def _measure_one(self, scenario: Scenario, places: Collection[CellPlace]) -> Measurement:
        if not places:
            return Measurement({})
        return self.measure([scenario], places, False).get(scenario.id, Measurement({}))

    def _judge_again(
        self, comparer: Comparer, compared: Mapping[str, tuple[Scenario, Comparison]]
    ) -> dict[str, Comparison]:
        """The comparisons after the cells that are not as recorded were measured again.

        ``compared`` has scenarios by id, each with its first comparison. Scenarios with the same
        cells to be measured again are measured side by side.
        """
        doubtful = {name: needs_repeating(comparison) for name, (_, comparison) in compared.items()}
        groups: dict[tuple[CellPlace, ...], list[str]] = {}
        for name, cells in doubtful.items():
            if cells:
                groups.setdefault(tuple(cell.place for cell in cells), []).append(name)
        repeats: dict[str, Mapping[CellPlace, list[Observation]]] = {}
        for places, names in groups.items():
            repeats |= self._repeat_cells([compared[name][0] for name in names], places)
        return {
            name: replace_cells(
                comparison,
                [comparer.judge_again(cell, repeats[name][cell.place]) for cell in doubtful[name]],
            )
            for name, (_, comparison) in compared.items()
        }

    def _repeat_cells(
        self, scenarios: Sequence[Scenario], places: Collection[CellPlace]
    ) -> dict[str, Mapping[CellPlace, list[Observation]]]:
        """What further measurements of these places give, by the scenarios' ids."""
        repeats: dict[str, Mapping[CellPlace, list[Observation]]] = {
            scenario.id: {place: [] for place in places} for scenario in scenarios
        }
        for number in range(1, self.repeats + 1):
            again = [replace(each, id=f"{each.id}{AGAIN}-{number}") for each in scenarios]
            measured = self.measure(again, places, len(places) <= MOST_ALONE)
            for scenario, copy in zip(scenarios, again, strict=True):
                cells = measured.get(copy.id, Measurement({})).cells
                for place in places:
                    if place in cells:
                        repeats[scenario.id][place].append(cells[place])
        return repeats


def select_places(
    snapshot: Snapshot, scenario: Scenario, builds: Iterable[str] | None = None
) -> tuple[CellPlace, ...]:
    """The places to measure: those recorded, and those of services that are new.

    A new service is measured with the clients and offers that were recorded with others, unless
    the snapshot was recorded for selected services only. ``builds`` narrows it.
    """
    chosen = None if builds is None else set(builds)
    recorded = [place for place in snapshot.cells if chosen is None or place.build in chosen]
    services = {str(service) for service in services_of(scenario)} | {str(Service.OUTBOUND)}
    places = dict.fromkeys(place for place in recorded if place.service in services)
    if not snapshot.selection.services:
        known = {place.service for place in snapshot.cells} | {str(Service.OUTBOUND)}
        new = (
            replace(place, service=name) for name in sorted(services - known) for place in recorded
        )
        places |= dict.fromkeys(place for place in new if _is_possible(place))
    return tuple(places)


def choose_places(
    snapshot: Snapshot,
    scenario: Scenario,
    build: str,
    planned: Sequence[CellPlace],
    selection: RecordedSelection,
) -> tuple[CellPlace, ...]:
    """The places that a test measures on a build, whose arguments choose clients and services.

    Where the test names none of them, as when the snapshot was recorded, they are the recorded
    ones (:func:`select_places`). Else they are the planned ones: a client or a service without a
    row is measured, and is added; a row of another one is not checked.

    Args:
        snapshot: what was recorded.
        scenario: the candidate now.
        build: the build that the test runs on.
        planned: the places of the cells that the arguments choose on this build.
        selection: the arguments.
    """
    recorded = [place for place in snapshot.cells if place.build == build]
    if not recorded:
        return ()
    places = select_places(snapshot, scenario, [build])
    before = snapshot.selection
    services, clients = {p.service for p in planned}, {p.client for p in planned}
    new: set[CellPlace] = set()
    if selection.services or before.services:
        places = tuple(place for place in places if place.service in services)
        known = {place.service for place in recorded}
        new |= {place for place in planned if place.service not in known}
    if selection.clients or before.clients:
        places = tuple(place for place in places if place.client in clients)
        known = {place.client for place in recorded}
        new |= {place for place in planned if place.client not in known}
    return tuple(dict.fromkeys((*places, *(place for place in planned if place in new))))


def _is_possible(place: CellPlace) -> bool:
    """Whether a client makes this offer at this service (``catalog.plan``)."""
    service = Service(place.service)
    if place.offer == PLAINTEXT and service in NEVER_PLAINTEXT:
        return False
    return has_cells_of(place.client, service)


def _with_last_results(measurement: Measurement, comparison: Comparison) -> Measurement:
    """The measurement with the result on which each cell's finding rests.

    A cell that differed once has none: an update must not record it.
    """
    cells = dict(measurement.cells)
    for cell in comparison.cells:
        if cell.finding in UNPROVED:
            cells.pop(cell.place, None)
        elif cell.observation is not None:
            cells[cell.place] = cell.observation
    return replace(measurement, cells=cells)
