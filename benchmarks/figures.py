"""Calculates the figures of a benchmark from its measurements."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.catalog.cells import CONTROL_PREFIX
from harness.run.events import (
    Event,
    Seen,
    Step,
)


@dataclass(frozen=True, slots=True)
class Round:
    """``done`` dialogues in ``seconds`` of wall time; ``cpu``: processor seconds by place."""

    done: int
    seconds: float
    cpu: Mapping[str, float]

    @property
    def rate(self) -> float:
        """Dialogues per second."""
        return self.done / self.seconds

    def cpu_each(self, place: str) -> float:
        """Milliseconds of processor time that one dialogue took in a place."""
        return 1000 * self.cpu[place] / self.done


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of at least one value.

        Raises:
            ValueError: there is none.
        """
        known = list(values)
        if not known:
            raise ValueError("no values to summarise: no round was measured")
        return cls(statistics.median(known), min(known), max(known))

    def text(self, digits: int) -> str:
        """``61.2 (58.0–64.9)``."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


def rate_ratio(engine: Sequence[Round], bare: Sequence[Round]) -> Spread:
    """The engine's rate over the bare loop's, by pairs, so that a slow phase affects both sides.

    Raises:
        ValueError: the rounds do not come in pairs.
    """
    return Spread.of(
        engine_round.rate / bare_round.rate
        for engine_round, bare_round in zip(engine, bare, strict=True)
    )


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with aligned columns; the first has text, the others figures."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]

    def format_line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "| " + " | ".join([first, *rest]) + " |"

    return "\n".join([format_line(lines[0]), format_line(rule), *map(format_line, lines[1:])])


def find_milestones(events: Iterable[tuple[float, Event]]) -> list[tuple[str, float]]:
    """When each kind of work began and ended in a run, in order, by the times of the events.

    The kinds overlap by design, so these are points in time and not shares of a sum.
    """
    times: dict[str, list[float]] = {}
    for when, event in events:
        if (kind := _event_kind(event)) is not None:
            times.setdefault(kind, []).append(when)
    milestones = []
    for kind, points in times.items():
        milestones.append((f"first {kind}", min(points)))
        milestones.append((f"last {kind} (of {len(points)})", max(points)))
    return sorted(milestones, key=lambda milestone: milestone[1])


def _event_kind(event: Event) -> str | None:
    match event:
        case Step(text=text) if text.startswith("starting an instance"):
            return "instance started"
        case Step(text=text) if text.startswith("starting"):
            return "container started"
        case Seen(observation=observation):
            control = observation.build.startswith(CONTROL_PREFIX)
            return "control measured" if control else "cell measured"
        case _:
            return None
