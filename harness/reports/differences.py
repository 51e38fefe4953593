"""What each scenario changes, beside the scenario ``defaults`` of the same run. Pure.

A cell is held against the one of the same build, service, client and offer. It differs where the
outcome, the reason, the negotiated protocol, cipher or group is another, or where client and
server disagree in one of the two only. What was not measured on either side is told, and is never
counted as the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.catalog.cells import is_control
from harness.observations.record import Observation
from harness.observations.run_folder import RunData
from harness.reports.grid import BASELINE, Grid, GridCell, Row, ScenarioGrid, ServiceTable
from harness.reports.labels import (
    DISAGREE,
    SIGNS,
    outcome_of,
    sentence,
    short_word,
)
from harness.verdicts.observation_diff import (
    changes,
    cipher_of,
)

#: Stands between the sign and the word of a cell that differs, and of one that has no counterpart.
DIFFERS, UNCOMPARED = "*", "?"

#: What the reports mean by it.
DEFINITION = (
    f"A cell differs from that of {BASELINE} with the same build, service, client and offer where "
    "the outcome, the reason, the negotiated protocol, cipher or group, the server's certificate, "
    "or whether a session was resumed is another, or where client and server agree in one of the "
    "two only."
)


class DifferenceStanding(StrEnum):
    """How a cell stands beside the baseline's."""

    SAME = "same"
    DIFFERS = "differs"
    UNCOMPARED = "uncompared"
    UNMEASURED = "unmeasured"


@dataclass(frozen=True, slots=True)
class Beside:
    """A cell's observation and the baseline's; ``why`` says why the baseline has none."""

    seen: Observation | None
    baseline: Observation | None
    why: str | None = None

    @property
    def standing(self) -> DifferenceStanding:
        """Same or not; ``unmeasured``: nothing here, ``uncompared``: nothing in the baseline."""
        if self.seen is None:
            return DifferenceStanding.UNMEASURED
        if self.baseline is None:
            return DifferenceStanding.UNCOMPARED
        return DifferenceStanding.DIFFERS if self.changed else DifferenceStanding.SAME

    @property
    def changed(self) -> tuple[str, ...]:
        """What differs, by name; empty where one of the two was not measured."""
        if self.seen is None or self.baseline is None:
            return ()
        return changes(self.seen, self.baseline)

    @property
    def mark(self) -> str:
        """The sign that a cell is not the same; empty where it is, and where nothing was seen."""
        return {DifferenceStanding.DIFFERS: DIFFERS, DifferenceStanding.UNCOMPARED: UNCOMPARED}.get(
            self.standing, ""
        )

    @property
    def word(self) -> str:
        """A cell's word, or what changed where the cell would else look as under the baseline."""
        if self.changed and _look(self.seen) == _look(self.baseline):
            return self.changed[0]
        return short_word(self.seen)

    @property
    def text(self) -> str:
        """A cell's sign, mark and word: ``✗*version``, ``✓*cipher``; unmarked where the same."""
        disagree = DISAGREE if _look(self.seen)[2] else ""
        glyph = SIGNS[outcome_of(self.seen)].glyph
        return f"{glyph}{self.mark or ' '}{self.word}".rstrip() + disagree

    @property
    def sentence(self) -> str:
        """The same spelt out, to stand beside what the cell itself says."""
        match self.standing:
            case DifferenceStanding.SAME:
                return f"the same as under {BASELINE}"
            case DifferenceStanding.DIFFERS:
                cipher = cipher_of(self.baseline) if "cipher" in self.changed else None
                other = sentence(self.baseline) + (f", {cipher}" if cipher else "")
                return f"differs in {', '.join(self.changed)}; under {BASELINE}: {other}"
            case _:
                side = BASELINE if self.seen is not None else "this cell"
                return f"not compared with {BASELINE}: {side} {sentence(None, self.why)}"


