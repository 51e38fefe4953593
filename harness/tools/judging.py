"""What is wrong with a tool itself, whatever clients notice of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.tools.file_changes import FileChange
from harness.tools.result import ToolExecution, ToolFault, ToolFaultKind, ToolResult

#: Lines of the second run's diff that a fault shows.
MOST_LINES = 40
#: What programs print where there is no network: glibc, musl, apt, curl, pip, Go, Java.
_NO_NETWORK = re.compile(
    r"Temporary failure (?:in name resolution|resolving)|Network is unreachable"
    r"|Could not resolve|could not resolve host|Name or service not known|bad address '"
    r"|getaddrinfo|No address associated with hostname|NewConnectionError|UnknownHostException"
    r"|dial tcp: lookup",
    re.IGNORECASE,
)
_ALLOW_NETWORK = "network is none; `network = true` in its description allows it"


def judge_tool(result: ToolResult) -> tuple[ToolFault, ...]:
    """The tool's faults on one build, the gravest first; none where it was skipped."""
    return () if result.skip else tuple(_find_faults(result))


def _find_faults(result: ToolResult) -> Iterator[ToolFault]:
    first = result.runs[0] if result.runs else None
    if first is not None and first.status != 0:
        yield _describe_failure(result, first, "")
        return
    if not result.has_main_cf:
        left = ", ".join(result.left) or "nothing"
        text = f"the tool left no main.cf on {result.build}"
        yield ToolFault(
            ToolFaultKind.NO_MAIN_CF,
            text,
            (f"{result.config_directory} has: {left}",),
            "see that it writes main.cf there, or name another base",
        )
        return
    if result.unreadable:
        text = f"what the tool left on {result.build} cannot be read: {result.unreadable}"
        yield ToolFault(ToolFaultKind.UNREADABLE, text)
    if not result.changes:
        text = f"the tool changed nothing on {result.build}"
        yield ToolFault(
            ToolFaultKind.NOTHING_CHANGED, text, first.last_lines if first is not None else ()
        )
    yield from _judge_second_run(result)


def _describe_failure(result: ToolResult, run: ToolExecution, which: str) -> ToolFault:
    """The fault of a run that failed or was ended."""
    hint = ""
    if not result.network and _NO_NETWORK.search(run.output):
        hint = _ALLOW_NETWORK
    if run.status is None:
        text = f"the tool did not end on {result.build} within {result.time_limit:g} s{which}"
        hint = hint or "`time_limit` in its description is the limit, in seconds"
        return ToolFault(ToolFaultKind.TIME_LIMIT, text, run.last_lines, hint)
    text = f"the tool failed on {result.build}{which}: exit {run.status}"
    return ToolFault(ToolFaultKind.FAILED, text, run.last_lines, hint)


def _judge_second_run(result: ToolResult) -> Iterator[ToolFault]:
    """The faults of the second run, where the tool is said to be idempotent."""
    if len(result.runs) < 2:
        return
    second = result.runs[1]
    if second.status != 0:
        yield _describe_failure(result, second, " when it ran again")
        return
    repeated = result.repeated_changes
    if repeated and result.idempotent:
        paths = [change.path for change in repeated]
        text = f"a second run on {result.build} changes {count_files(paths)} again"
        lines = tuple(line for change in repeated for line in describe_change(change))
        more = len(lines) - MOST_LINES
        if more > 0:
            lines = (*lines[:MOST_LINES], f"... and {more} more lines")
        hint = "`idempotent = false` in its description accepts it"
        yield ToolFault(ToolFaultKind.NOT_IDEMPOTENT, text, lines, hint)


def count_files(paths: list[str]) -> str:
    """``/etc/postfix/main.cf``, or ``3 files``."""
    return paths[0] if len(paths) == 1 else f"{len(paths)} files"


def describe_change(change: FileChange) -> Iterator[str]:
    """A change as lines: what became of the path, then its diff."""
    details = ", ".join(filter(None, (change.note, change.modes)))
    yield f"{change.kind} {change.path}" + (f" ({details})" if details else "")
    yield from change.diff
