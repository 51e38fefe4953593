"""A snapshot compared with what is measured now, cell by cell."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.observations.record import Observation, Outcome
from harness.scenarios.expectations import DELIVERED
from harness.snapshots.findings import (
    DIFFERENCES,
    RED,
    CellFinding,
    Finding,
    find_change,
)
from harness.snapshots.known_failures import (
    KnownFailure,
    KnownFailureFault,
    KnownFailures,
)
from harness.snapshots.snapshot import Measurement, Snapshot
from harness.snapshots.values import (
    BuildVersions,
    CellPlace,
    CellValues,
    Level,
    why_inconclusive,
)

NOT_SELECTED = "not selected now"
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All cells with what became of each, and the known failures that are wrong themselves."""

    cells: tuple[CellFinding, ...]
    known_faults: tuple[KnownFailureFault, ...] = ()

    def having(self, *findings: Finding) -> tuple[CellFinding, ...]:
        """The cells with one of these findings."""
        return tuple(cell for cell in self.cells if cell.finding in findings)

    @property
    def is_red(self) -> bool:
        """Whether something differs from what is expected."""
        return bool(self.having(*RED) or self.known_faults)


@dataclass(frozen=True, slots=True)
class Comparer:
    """Compares cells with a snapshot.

    ``services`` are those that the candidate has now.
    """

    snapshot: Snapshot
    level: Level
    services: Collection[str]
    known: KnownFailures = field(default_factory=KnownFailures)

    def compare(self, measured: Measurement, selected: Collection[CellPlace]) -> Comparison:
        """Each recorded cell, and each that was measured besides.

        Args:
            measured: what was measured now.
            selected: the cells that were to be measured; no other one can be missing.
        """
        recorded = self.snapshot.cells
        findings = [
            self._compare_recorded(place, values, measured, selected)
            for place, values in sorted(recorded.items())
        ]
        findings += [
            self._compare_added(place, observation, measured)
            for place, observation in sorted(measured.cells.items(), key=lambda item: item[0])
            if place not in recorded and not why_inconclusive(observation)
        ]
        versions = {**self.snapshot.builds, **measured.builds}
        places = {*recorded, *measured.cells}
        return Comparison(tuple(findings), self.known.find_faults(places, versions))

    def judge_again(self, cell: CellFinding, repeats: Sequence[Observation]) -> CellFinding:
        """A cell that was not as recorded, after it was measured again.

        A difference counts where it repeats. A cell that is as recorded even once is flaky, unless
        nothing else was seen; one that differs in its only result is unconfirmed, and one
        without a result is not checked.
        """
        first = [] if cell.observation is None else [cell.observation]
        results = [
            (values, observation)
            for observation in (*first, *repeats)
            if (values := self._read_values(observation)) is not None
        ]
        expected = [self._is_as_expected(cell, *result) for result in results]
        if results and all(expected):
            values, observation = results[-1]
            return replace(
                self._find_finding(cell.place, cell.recorded, values, observation),
                observation=observation,
            )
        if any(expected):
            why = f"as recorded in {sum(expected)} of {len(results)} measurements"
            return replace(cell, finding=Finding.FLAKY, why=why)
        if not results:
            return replace(cell, finding=Finding.NOT_CHECKED)
        if len(results) == 1:
            ((values, observation),) = results
            return CellFinding(
                cell.place,
                Finding.UNCONFIRMED,
                cell.recorded,
                values,
                observation,
                "it could not be measured again",
            )
        return self._find_finding(cell.place, cell.recorded, *results[0])

    def _compare_recorded(
        self,
        place: CellPlace,
        recorded: CellValues,
        measured: Measurement,
        selected: Collection[CellPlace],
    ) -> CellFinding:
        observation = measured.cells.get(place)
        if observation is None:
            if place.service not in self.services and _is_narrowed_by_service(place, selected):
                return CellFinding(place, Finding.GONE, recorded)
            why = why_unmeasured(place, measured)
            if why == NOT_MEASURED and place not in selected:
                why = NOT_SELECTED
            return CellFinding(place, Finding.NOT_CHECKED, recorded, why=why)
        values = self._read_values(observation, measured.builds.get(place.build))
        if values is None:
            why = why_inconclusive(observation)
            return CellFinding(
                place, Finding.NOT_CHECKED, recorded, observation=observation, why=why
            )
        return self._find_finding(place, recorded, values, observation)

    def _compare_added(
        self, place: CellPlace, observation: Observation, measured: Measurement
    ) -> CellFinding:
        values = self._read_values(observation, measured.builds.get(place.build))
        known = self._find_known(place)
        if known is not None and known.is_met_by(observation):
            return CellFinding(place, Finding.KNOWN, None, values, observation, known.why)
        return CellFinding(place, Finding.ADDED, None, values, observation)

    def _find_finding(
        self,
        place: CellPlace,
        recorded: CellValues | None,
        values: CellValues,
        observation: Observation,
    ) -> CellFinding:
        """The finding in a recorded cell that has a result now."""
        if recorded is None:
            return CellFinding(place, Finding.ADDED, None, values, observation)
        change = find_change(place, recorded, values)
        known, why = self._find_known(place), ""
        if known is not None:
            if known.is_met_by(observation):
                change, why = Finding.KNOWN, known.why
            elif change in (Finding.SAME, Finding.FIXED) or observation.outcome in DELIVERED:
                change = Finding.STALE
                why = f"{_locate_known(known)} expects {known.failure}"
            else:
                why = f"{_locate_known(known)} expects another failure: {known.failure}"
        return CellFinding(place, change, recorded, values, observation, why)

    def _is_as_expected(
        self, cell: CellFinding, values: CellValues, observation: Observation
    ) -> bool:
        """Whether a measurement shows the known failure, else what is recorded."""
        known = self._find_known(cell.place)
        return known.is_met_by(observation) if known is not None else values == cell.recorded

    def _find_known(self, place: CellPlace) -> KnownFailure | None:
        return self.known.find(place, self.snapshot.builds.get(place.build))

    def _read_values(
        self, observation: Observation, versions: BuildVersions | None = None
    ) -> CellValues | None:
        known = versions or self.snapshot.builds.get(observation.build)
        return self.level.values(observation, known)


