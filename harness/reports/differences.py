"""What each scenario changes, compared with the scenario ``defaults`` of the same run.

A cell is compared with the one of the same build, service, client and offer. It differs where the
outcome, the reason, the negotiated protocol, cipher or group is another, or where client and server
disagree in one of the two only. What was not measured on either side, a time-out and an error of
the harness are not compared: they are reported, and never counted as different or as the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from harness.catalog.cells import is_control
from harness.counts import format_count
from harness.observations.record import Observation
from harness.observations.run_folder import RunData
from harness.reports.grid import BASELINE, Grid, GridCell, Row, ScenarioGrid, ServiceTable
from harness.reports.labels import (
    DISAGREE,
    SIGNS,
    describe_result,
    outcome_of,
    short_word,
)
from harness.reports.offer_titles import offer_titles
from harness.verdicts.observation_diff import (
    changed_fields,
    cipher_of,
    why_unobserved,
)

#: Stands between the sign and the label of a cell that differs, and of one without a baseline.
DIFFERS, UNCOMPARED = "*", "?"

#: The definition that the reports print.
DEFINITION = (
    f"A cell differs from that of {BASELINE} with the same build, service, client and offer where "
    "the outcome, the reason, the negotiated protocol, cipher or group, the server's certificate, "
    "or whether a session was resumed is another, or where client and server agree in one of the "
    "two only. A time-out and an error of the harness are not compared."
)


class DifferenceStanding(StrEnum):
    """How a cell compares with the baseline's."""

    SAME = "same"
    DIFFERS = "differs"
    UNCOMPARED = "uncompared"
    UNMEASURED = "unmeasured"


# Without slots, so that what is derived is derived once: reports ask for it many times per cell.
@dataclass(frozen=True)
class BaselineComparison:
    """A cell's observation and the baseline's; ``why`` says why the baseline has none."""

    observation: Observation | None
    baseline: Observation | None
    why: str | None = None

    @cached_property
    def standing(self) -> DifferenceStanding:
        """Same or not; ``unmeasured``: no observation, ``uncompared``: one of the two is unknown.

        Unknown is what the baseline was not measured for, and a cell that timed out or failed.
        """
        if self.observation is None:
            return DifferenceStanding.UNMEASURED
        if self.baseline is None or self.unobserved:
            return DifferenceStanding.UNCOMPARED
        return DifferenceStanding.DIFFERS if self.changed else DifferenceStanding.SAME

    @cached_property
    def unobserved(self) -> str:
        """Which of the two timed out or failed, and how; "" for neither."""
        for name, cell in (("this cell", self.observation), (BASELINE, self.baseline)):
            if cell is not None and (why := why_unobserved(cell)):
                return f"{name}: {why}"
        return ""

    @property
    def both_unobserved(self) -> bool:
        """Whether both timed out, or both failed."""
        if self.observation is None or self.baseline is None or not self.unobserved:
            return False
        return self.observation.outcome is self.baseline.outcome

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """What differs, by name; empty where the two cannot be compared."""
        if self.observation is None or self.baseline is None:
            return ()
        return changed_fields(self.observation, self.baseline)

    @property
    def mark(self) -> str:
        """The sign of a cell that is not the same; empty where it is, or was not measured."""
        return {DifferenceStanding.DIFFERS: DIFFERS, DifferenceStanding.UNCOMPARED: UNCOMPARED}.get(
            self.standing, ""
        )

    @property
    def word(self) -> str:
        """A cell's label, or what changed where the cell would otherwise look the same."""
        if self.changed and _describe_appearance(self.observation) == _describe_appearance(
            self.baseline
        ):
            return self.changed[0]
        return short_word(self.observation)

    @property
    def text(self) -> str:
        """A cell's sign, mark and label: ``✗*version``, ``✓*cipher``; no mark where the same."""
        disagree = DISAGREE if _describe_appearance(self.observation)[2] else ""
        glyph = SIGNS[outcome_of(self.observation)].glyph
        return f"{glyph}{self.mark or ' '}{self.word}".rstrip() + disagree

    @property
    def sentence(self) -> str:
        """The same in a sentence, which follows what the cell itself shows."""
        match self.standing:
            case DifferenceStanding.SAME:
                return f"the same as under {BASELINE}"
            case DifferenceStanding.DIFFERS:
                cipher = cipher_of(self.baseline) if "cipher" in self.changed else None
                other = describe_result(self.baseline) + (f", {cipher}" if cipher else "")
                return f"differs in {', '.join(self.changed)}; under {BASELINE}: {other}"
            case DifferenceStanding.UNCOMPARED if self.unobserved:
                return f"not compared with {BASELINE}: {self.unobserved}"
            case _:
                side = BASELINE if self.observation is not None else "this cell"
                return f"not compared with {BASELINE}: {side} {describe_result(None, self.why)}"


