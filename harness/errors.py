"""Errors that a user can act on: what failed, the likely cause, the next step.

Each class carries the exit code of the command line (design: "Exit codes").
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What the process returns: 0 as expected, each other value one kind of trouble."""

    OK = 0
    DIFFERS = 1
    INTERRUPTED = 2
    INFRASTRUCTURE = 3
    USAGE = 4
    NOTHING_SELECTED = 5


class HarnessError(Exception):
    """Base of all errors that are reported to the user without a traceback."""

    exit_code = ExitCode.INFRASTRUCTURE

    def __init__(self, what: str, *, cause: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.cause = cause
        self.next_step = next_step

    def __str__(self) -> str:
        lines = [self.what]
        if self.cause:
            lines.append(f"  likely cause: {self.cause}")
        if self.next_step:
            lines.append(f"  next step: {self.next_step}")
        return "\n".join(lines)


class InfrastructureError(HarnessError):
    """Docker, the disk, the network or an image let us down; nothing was measured by it."""


class SourceError(InfrastructureError):
    """A release's source could not be fetched, or is not the one that is pinned."""


class BuildError(InfrastructureError):
    """An image did not build, or is not what its labels say."""


class DoesNotBuildError(BuildError):
    """A compiler, linker or configure step refused: a finding about the release, not a failure.

    ``reason`` is the first complaint, in the tool's own words.
    """

    def __init__(self, name: str, reason: str, *, cause: str = "", next_step: str = "") -> None:
        super().__init__(f"{name} does not build: {reason}", cause=cause, next_step=next_step)
        self.reason = reason


class ContractError(BuildError):
    """An image of the user's does not keep the image contract; the message says where."""


class UsageError(HarnessError):
    """The command line, or a file that the user wrote, is wrong. Nothing was run."""

    exit_code = ExitCode.USAGE


class NothingSelectedError(HarnessError):
    """The selectors are well-formed and leave no cell."""

    exit_code = ExitCode.NOTHING_SELECTED


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A place in a user's file; ``line`` counts from 1, and is None where there is none."""

    file: Path
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        line = f":{self.line}" if self.line is not None else ""
        key = f": {self.key}" if self.key else ""
        return f"{self.file}{line}{key}"


class FileError(UsageError):
    """A user's file is wrong at a place that is named."""

    def __init__(
        self, place: FileLocation, what: str, *, expected: str = "", next_step: str = ""
    ) -> None:
        message = f"{place}: {what}"
        if expected:
            message += f" (expected {expected})"
        super().__init__(message, next_step=next_step)
        self.place = place
