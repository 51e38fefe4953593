"""A run in figures: counted from its observations, with what only the runner can know."""

from __future__ import annotations

from dataclasses import dataclass

from harness.observations.counting import Counts, count_outcomes
from harness.observations.run_folder import RunData
from harness.reports.labels import OBSTACLES
from harness.reports.taken_over import TakenCount, count_taken, describe_taken


@dataclass(frozen=True, slots=True)
class Summary:
    """``seconds`` and ``cells_per_second`` are the runner's; None for a run that did not finish.

    ``planned`` is the number of cells that the run's axes make; ``taken`` counts the results that
    are of earlier runs.
    """

    counts: Counts
    planned: int
    seconds: float | None
    cells_per_second: float | None
    taken: tuple[TakenCount, ...] = ()

    @property
    def taken_over(self) -> str:
        """What was taken over from earlier runs, as text; "" where nothing was."""
        return describe_taken(self.taken)

    @property
    def agreement(self) -> str:
        """The finding as text: ``0 of 880 views compared disagree``."""
        counts = self.counts
        return f"{counts.disagreements} of {counts.views_compared} views compared disagree"

    @property
    def obstacles(self) -> str:
        """Whose decision the refusals were, as text; "" where no refusal's is known."""
        counts = self.counts.obstacles.items()
        return ", ".join(f"{OBSTACLES.get(name, name)} {count}" for name, count in counts)


def summarise_run(data: RunData) -> Summary:
    """The figures of a run as read from its folder."""
    counts = count_outcomes(data.observations)
    closing = data.run.summary
    return Summary(
        counts=counts,
        planned=max(data.run.axes.planned(), counts.measured),
        seconds=closing.seconds if closing else None,
        cells_per_second=closing.cells_per_second if closing else None,
        taken=count_taken(data.observations),
    )
