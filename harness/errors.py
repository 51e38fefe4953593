"""Errors on which a user can act: what failed, the likely cause, the next step.

Each class has the exit code of the command line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from harness.counts import format_count

#: Longer names than this are compared with none: they are no slip of the hand.
_LONGEST_NAME = 80


class ExitCode(IntEnum):
    """The exit codes of the process: 0 for success, each other value for one kind of problem."""

    OK = 0
    DIFFERS = 1
    INTERRUPTED = 2
    INFRASTRUCTURE = 3
    USAGE = 4
    NOTHING_SELECTED = 5
    #: What a shell reports for a program that SIGPIPE ended: its output was closed, as by head(1).
    OUTPUT_CLOSED = 141


class OutputClosedError(Exception):
    """The reader of standard output has closed it; nothing is wrong with what was measured."""


class RunInterruptedError(KeyboardInterrupt):
    """The user stopped a run: ``folder`` has what was measured until then."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder


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
    """Docker, the disk, the network or an image failed, so that nothing was measured."""


class FaultError(InfrastructureError):
    """What a cell was measured with was ended, stopped or cut off; another try may succeed."""


class SourceError(InfrastructureError):
    """A release's source could not be fetched, or its checksum is not the recorded one."""


class BuildError(InfrastructureError):
    """An image did not build, or does not agree with its labels."""


class DoesNotBuildError(BuildError):
    """A compiler, linker or configure step failed: a finding about the release, not about us.

    ``reason`` is the first error message of the tool, verbatim.
    """

    def __init__(self, name: str, reason: str, *, cause: str = "", next_step: str = "") -> None:
        super().__init__(f"{name} does not build: {reason}", cause=cause, next_step=next_step)
        self.reason = reason


class ContractError(BuildError):
    """A user's image does not keep the image contract; the message states where."""


class UsageError(HarnessError):
    """The command line, or a file that the user wrote, has an error. Nothing was run."""

    exit_code = ExitCode.USAGE


class NothingSelectedError(HarnessError):
    """The selectors are valid, but they select no cell."""

    exit_code = ExitCode.NOTHING_SELECTED


def suggest_names(name: str, known: Iterable[str]) -> str:
    """``did you mean TLSv1.2 or TLSv1.3?``; "" where no known name is close to the given one."""
    if len(name) > _LONGEST_NAME:
        return ""
    by_lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(by_lower[each] for each in close)}?" if close else ""


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A place in a user's file; ``line`` counts from 1, and is None if it is unknown."""

    file: Path
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        line = f":{self.line}" if self.line is not None else ""
        key = f": {self.key}" if self.key else ""
        return f"{self.file}{line}{key}"


class FileError(UsageError):
    """A user's file has an error, and the message states its place."""

    def __init__(
        self,
        place: FileLocation,
        what: str,
        *,
        expected: str = "",
        cause: str = "",
        next_step: str = "",
    ) -> None:
        message = f"{place}: {what}"
        if expected:
            message += f" (expected {expected})"
        super().__init__(message, cause=cause, next_step=next_step)
        self.place = place


#: A message lists so many errors of a file, and counts the others.
MOST_ERRORS = 20


class FileErrors(UsageError):
    """Several errors in a user's files; ``errors`` has each with its place."""

    def __init__(self, errors: Iterable[FileError], subject: str, *, next_step: str = "") -> None:
        """``subject`` and its verb begin the message: "the scenarios have"."""
        # A union of types gives the same error for each of its members.
        self.errors = tuple({str(error): error for error in errors}.values())
        count = format_count(len(self.errors), "error")
        lines = [f"- {error.what}" for error in self.errors[:MOST_ERRORS]]
        if len(self.errors) > MOST_ERRORS:
            lines.append(f"- and {len(self.errors) - MOST_ERRORS} more")
        listed = "\n".join(lines)
        super().__init__(f"{subject} {count}, so nothing was run:\n{listed}", next_step=next_step)


def join_errors(
    errors: Sequence[FileError], subject: str, *, next_step: str = ""
) -> FileError | FileErrors:
    """The error of a file, if it has one; several together."""
    return errors[0] if len(errors) == 1 else FileErrors(errors, subject, next_step=next_step)
