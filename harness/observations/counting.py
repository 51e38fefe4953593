"""The figures of a run, counted from its observations. Pure; control cells are not counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.catalog.cells import is_control
from harness.observations.record import Observation, Outcome


@dataclass(frozen=True, slots=True)
class Counts:
    """``outcomes`` has only those that occur, in the vocabulary's order.

    ``views_compared`` counts the cells where both sides said what was negotiated, ``disagreements``
    those of them where they contradict each other, ``unconfirmed`` the accepted cells where one
    side did not say. ``obstacles`` counts what stood in the way of the cells that a server did not
    grant, most frequent first; a cell can have several. ``controls`` is the number of control cells
    besides.
    """

    measured: int
    outcomes: Mapping[str, int]
    views_compared: int
    disagreements: int
    unconfirmed: int
    controls: int
    obstacles: Mapping[str, int]


def count(observations: Iterable[Observation]) -> Counts:
    """Count observations, each of another cell."""
    seen = list(observations)
    cells = [one for one in seen if not is_control(one.build)]
    counts = Counter(one.outcome for one in cells)
    return Counts(
        measured=len(cells),
        outcomes={outcome.value: counts[outcome] for outcome in Outcome if counts[outcome]},
        views_compared=sum(one.agree is not None for one in cells),
        disagreements=sum(one.agree is False for one in cells),
        unconfirmed=sum(o.agree is None and o.outcome is Outcome.ACCEPTED for o in cells),
        controls=len(seen) - len(cells),
        obstacles=dict(
            Counter(
                obstacle
                for one in cells
                if one.outcome is not Outcome.CLIENT_INCAPABLE
                for obstacle in one.obstacles
            ).most_common()
        ),
    )
