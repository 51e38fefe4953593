"""What a tool did on one build, before anything is measured: plain data for judging and reports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.tools.file_changes import FileChange, without_compiled
from harness.tools.recorders import ServiceCall

#: Lines of a tool's output that messages show.
LAST_LINES = 12


@dataclass(frozen=True, slots=True)
class ToolExecution:
    """One execution of the tool.

    ``status`` is its exit status, None where it was ended at its time limit. ``output`` has both
    streams in order; ``seconds`` is wall time. ``calls`` are those of service managers.
    """

    status: int | None
    output: str
    seconds: float
    calls: tuple[ServiceCall, ...] = ()

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The end of the output."""
        return tuple(line for line in self.output.splitlines() if line.strip())[-LAST_LINES:]


@dataclass(frozen=True, slots=True)
class Complaint:
    """A line that postconf(1) or ``postfix check`` printed.

    ``line`` is the setting's in main.cf or master.cf, from 1; None where it is not known.
    """

    text: str
    file: str = ""
    line: int | None = None

    @property
    def place(self) -> str:
        """``main.cf:14``, or "" where it is not known."""
        return f"{self.file}:{self.line}" if self.line else self.file


class ToolFaultKind(StrEnum):
    """What is wrong with the tool itself; ``nothing changed`` is a warning."""

    FAILED = "failed"
    TIME_LIMIT = "time limit"
    NO_MAIN_CF = "no main.cf"
    NOT_IDEMPOTENT = "not idempotent"
    NOTHING_CHANGED = "nothing changed"
    UNREADABLE = "unreadable"

    @property
    def is_warning(self) -> bool:
        """Whether it leaves the exit code as it is."""
        return self is ToolFaultKind.NOTHING_CHANGED


@dataclass(frozen=True, slots=True)
class ToolFault:
    """One fault in a sentence, with the lines that show it, and what to do."""

    kind: ToolFaultKind
    text: str
    lines: tuple[str, ...] = ()
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool did on a build.

    ``changes`` are those of the first run, ``second_changes`` what the second changed after it.
    ``passing`` counts changed paths that are no configuration (logs, caches). ``complaints`` are
    what Postfix's own tools print afterwards, ``known_complaints`` what they printed before.
    ``left`` are the names in the configuration directory. ``skip``: why it was not tried.
    ``network``: whether it had one. ``base`` says in a few terms what it started from.
    """

    build: str
    base: str
    runs: tuple[ToolExecution, ...] = ()
    changes: tuple[FileChange, ...] = ()
    second_changes: tuple[FileChange, ...] = ()
    passing: int = 0
    complaints: tuple[Complaint, ...] = ()
    known_complaints: frozenset[str] = frozenset()
    config_directory: str = "/etc/postfix"
    left: tuple[str, ...] = ()
    skip: str = ""
    network: bool = False
    idempotent: bool = True
    time_limit: float = 0.0
    unreadable: str = ""

    @property
    def new_complaints(self) -> tuple[Complaint, ...]:
        """The complaints that the base did not cause."""
        return tuple(c for c in self.complaints if c.text not in self.known_complaints)

    @property
    def service_calls(self) -> tuple[ServiceCall, ...]:
        """What the first run had done with services, without questions."""
        calls = self.runs[0].calls if self.runs else ()
        return tuple(call for call in calls if not call.is_question)

    @property
    def configuration_changes(self) -> tuple[FileChange, ...]:
        """The changes in the configuration directory."""
        return tuple(c for c in self.changes if c.path.startswith(f"{self.config_directory}/"))

    @property
    def other_changes(self) -> tuple[FileChange, ...]:
        """The changes elsewhere."""
        of_configuration = self.configuration_changes
        return tuple(change for change in self.changes if change not in of_configuration)

    @property
    def repeated_changes(self) -> tuple[FileChange, ...]:
        """What the second run changed, without tables that were compiled again."""
        return without_compiled(self.second_changes)

    @property
    def has_main_cf(self) -> bool:
        """Whether the tool left a main.cf."""
        return "main.cf" in self.left
