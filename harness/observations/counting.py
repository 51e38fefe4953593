"""The figures of a run, counted from its observations. Control cells are not counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.catalog.cells import is_control
from harness.observations.record import Observation, Outcome


@dataclass(frozen=True, slots=True)
class Counts:
    """``outcomes`` has only those that occur, in the vocabulary's order.

    ``views_compared`` counts the cells for which both sides reported what was negotiated,
    ``disagreements`` those among them where the two reports contradict each other, and
    ``unconfirmed`` the accepted cells for which one side reported nothing. ``obstacles`` counts
    what prevented the cells that a server did not grant, most frequent first; a cell can have
    several. ``controls`` is the number of control cells, which are counted separately;
    ``taken_over`` of the ``measured`` cells an earlier run measured.
    """

    measured: int
    outcomes: Mapping[str, int]
    views_compared: int
    disagreements: int
    unconfirmed: int
    controls: int
    obstacles: Mapping[str, int]
    taken_over: int = 0


def count_outcomes(observations: Iterable[Observation]) -> Counts:
    """Count observations, each of a different cell."""
    every = list(observations)
    cells = [cell for cell in every if not is_control(cell.build)]
    counts = Counter(cell.outcome for cell in cells)
    return Counts(
        measured=len(cells),
        outcomes={outcome.value: counts[outcome] for outcome in Outcome if counts[outcome]},
        views_compared=sum(cell.agree is not None for cell in cells),
        disagreements=sum(cell.agree is False for cell in cells),
        unconfirmed=sum(o.agree is None and o.outcome is Outcome.ACCEPTED for o in cells),
        controls=len(every) - len(cells),
        obstacles=dict(
            Counter(
                obstacle
                for cell in cells
                if cell.outcome is not Outcome.CLIENT_INCAPABLE
                for obstacle in cell.obstacles
            ).most_common()
        ),
        taken_over=sum(cell.taken_over is not None for cell in cells),
    )
