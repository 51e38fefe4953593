"""Why cells differ from a snapshot: the smallest set of settings that restores them, or versions.

Settings that differ from the recorded ones are put back and the cells measured again. What is
measured is a callback's business, so that nothing here needs Docker.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from harness.scenarios.scenario import Scenario
from harness.snapshots.findings import DIFFERENCES, CellFinding, Finding
from harness.snapshots.recorded_candidate import (
    RecordedCandidate,
    RecordedSettings,
    SettingChange,
    find_changed_files,
    find_changes,
    put_back,
)
from harness.snapshots.snapshot import Measurement, Snapshot
from harness.snapshots.values import BuildVersions, CellPlace, Level

#: At most this many settings are put back one by one; more are halved at once.
MOST_SINGLE = 24
#: Cells that decide which settings are tried; the set that results is tried on all cells.
CELLS_PER_GROUP = 2
#: Suffix of the id of a candidate with settings put back.
PUT_BACK = "--put-back"

#: Measures scenarios at some places; gives what was measured by the scenario's id. ``alone``: one
#: cell at a time, with nothing beside it.
Measure = Callable[[Sequence[Scenario], Collection[CellPlace], bool], Mapping[str, Measurement]]


class BlameKind(StrEnum):
    """What the cause is."""

    SETTINGS = "settings"
    FILES = "files"
    VERSIONS = "versions"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class VersionMove:
    """A build whose versions are not the recorded ones."""

    build: str
    before: BuildVersions
    now: BuildVersions

    @property
    def text(self) -> str:
        """``debian-12: OpenSSL 3.0.20, now 3.0.22``."""
        named = (
            ("Postfix", self.before.postfix, self.now.postfix),
            ("OpenSSL", self.before.openssl, self.now.openssl),
        )
        moved = [f"{name} {was}, now {now}" for name, was, now in named if was != now]
        if not moved:
            moved = [f"packages {self.before.packages}, now {self.now.packages}"]
        return f"{self.build}: {'; '.join(moved)}"


@dataclass(frozen=True, slots=True)
class Blame:
    """The cause of some cells' difference. ``cells`` are those that it explains.

    ``settings`` are put back together; all ``cells`` are then as recorded.
    """

    kind: BlameKind
    cells: tuple[CellPlace, ...]
    settings: tuple[SettingChange, ...] = ()
    files: tuple[str, ...] = ()
    versions: tuple[VersionMove, ...] = ()


@dataclass(slots=True)
class BlameSearch:
    """Searches the causes of what differs; ``tried`` counts the candidates that were measured.

    ``is_possible`` says of a setting that differs whether it may be a cause.
    """

    snapshot: Snapshot
    level: Level
    scenario: Scenario
    measure: Measure
    builds: Mapping[str, BuildVersions]
    is_possible: Callable[[SettingChange], bool] = lambda _: True
    tried: int = 0
    #: The recorded candidate of the cells whose causes are being searched.
    _recorded: RecordedCandidate = field(init=False)

    def __post_init__(self) -> None:
        self._recorded = self.snapshot.candidate

    def find_blames(self, cells: Iterable[CellFinding]) -> tuple[Blame, ...]:
        """The causes of the broken cells, else of all that differ; () where none differs."""
        places = _places_to_explain(cells)
        if not places:
            return ()
        by_settings: dict[RecordedSettings, list[CellPlace]] = {}
        for place in places:
            settings = self.snapshot.find_candidate(place).settings
            by_settings.setdefault(settings, []).append(place)
        return tuple(
            blame for some in by_settings.values() for blame in self._find_causes(tuple(some))
        )

    def _find_causes(self, places: tuple[CellPlace, ...]) -> Iterator[Blame]:
        """The causes of cells that were recorded under the same settings."""
        self._recorded = self.snapshot.find_candidate(places[0])
        changes = [
            change
            for change in find_changes(self._recorded, self.scenario)
            if self.is_possible(change)
        ]
        restored: frozenset[CellPlace] = frozenset()
        if changes:
            everything = frozenset(range(len(changes)))
            restored = self._measure_restored(changes, [everything], places)[everything]
            if restored:
                yield self._blame_settings(changes, restored)
        yield from self._blame_others([place for place in places if place not in restored])

    def _blame_settings(
        self, changes: Sequence[SettingChange], restored: frozenset[CellPlace]
    ) -> Blame:
        """The smallest set of settings that restores these cells."""
        ordered = tuple(sorted(restored))
        few = _choose_few(ordered, self.snapshot)
        numbers = self._search_smallest(changes, few)
        if few != ordered and not self._restores_all(changes, numbers, ordered):
            numbers = self._search_smallest(changes, ordered)
        settings = tuple(changes[number] for number in sorted(numbers))
        return Blame(BlameKind.SETTINGS, ordered, settings=settings)

    def _search_smallest(
        self, changes: Sequence[SettingChange], places: tuple[CellPlace, ...]
    ) -> frozenset[int]:
        if len(changes) <= MOST_SINGLE:
            singles = [frozenset({number}) for number in range(len(changes))]
            by_set = self._measure_restored(changes, singles, places)
            for single in singles:
                if by_set[single] >= set(places):
                    return single
        return find_smallest(
            range(len(changes)), lambda numbers: self._restores_all(changes, numbers, places)
        )

    def _restores_all(
        self,
        changes: Sequence[SettingChange],
        numbers: frozenset[int],
        places: tuple[CellPlace, ...],
    ) -> bool:
        restored = self._measure_restored(changes, [numbers], places)[numbers]
        return restored >= set(places)

    def _measure_restored(
        self,
        changes: Sequence[SettingChange],
        sets: Sequence[frozenset[int]],
        places: tuple[CellPlace, ...],
    ) -> Mapping[frozenset[int], frozenset[CellPlace]]:
        """The cells that are as recorded, for each set of settings that is put back."""
        scenarios = {
            numbers: put_back(
                self._recorded,
                self.scenario,
                [changes[number] for number in sorted(numbers)],
                f"{self.scenario.id}{PUT_BACK}-{self.tried + at}",
            )
            for at, numbers in enumerate(sets, start=1)
        }
        self.tried += len(scenarios)
        measured = self.measure(list(scenarios.values()), places, False)
        return {
            numbers: frozenset(
                place
                for place in places
                if self._is_as_recorded(place, measured.get(scenario.id, Measurement({})))
            )
            for numbers, scenario in scenarios.items()
        }

    def _is_as_recorded(self, place: CellPlace, measurement: Measurement) -> bool:
        observation = measurement.cells.get(place)
        if observation is None:
            return False
        versions = self.builds.get(place.build)
        return self.level.values(observation, versions) == self.snapshot.cells.get(place)

    def _blame_others(self, places: Sequence[CellPlace]) -> Iterator[Blame]:
        """What settings do not explain: further files, versions that moved, or nothing known."""
        if not places:
            return
        files = find_changed_files(self._recorded, self.scenario)
        if files:
            yield Blame(BlameKind.FILES, tuple(places), files=files)
            return
        moves = {move.build: move for move in find_moves(self.snapshot.builds, self.builds)}
        moved = tuple(place for place in places if place.build in moves)
        if moved:
            named = dict.fromkeys(place.build for place in moved)
            versions = tuple(moves[build] for build in named)
            yield Blame(BlameKind.VERSIONS, moved, versions=versions)
        rest = tuple(place for place in places if place.build not in moves)
        if rest:
            yield Blame(BlameKind.UNEXPLAINED, rest)


def find_moves(
    before: Mapping[str, BuildVersions], now: Mapping[str, BuildVersions]
) -> tuple[VersionMove, ...]:
    """The builds whose versions are not the recorded ones."""
    return tuple(
        VersionMove(build, before[build], versions)
        for build, versions in now.items()
        if build in before and before[build] != replace(versions, origin=before[build].origin)
    )


def find_smallest(
    numbers: Iterable[int], restores: Callable[[frozenset[int]], bool]
) -> frozenset[int]:
    """The smallest set that still restores, by halves: none of it can be left out.

    Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input",
    IEEE TSE 28(2), 2002). The whole is known to restore.
    """
    kept = sorted(numbers)
    parts = 2
    while len(kept) > 1:
        pieces = _cut_pieces(kept, parts)
        smaller = next((p for p in pieces if restores(frozenset(p))), None)
        if smaller is not None:
            kept, parts = smaller, 2
            continue
        rests = [[n for n in kept if n not in piece] for piece in pieces]
        rest = next((r for r in rests if parts > 2 and restores(frozenset(r))), None)
        if rest is not None:
            kept, parts = rest, max(parts - 1, 2)
        elif parts >= len(kept):
            break
        else:
            parts = min(len(kept), parts * 2)
    return frozenset(kept)


def _cut_pieces(numbers: Sequence[int], parts: int) -> list[list[int]]:
    size, rest = divmod(len(numbers), parts)
    pieces, start = [], 0
    for number in range(parts):
        end = start + size + (number < rest)
        pieces.append(list(numbers[start:end]))
        start = end
    return [piece for piece in pieces if piece]


def _places_to_explain(cells: Iterable[CellFinding]) -> tuple[CellPlace, ...]:
    cells = list(cells)
    broken = [c.place for c in cells if c.finding in (Finding.BROKEN, Finding.GONE)]
    differing = [c.place for c in cells if c.finding in DIFFERENCES]
    return tuple(broken or differing)


def _choose_few(places: Sequence[CellPlace], snapshot: Snapshot) -> tuple[CellPlace, ...]:
    """A few cells of each build, service and recorded result, which stand for the others."""
    chosen: dict[tuple[object, ...], list[CellPlace]] = {}
    for place in places:
        key = (place.build, place.service, snapshot.cells.get(place))
        of_group = chosen.setdefault(key, [])
        if len(of_group) < CELLS_PER_GROUP:
            of_group.append(place)
    return tuple(place for group in chosen.values() for place in group)