@dataclass(frozen=True, slots=True)
class Differences:
    """One scenario beside the baseline: its cells by id, in the order of its tables."""

    cells: Mapping[str, Beside]

    def count(self, standing: DifferenceStanding) -> int:
        """How many cells stand so."""
        return sum(beside.standing is standing for beside in self.cells.values())

    @property
    def differing(self) -> int:
        """How many cells differ."""
        return self.count(DifferenceStanding.DIFFERS)

    @property
    def compared(self) -> int:
        """How many cells were measured under both."""
        return self.count(DifferenceStanding.SAME) + self.differing

    @property
    def brief(self) -> str:
        """The finding in a word or two, for a list of scenarios."""
        if self.differing:
            return f"{self.differing} differ"
        return "no difference seen" if self.compared else "not compared"

    @property
    def statement(self) -> str:
        """The finding in one sentence, with what could not be compared."""
        compared = self.compared
        if not compared:
            said = f"Not compared with {BASELINE}: no cell was measured under both"
        elif self.differing:
            said = f"Differs from {BASELINE} in {self.differing} of {_cells(compared)}"
            said += f" ({self._where()})"
        else:
            said = (
                f"The same as {BASELINE} in all {_cells(compared)}, with these clients and offers"
            )
        gaps = [said]
        if unmeasured := self.count(DifferenceStanding.UNMEASURED):
            gaps.append(f"{_cells(unmeasured)} not measured here")
        if uncompared := self.count(DifferenceStanding.UNCOMPARED):
            gaps.append(f"{_cells(uncompared)} measured here and not under {BASELINE}")
        return "; ".join(gaps) + "."

    def _where(self) -> str:
        """The services and offers that have a differing cell: ``smtp, submission; TLSv1``."""
        seen = [b.seen for b in self.cells.values() if b.seen and b.changed]
        axes = (dict.fromkeys(s.service for s in seen), dict.fromkeys(s.offer for s in seen))
        return "; ".join(", ".join(names) for names in axes)

    @property
    def cipher_changes(self) -> Mapping[tuple[str, str], int]:
        """Where only the cipher changed: how often it was this one, then that one."""
        pairs = (
            (cipher_of(beside.baseline) or "none named", cipher_of(beside.seen) or "none named")
            for beside in self.cells.values()
            if beside.changed == ("cipher",)
        )
        return Counter(pairs)

    def worth_showing(self, cells: Iterable[GridCell]) -> bool:
        """Whether a line has anything that the statement and the baseline's line do not say.

        A line of which nothing was measured here has not: the statement counts its cells.
        """
        standings = {self.cells[cell.id].standing for cell in cells if cell.planned}
        return not (
            standings <= {DifferenceStanding.SAME} or standings == {DifferenceStanding.UNMEASURED}
        )


def differences(grid: Grid) -> dict[str, Differences]:
    """Each scenario but the baseline and the controls, by id; empty for a run without baseline."""
    baseline = next((one for one in grid.scenarios if one.id == BASELINE), None)
    if baseline is None:
        return {}
    others = (one for one in grid.scenarios if one is not baseline)
    return {other.id: _differences(other, baseline) for other in others}


def beside_baseline(data: RunData, seen: Observation) -> Beside | None:
    """One cell beside the baseline's; None for the baseline, a control, a run without baseline."""
    scenarios = {*data.run.axes.scenarios, *(one.scenario for one in data.observations)}
    if seen.scenario == BASELINE or is_control(seen.build) or BASELINE not in scenarios:
        return None
    cell = f"{seen.build}/{BASELINE}/{seen.service}/{seen.client}/{seen.offer}"
    return Beside(seen, data.find(cell))


def _differences(scenario: ScenarioGrid, baseline: ScenarioGrid) -> Differences:
    there = {
        (row.build, table.service, cell.column): cell for table, row, cell in _places(baseline)
    }
    pairs = [
        (cell, there.get((row.build, table.service, cell.column)))
        for table, row, cell in _places(scenario)
        if cell.planned
    ]
    return Differences({cell.id: _beside(cell, other) for cell, other in pairs})


def _places(grid: ScenarioGrid) -> Iterator[tuple[ServiceTable, Row, GridCell]]:
    return ((table, row, cell) for table in grid.tables for row in table.rows for cell in row.cells)


def _beside(cell: GridCell, other: GridCell | None) -> Beside:
    if other is None:
        return Beside(cell.observation, None, f"it is no cell of {BASELINE} in this run")
    return Beside(cell.observation, other.observation, other.why if cell.observation else cell.why)


def _look(seen: Observation | None) -> tuple[str, str, bool]:
    return outcome_of(seen), short_word(seen), seen is not None and seen.agree is False


def _cells(number: int) -> str:
    return f"{number} cell" if number == 1 else f"{number} cells"
