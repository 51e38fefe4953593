"""The newest observation of every cell, and what a further run changes.

A run replaces the cells that it measured, and no other: what an incomplete run or one with fewer
clients lacks stays as it was, with the run that measured it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from harness.catalog.cells import is_control
from harness.site.cells import NONE, CellColumns, CellRow, CellTables
from harness.site.result_comparison import ResultComparer
from harness.site.run_reading import unique_rows
from harness.snapshots.findings import DIFFERENCES, Finding

#: Makes the evidence of a scenario on a build of the new run into a shard: its path's number.
ShardMaker = Callable[[int, int, list[CellRow]], int]
_Spot = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class CellChange:
    """A cell that behaves otherwise than when it was last known; ``flaky``: without a cause."""

    row: CellRow
    before: int
    finding: Finding
    flaky: bool


@dataclass(slots=True)
class MergedCells:
    """The cells after a run. ``before``: the runs compared with, by number."""

    cells: CellColumns = field(default_factory=CellColumns)
    changes: list[CellChange] = field(default_factory=list)
    before: set[int] = field(default_factory=set)
    compared: int = 0
    added: int = 0


@dataclass(slots=True)
class CellMerger:
    """Merges a run into the cells as they were.

    ``started`` is when each run started, by its number. ``rewritten`` are the scenarios whose text
    is another in the new run: their old cells are of another candidate, and go. ``renewed`` are the
    clients whose image is another in the new run.
    """

    tables: CellTables
    comparer: ResultComparer
    started: Mapping[int, str]
    make_shard: ShardMaker
    rewritten: Collection[int] = ()
    renewed: Collection[int] = ()

    def merge(self, current: CellColumns, new: CellColumns) -> MergedCells:
        """The cells after the run, in the order of the scenarios and builds."""
        merged = MergedCells()
        for scenario, build in dict.fromkeys((*current.groups(), *new.groups())):
            old = [] if scenario in self.rewritten else current.group(scenario, build)
            rows = unique_rows(new.group(scenario, build))
            for row in self._merge_group(old, rows, merged) if rows else old:
                merged.cells.append(row)
        return merged

    def _merge_group(
        self, old: list[CellRow], new: list[CellRow], merged: MergedCells
    ) -> list[CellRow]:
        by_spot = {_spot_of(row): row for row in old}
        newer = [row for row in new if self._is_newer(row, by_spot.get(_spot_of(row)))]
        shard = self._choose_shard(newer, by_spot)
        control = is_control(self.tables.build.names[new[0].build])
        rows = dict(by_spot)
        for row in newer:
            before = by_spot.get(_spot_of(row))
            kept = before.shard if before is not None else NONE
            rows[_spot_of(row)] = self._follow_known(row, before)._replace(
                shard=kept if shard is None else shard
            )
            if not control:
                self._note_change(row, before, merged)
        return list(rows.values())

    def _is_newer(self, row: CellRow, before: CellRow | None) -> bool:
        return before is None or self.started[row.run] >= self.started[before.run]

    def _choose_shard(self, new: list[CellRow], by_spot: Mapping[_Spot, CellRow]) -> int | None:
        """A new shard; None where each cell is as in the shard that it has."""
        if all(self._is_in_shard(row, by_spot.get(_spot_of(row))) for row in new):
            return None
        return self.make_shard(new[0].scenario, new[0].build, new)

    def _is_in_shard(self, row: CellRow, before: CellRow | None) -> bool:
        return (
            before is not None
            and before.shard != NONE
            and (before.image, before.config) == (row.image, row.config)
            and self.comparer.shows_same(row.offer, before.result, row.result)
        )

    def _follow_known(self, row: CellRow, before: CellRow | None) -> CellRow:
        """The row with the newest conclusive result, where its own shows nothing."""
        if before is None or self.comparer.values(row.offer, row.result) is not None:
            return row
        if self.comparer.values(row.offer, before.result) is None:
            return row._replace(
                known=before.known,
                known_run=before.known_run,
                known_image=before.known_image,
                known_config=before.known_config,
            )
        return row._replace(
            known=before.result,
            known_run=before.run,
            known_image=before.image,
            known_config=before.config,
        )

    def _note_change(self, row: CellRow, before: CellRow | None, merged: MergedCells) -> None:
        conclusive = self.comparer.values(row.offer, row.result) is not None
        if before is None:
            merged.added += conclusive
            return
        known = self._last_known(before)
        if known is None or not conclusive or row.run == known.run:
            return
        merged.compared += 1
        merged.before.add(known.run)
        finding = self.comparer.find_change(row.offer, known.result, row.result)
        if finding in DIFFERENCES:
            unchanged = (known.image, known.config) == (row.image, row.config)
            flaky = unchanged and row.image != NONE and row.client not in self.renewed
            merged.changes.append(CellChange(row, known.result, finding, flaky))

    def _last_known(self, before: CellRow) -> CellRow | None:
        """A row with the newest result that shows something, its run, image and configuration."""
        if self.comparer.values(before.offer, before.result) is not None:
            return before
        if before.known == NONE:
            return None
        return before._replace(
            result=before.known,
            run=before.known_run,
            image=before.known_image,
            config=before.known_config,
        )


def _spot_of(row: CellRow) -> _Spot:
    return row.service, row.client, row.offer