def needs_repeating(comparison: Comparison) -> tuple[CellFinding, ...]:
    """The cells to measure again: those that differ, and those that showed nothing."""
    doubtful = (*DIFFERENCES, Finding.STALE)
    return tuple(
        cell
        for cell in comparison.cells
        if cell.finding in doubtful
        or (
            cell.finding is Finding.NOT_CHECKED
            and cell.observation is not None
            and cell.observation.outcome is not Outcome.CLIENT_INCAPABLE
        )
    )


def replace_cells(comparison: Comparison, cells: Iterable[CellFinding]) -> Comparison:
    """The comparison with other findings for some of its cells."""
    by_place: Mapping[CellPlace, CellFinding] = {cell.place: cell for cell in cells}
    return replace(
        comparison,
        cells=tuple(by_place.get(cell.place, cell) for cell in comparison.cells),
    )


def _is_narrowed_by_service(place: CellPlace, selected: Collection[CellPlace]) -> bool:
    """Whether only the service keeps a cell from being measured: another one's cell is selected."""
    return any((other.build, other.client) == (place.build, place.client) for other in selected)


def why_unmeasured(place: CellPlace, measured: Measurement) -> str:
    """Why a cell that was to be measured has no observation."""
    for name in (place.build, place.client):
        if name in measured.unavailable:
            first = measured.unavailable[name].partition("\n")[0]
            return f"{name} is unavailable: {first}"
    return NOT_MEASURED


def _locate_known(known: KnownFailure) -> str:
    return f"{known.place.file.name}:{known.place.line}"
