"""Cells that an earlier run measured, as a run takes them over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from harness.catalog.cells import Cell
from harness.observations.journal import Journal
from harness.observations.record import Observation
from harness.tls import Offer


class KnownCells(Protocol):
    """Where cells are taken over from: a run folder (``run.reuse``), or the cell cache."""

    @property
    def images(self) -> Mapping[str, dict[str, Any]]:
        """The records, for run.json, of the images of what was taken over so far."""

    def take_cells(self, journal: Journal) -> Sequence[Observation]:
        """Record the plan's cells that need not be measured, and return them."""

    def take_control(self, cell: Cell, journal: Journal) -> Observation | None:
        """Record a control's cell and return it; None: it must be measured."""

    def knows_controls_of(self, client: str, offer: Offer) -> bool:
        """Whether some control's cell with a client and offer can be taken."""
