"""How many results a run took over from earlier ones, and of when they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.catalog.cells import is_control
from harness.counts import format_count
from harness.observations.record import Observation, TakenOver


@dataclass(frozen=True, slots=True)
class TakenCount:
    """The cells that one earlier run measured: cells under test, and controls' cells."""

    run: str
    measured: str
    cells: int
    controls: int


def count_taken(observations: Iterable[Observation]) -> tuple[TakenCount, ...]:
    """One count for each run that measured cells of these, the oldest first."""
    counts: dict[TakenOver, list[int]] = {}
    for observation in observations:
        if (origin := observation.taken_over) is not None:
            counts.setdefault(origin, [0, 0])[is_control(observation.build)] += 1
    in_order = sorted(counts.items(), key=lambda item: (item[0].measured, item[0].run))
    return tuple(TakenCount(origin.run, origin.measured, *count) for origin, count in in_order)


def describe_taken(counts: tuple[TakenCount, ...]) -> str:
    """The counts as text; "" where nothing was taken over.

    ``2400 cells and 350 of controls, measured by run 20261130T124326Z-355b of 2026-11-30 12:43
    UTC``; of several runs their number, and the times of the first and the last.
    """
    if not counts:
        return ""
    cells, controls = (sum(c.cells for c in counts), sum(c.controls for c in counts))
    parts = [format_count(cells, "cell")] if cells else []
    if controls:
        parts.append(f"{controls} of controls" if cells else format_count(controls, "control cell"))
    times = list(dict.fromkeys(format_time(count.measured) for count in counts))
    when = f"of {times[0]} UTC" if len(times) == 1 else f"of {times[0]} to {times[-1]} UTC"
    runs = f"run {counts[0].run}" if len(counts) == 1 else f"{len(counts)} runs"
    return f"{' and '.join(parts)}, measured by {runs} {when}"


def describe_origin(origin: TakenOver) -> str:
    """Where one cell's result is from: ``measured by run … of 2026-11-30 12:43 UTC``."""
    return f"measured by run {origin.run} of {format_time(origin.measured)} UTC"


def taken_data(observations: Iterable[Observation]) -> list[dict[str, Any]]:
    """The counts as JSON values, for the answers to other programs."""
    return [
        {
            "run": count.run,
            "measured": count.measured,
            "cells": count.cells,
            "controls": count.controls,
        }
        for count in count_taken(observations)
    ]


def format_time(text: str) -> str:
    """``2026-11-30 12:43`` from an ISO 8601 time."""
    return text[:16].replace("T", " ")
