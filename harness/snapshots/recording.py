"""Measuring what a snapshot records: once, and once more what showed nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from harness.observations.record import Observation, Outcome
from harness.scenarios.scenario import Scenario
from harness.snapshots.blame import Measure
from harness.snapshots.checking import AGAIN
from harness.snapshots.comparison import why_unmeasured
from harness.snapshots.snapshot import Measurement
from harness.snapshots.values import CellPlace, why_inconclusive


def measure_twice(
    measure: Measure, candidate: Scenario, places: Collection[CellPlace]
) -> Measurement:
    """Measure cells, and once more, one at a time, those that timed out or failed."""
    nothing = Measurement({})
    first = measure([candidate], places, False).get(candidate.id, nothing)
    doubtful = [place for place in places if _is_doubtful(first.cells.get(place))]
    if not doubtful:
        return first
    again = replace(candidate, id=f"{candidate.id}{AGAIN}-1")
    second = measure([again], doubtful, True).get(again.id, nothing)
    return replace(first, cells={**first.cells, **second.cells})


def find_unrecorded(measurement: Measurement, places: Sequence[CellPlace]) -> dict[CellPlace, str]:
    """Why some of the measured places are not recorded, though they may show something.

    Not among them are offers that a client cannot make: these show nothing, however often they are
    measured.
    """
    unrecorded = {}
    for place in places:
        observation = measurement.cells.get(place)
        if observation is None:
            unrecorded[place] = why_unmeasured(place, measurement)
        elif _is_doubtful(observation):
            unrecorded[place] = why_inconclusive(observation)
    return unrecorded


def _is_doubtful(observation: Observation | None) -> bool:
    """Whether a cell may show something when it is measured again."""
    if observation is None or observation.outcome is Outcome.CLIENT_INCAPABLE:
        return False
    return bool(why_inconclusive(observation))
