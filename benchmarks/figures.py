"""What the benchmark makes of its measurements. Pure."""

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
    """``done`` dialogues in ``seconds`` of wall time; ``cpu``: seconds of processor by place."""

    done: int
    seconds: float
    cpu: Mapping[str, float]

    @property
    def rate(self) -> float:
        """Dialogues a second."""
        return self.done / self.seconds

    def cpu_each(self, place: str) -> float:
        """Milliseconds of processor time that one dialogue took there."""
        return 1000 * self.cpu[place] / self.done


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, with the lowest and the highest beside it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of at least one value.

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


def ratio(engine: Sequence[Round], bare: Sequence[Round]) -> Spread:
    """Engine's rate over the bare loop's, pair by pair, so that a slow spell hits both sides.

    Raises:
        ValueError: the rounds do not come in pairs.
    """
    return Spread.of(one.rate / other.rate for one, other in zip(engine, bare, strict=True))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up; the first is text, the others figures."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "| " + " | ".join([first, *rest]) + " |"

    return "\n".join([line(lines[0]), line(rule), *map(line, lines[1:])])


def milestones(events: Iterable[tuple[float, Event]]) -> list[tuple[str, float]]:
    """When each kind of work began and ended in a run, in order; times as the events carry them.

    The kinds overlap by design, so these are points in time and not shares of a sum.
    """
    times: dict[str, list[float]] = {}
    for when, event in events:
        if (kind := _kind(event)) is not None:
            times.setdefault(kind, []).append(when)
    found = []
    for kind, points in times.items():
        found.append((f"first {kind}", min(points)))
        found.append((f"last {kind} (of {len(points)})", max(points)))
    return sorted(found, key=lambda one: one[1])


def _kind(event: Event) -> str | None:
    match event:
        case Step(text=text) if text.startswith("starting an instance"):
            return "instance started"
        case Step(text=text) if text.startswith("starting"):
            return "container started"
        case Seen(observation=seen):
            control = seen.build.startswith(CONTROL_PREFIX)
            return "control measured" if control else "cell measured"
        case _:
            return None
