"""The Python API (:mod:`harness.api`)."""

from harness.api import (
    Configuration,
    ConfiguredPostfix,
    Event,
    HarnessError,
    MatrixEngine,
    Observation,
    Outcome,
    Stage,
    open_engine,
)

__all__ = [
    "Configuration",
    "ConfiguredPostfix",
    "Event",
    "HarnessError",
    "MatrixEngine",
    "Observation",
    "Outcome",
    "Stage",
    "open_engine",
]
