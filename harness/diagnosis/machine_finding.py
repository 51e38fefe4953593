"""One result of a check of this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class MachineStanding(StrEnum):
    """``failed``: no run can work; ``warning``: a run may miss something; ``unknown``: no result.

    A check is unknown if what it needs is missing, such as an engine.
    """

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MachineFinding:
    """A check by its name, its result in a sentence, and what to do ("" where it is ok)."""

    check: str
    standing: MachineStanding
    what: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class RunNeeds:
    """What a run without a selection needs on this machine.

    ``missing`` are the names of images that have to be built, ``outdated`` those of them that are
    there in an earlier form. ``download`` and ``disk`` are estimates in bytes, ``build_seconds``
    and ``measure_seconds`` estimates in seconds, from figures measured here or on two cores. The
    images are None where no engine says which are there.
    """

    cells: int
    images: int
    missing: tuple[str, ...] | None
    outdated: tuple[str, ...] = ()
    download: int = 0
    disk: int = 0
    build_seconds: float = 0.0
    measure_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings in the order of the checks, and what a run needs."""

    findings: tuple[MachineFinding, ...] = field(default_factory=tuple)
    needs: RunNeeds | None = None

    @property
    def can_run(self) -> bool:
        """Whether no check failed."""
        return all(each.standing is not MachineStanding.FAILED for each in self.findings)
