"""What a run reports to its listener: the command line's display, a test, a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.observations.record import Observation
from harness.observations.run_json import Missing


@dataclass(frozen=True, slots=True)
class Step:
    """Something is being made ready: an image, a container, an instance. No text: it is ready."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class BuildBegun:
    """The build of an image begins; it took ``expected`` seconds before, None: it is the first."""

    name: str
    expected: float | None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about an image, or a registry, that the user should read."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Planned:
    """How many cells the run has, and how many of them an earlier run of the folder measured."""

    total: int
    done: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A cell was measured and recorded."""

    observation: Observation


@dataclass(frozen=True, slots=True)
class ScenarioMeasured:
    """All cells of a scenario on a build were measured, and its instance's evidence is kept."""

    build: str
    scenario: str


Event = Step | BuildBegun | Notice | Missing | Planned | Seen | ScenarioMeasured
Listener = Callable[[Event], None]

__all__ = [
    "BuildBegun",
    "Event",
    "Listener",
    "Missing",
    "Notice",
    "Planned",
    "ScenarioMeasured",
    "Seen",
    "Step",
]
