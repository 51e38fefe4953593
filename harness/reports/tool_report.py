"""What ``tool`` reports, ready to be shown in any format: the tool's own doings, then clients'."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.counts import format_count
from harness.reports.comparison_report import ComparisonReport
from harness.snapshots.blame import Blame
from harness.snapshots.recorded_candidate import SettingChange
from harness.tools.file_changes import FileChange
from harness.tools.judging import count_files, describe_change
from harness.tools.recorders import ServiceCall
from harness.tools.result import Complaint, ToolFault, ToolResult


@dataclass(frozen=True, slots=True)
class BuildReport:
    """One build's part. ``idle`` are TLS settings of the tool that no client notices.

    ``log`` are lines of Postfix's log that complain about what the tool left. ``trouble`` is why
    the tool could not be tried there, "" where it was.
    """

    result: ToolResult
    faults: tuple[ToolFault, ...] = ()
    idle: tuple[SettingChange, ...] = ()
    log: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ToolReport:
    """One report. ``clients`` is the comparison with what the tool started from.

    ``compared`` says what that is; ``policies`` are lines of the answers to policies, ``snapshot``
    the comparison with a snapshot; None where there is none.
    """

    title: str
    path: str
    builds: tuple[BuildReport, ...]
    clients: ComparisonReport | None = None
    policies: tuple[str, ...] = ()
    snapshot: ComparisonReport | None = None
    recorded: str = ""


def group_builds(
    builds: Iterable[BuildReport], key: Callable[[BuildReport], object]
) -> list[tuple[BuildReport, ...]]:
    """The builds of which a section says the same, in groups, in order."""
    grouped: dict[object, list[BuildReport]] = {}
    for build in builds:
        grouped.setdefault(key(build), []).append(build)
    return [tuple(group) for group in grouped.values()]


def list_configuration_changes(result: ToolResult) -> list[str]:
    """The diffs of the configuration's files, line by line."""
    return [
        line
        for change in result.configuration_changes
        if change.note != "a folder"
        for line in describe_change(change)
    ]


def name_builds(builds: Sequence[BuildReport]) -> str:
    """``debian-12, debian-13``."""
    return ", ".join(build.result.build for build in builds)


def describe_execution(result: ToolResult) -> str:
    """How the tool ended: ``exit 0 after 0.4 s``."""
    if not result.runs:
        return "it did not run"
    run = result.runs[0]
    if run.status is None:
        return f"ended at its limit of {result.time_limit:g} s"
    return f"exit {run.status} after {run.seconds:.1f} s"


def describe_second_run(result: ToolResult) -> str:
    """What the second run changed, in a sentence; "" where there was none."""
    if len(result.runs) < 2 or result.runs[1].status != 0:
        return ""
    repeated = [change.path for change in result.repeated_changes]
    text = f"changes {count_files(repeated)}" if repeated else "changes nothing"
    compiled = len(result.second_changes) - len(repeated)
    if compiled:
        text += f" but for {format_count(compiled, 'table')} that it compiles again"
    return text


def describe_calls(calls: Iterable[ServiceCall]) -> str:
    """The recorded calls, each once: ``systemctl reload postfix (2 times)``."""
    counted: dict[str, int] = {}
    for call in calls:
        counted[call.command] = counted.get(call.command, 0) + 1
    return "; ".join(
        command if number == 1 else f"{command} ({number} times)"
        for command, number in counted.items()
    )


def describe_complaint(complaint: Complaint) -> str:
    """``main.cf:14: unused parameter: …``."""
    return f"{complaint.place}: {complaint.text}" if complaint.place else complaint.text


def describe_idle(change: SettingChange) -> str:
    """``main.cf:44: smtpd_tls_mandatory_protocols = >=TLSv1.2``."""
    return f"{change.file}:{change.line}: {change.text}" if change.line else change.text


def list_other_changes(result: ToolResult, most: int = 12) -> list[str]:
    """The changes outside of the configuration directory, one text per file."""
    files = [change for change in result.other_changes if not _is_folder_only(change)]
    texts = [_describe_path(change) for change in files[:most]]
    if len(files) > most:
        texts.append(f"and {len(files) - most} more")
    return texts


def join_blames(blames: Iterable[Blame]) -> tuple[Blame, ...]:
    """Causes of several builds as one where they name the same settings."""
    joined: dict[tuple[object, ...], Blame] = {}
    for blame in blames:
        settings = tuple((s.name, s.entry, s.before, s.now, s.line) for s in blame.settings)
        key = (blame.kind, settings, blame.files, tuple(m.text for m in blame.versions))
        before = joined.get(key)
        cells = (*(before.cells if before else ()), *blame.cells)
        joined[key] = Blame(blame.kind, cells, blame.settings, blame.files, blame.versions)
    return tuple(joined.values())


def count_changed_lines(change: FileChange) -> tuple[int, int]:
    """How many lines a diff adds and removes."""
    added = sum(line.startswith("+") and not line.startswith("+++") for line in change.diff)
    removed = sum(line.startswith("-") and not line.startswith("---") for line in change.diff)
    return added, removed


def _describe_path(change: FileChange) -> str:
    details = ", ".join(filter(None, (change.note, change.modes)))
    if not details and change.diff:
        added, removed = count_changed_lines(change)
        details = f"+{added} -{removed}"
    return f"{change.kind} {change.path}" + (f" ({details})" if details else "")


def _is_folder_only(change: FileChange) -> bool:
    return change.note == "a folder" and not change.modes


def faults_of(report: ToolReport) -> Mapping[str, tuple[ToolFault, ...]]:
    """The tool's faults by build."""
    return {build.result.build: build.faults for build in report.builds}
