"""The figures of a run, counted anew from its observations; control cells are not counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from harness.catalog.cells import CONTROL_PREFIX
from harness.observations.record import Observation, Outcome
from harness.observations.rundir import RunData


@dataclass(frozen=True, slots=True)
class Summary:
    """``seconds`` and ``cells_per_second`` are the runner's; None for a run that was not finished.

    ``views_compared`` counts the cells where both sides said what was negotiated; ``unconfirmed``
    the accepted ones where one side did not say.
    """

    planned: int
    measured: int
    outcomes: Mapping[str, int]
    views_compared: int
    disagreements: int
    unconfirmed: int
    controls: int
    seconds: float | None
    cells_per_second: float | None

    @property
    def not_measured(self) -> int:
        """Planned cells that have no observation."""
        return max(0, self.planned - self.measured)

    @property
    def agreement(self) -> str:
        """The finding in words: ``0 of 880 views compared disagree``."""
        return f"{self.disagreements} of {self.views_compared} views compared disagree"


def summarise(data: RunData) -> Summary:
    """Count a run. Planned is the runner's figure, or the product of the axes."""
    cells = [seen for seen in data.observations if not is_control(seen)]
    counts = Counter(seen.outcome for seen in cells)
    closing = data.run.summary
    return Summary(
        planned=max(_planned(data), len(cells)),
        measured=len(cells),
        outcomes={outcome.value: counts[outcome] for outcome in Outcome if counts[outcome]},
        views_compared=sum(seen.agree is not None for seen in cells),
        disagreements=sum(seen.agree is False for seen in cells),
        unconfirmed=sum(s.agree is None and s.outcome is Outcome.ACCEPTED for s in cells),
        controls=len(data.observations) - len(cells),
        seconds=closing.seconds if closing else None,
        cells_per_second=closing.cells_per_second if closing else None,
    )


def _planned(data: RunData) -> int:
    axes = data.run.axes
    sides = (axes.builds, axes.scenarios, axes.services, axes.clients, axes.offers)
    return prod(len(side) for side in sides)


def is_control(seen: Observation) -> bool:
    """Whether the cell measured a control server of ours instead of a build under test."""
    return seen.build.startswith(CONTROL_PREFIX)