@dataclass(frozen=True)
class Differences:
    """One scenario compared with the baseline: its cells by id, in the order of its tables.

    ``titles`` has the short names of offers, which the tables have too.
    """

    cells: Mapping[str, BaselineComparison]
    titles: Mapping[str, str] = field(default_factory=dict)

    def count(self, standing: DifferenceStanding) -> int:
        """How many cells have this standing."""
        return sum(comparison.standing is standing for comparison in self.cells.values())

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

    @cached_property
    def statement(self) -> str:
        """The finding in one sentence, with what could not be compared."""
        compared = self.compared
        if not compared:
            finding = f"Not compared with {BASELINE}: no cell has a result under both"
        elif self.differing:
            finding = (
                f"Differs from {BASELINE} in {self.differing} of {format_count(compared, 'cell')}"
            )
            finding += f" ({self._differing_places()})"
        else:
            finding = (
                f"The same as {BASELINE} in all {format_count(compared, 'cell')}, "
                "with these clients and offers"
            )
        parts = [finding]
        if unmeasured := self.count(DifferenceStanding.UNMEASURED):
            parts.append(f"{format_count(unmeasured, 'cell')} not measured here")
        unobserved = sum(
            comparison.standing is DifferenceStanding.UNCOMPARED and bool(comparison.unobserved)
            for comparison in self.cells.values()
        )
        if uncompared := self.count(DifferenceStanding.UNCOMPARED) - unobserved:
            parts.append(
                f"{format_count(uncompared, 'cell')} measured here and not under {BASELINE}"
            )
        if unobserved:
            count = format_count(unobserved, "cell")
            parts.append(f"{count} not compared: a time-out, or an error of the harness")
        return "; ".join(parts) + "."

    def _differing_places(self) -> str:
        """The services and offers that have a differing cell: ``smtp, submission; TLSv1``."""
        cells = [c.observation for c in self.cells.values() if c.observation and c.changed]
        offers = (self.titles.get(c.offer, c.offer) for c in cells)
        axes = (dict.fromkeys(c.service for c in cells), dict.fromkeys(offers))
        return "; ".join(", ".join(names) for names in axes)

    @property
    def cipher_changes(self) -> Mapping[tuple[str, str], int]:
        """Where only the cipher changed: how often from one cipher to another."""
        pairs = (
            (
                cipher_of(comparison.baseline) or "none named",
                cipher_of(comparison.observation) or "none named",
            )
            for comparison in self.cells.values()
            if comparison.changed == ("cipher",)
        )
        return Counter(pairs)

    def worth_showing(self, cells: Iterable[GridCell]) -> bool:
        """Whether a line shows anything that the statement and the baseline's line do not.

        A line without any observation does not: the statement counts its cells. Neither does a
        time-out where the baseline's cell timed out too.
        """
        compared = [self.cells[cell.id] for cell in cells if cell.planned]
        standings = {each.standing for each in compared if not each.both_unobserved}
        return not (
            standings <= {DifferenceStanding.SAME} or standings == {DifferenceStanding.UNMEASURED}
        )


def differences(grid: Grid) -> dict[str, Differences]:
    """Each scenario but the baseline and the controls, by id; empty for a run without baseline."""
    baseline = next((scenario for scenario in grid.scenarios if scenario.id == BASELINE), None)
    if baseline is None:
        return {}
    others = (scenario for scenario in grid.scenarios if scenario is not baseline)
    titles = {offer: title.text for offer, title in offer_titles(grid.offers).items()}
    return {other.id: Differences(_compare_scenarios(other, baseline), titles) for other in others}


def compare_with_baseline(data: RunData, observation: Observation) -> BaselineComparison | None:
    """Compare one cell; None for the baseline, a control, or a run without baseline."""
    scenarios = {*data.run.axes.scenarios, *(cell.scenario for cell in data.observations)}
    if observation.scenario == BASELINE or is_control(observation.build):
        return None
    if BASELINE not in scenarios:
        return None
    place = (observation.service, observation.client, observation.offer)
    return BaselineComparison(
        observation, data.find("/".join((observation.build, BASELINE, *place)))
    )


def _compare_scenarios(
    scenario: ScenarioGrid, baseline: ScenarioGrid
) -> dict[str, BaselineComparison]:
    baseline_cells = {
        (row.build, table.service, cell.column): cell for table, row, cell in _table_cells(baseline)
    }
    pairs = [
        (cell, baseline_cells.get((row.build, table.service, cell.column)))
        for table, row, cell in _table_cells(scenario)
        if cell.planned
    ]
    return {cell.id: _compare_cells(cell, other) for cell, other in pairs}


def _table_cells(grid: ScenarioGrid) -> Iterator[tuple[ServiceTable, Row, GridCell]]:
    return ((table, row, cell) for table in grid.tables for row in table.rows for cell in row.cells)


def _compare_cells(cell: GridCell, other: GridCell | None) -> BaselineComparison:
    if other is None:
        why = f"it is no cell of {BASELINE} in this run"
        return BaselineComparison(cell.observation, None, why)
    why_none = other.why if cell.observation else cell.why
    return BaselineComparison(cell.observation, other.observation, why_none)


def _describe_appearance(observation: Observation | None) -> tuple[str, str, bool]:
    disagrees = observation is not None and observation.agree is False
    return outcome_of(observation), short_word(observation), disagrees
