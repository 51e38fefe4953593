"""What a comparison finds in a cell: the same labels for snapshots and for two runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.observations.record import Observation
from harness.snapshots.severity import is_better, is_worse
from harness.snapshots.values import CellPlace, CellValues


class Finding(StrEnum):
    """What became of a cell, in the order in which reports have them."""

    BROKEN = "broken"
    CHANGED = "changed"
    GONE = "gone"
    FIXED = "fixed"
    ADDED = "added"
    STALE = "stale"
    FLAKY = "flaky"
    UNCONFIRMED = "unconfirmed"
    KNOWN = "known"
    NOT_CHECKED = "not checked"
    SAME = "same"

    @property
    def meaning(self) -> str:
        """The finding in a sentence."""
        return _MEANINGS[self]


_MEANINGS = {
    Finding.BROKEN: "weaker than before, or mail no longer gets through",
    Finding.CHANGED: "different, and neither worse nor better",
    Finding.GONE: "the configuration no longer has this service",
    Finding.FIXED: "stronger than before, or mail gets through again",
    Finding.ADDED: "measured, and not recorded before",
    Finding.STALE: "a known failure that no longer occurs",
    Finding.FLAKY: "different once, and not when it was measured again",
    Finding.UNCONFIRMED: "different once, and it could not be measured again",
    Finding.KNOWN: "fails as a known failure says",
    Finding.NOT_CHECKED: "in one of the two only, or without a result in one",
    Finding.SAME: "as recorded",
}
#: Findings in which a cell has another result than the recorded one.
DIFFERENCES = (Finding.BROKEN, Finding.CHANGED, Finding.FIXED)
#: Findings of a difference that was measured once and did not repeat: neither red nor good.
UNPROVED = (Finding.FLAKY, Finding.UNCONFIRMED)
#: Findings that make a check red.
RED = (
    *(Finding.BROKEN, Finding.CHANGED, Finding.GONE, Finding.FIXED),
    *(Finding.ADDED, Finding.STALE),
)


@dataclass(frozen=True, slots=True)
class CellFinding:
    """One cell: what was recorded, and what is measured now; None where there is neither.

    ``scenario`` is for two runs, whose cells may be of several. ``observation`` is the one that
    ``measured`` is made from. ``why`` says why a cell was not checked, or remarks on it.
    """

    place: CellPlace
    finding: Finding
    recorded: CellValues | None = None
    measured: CellValues | None = None
    observation: Observation | None = None
    why: str = ""
    scenario: str = ""

    @property
    def name(self) -> str:
        """The place, with the scenario where cells of several are compared."""
        place = self.place
        if not self.scenario:
            return str(place)
        parts = (place.build, self.scenario, place.service, place.client, place.offer)
        return "/".join(parts)


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Cells of one service with the same finding, the same result before and the same now."""

    finding: Finding
    service: str
    recorded: CellValues | None
    measured: CellValues | None
    why: str
    cells: tuple[CellFinding, ...]
    scenario: str = ""

    @property
    def builds(self) -> tuple[str, ...]:
        """The builds that it is about."""
        return tuple(dict.fromkeys(cell.place.build for cell in self.cells))


def find_change(place: CellPlace, before: CellValues, after: CellValues) -> Finding:
    """What two results at one place are: same, broken, fixed or changed."""
    if before == after:
        return Finding.SAME
    if is_worse(place.offer, before, after):
        return Finding.BROKEN
    return Finding.FIXED if is_better(place.offer, before, after) else Finding.CHANGED


def count_findings(cells: Iterable[CellFinding]) -> Mapping[Finding, int]:
    """How many cells have each finding, in the findings' order, without those that no cell has."""
    counted = Counter(cell.finding for cell in cells)
    return {finding: counted[finding] for finding in Finding if counted[finding]}


def group_findings(cells: Iterable[CellFinding]) -> tuple[FindingGroup, ...]:
    """Cells that report the same as one group, the worst findings first; ``same`` is left out.

    Cells that were not checked are grouped by the reason, whatever was recorded.
    """
    grouped: dict[tuple[object, ...], list[CellFinding]] = {}
    for cell in sorted(cells, key=_order_of):
        if cell.finding is not Finding.SAME:
            grouped.setdefault(_group_key(cell), []).append(cell)
    return tuple(_make_groups(grouped.values()))


def _order_of(cell: CellFinding) -> tuple[int, str]:
    """The worst first; the places keep the order in which they came."""
    return list(Finding).index(cell.finding), cell.scenario


def _group_key(cell: CellFinding) -> tuple[object, ...]:
    if cell.finding is Finding.NOT_CHECKED:
        return (cell.finding, cell.scenario, cell.why)
    results = (cell.recorded, cell.measured)
    return (cell.finding, cell.scenario, cell.place.service, *results, cell.why)


def _make_groups(grouped: Iterable[list[CellFinding]]) -> Iterator[FindingGroup]:
    for cells in grouped:
        first = cells[0]
        services = {cell.place.service for cell in cells}
        yield FindingGroup(
            first.finding,
            first.place.service if len(services) == 1 else "",
            first.recorded,
            first.measured,
            first.why,
            tuple(cells),
            first.scenario,
        )
