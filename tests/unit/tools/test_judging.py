"""What is wrong with a tool itself: failed, without end, without main.cf, not idempotent, idle."""

from __future__ import annotations

from dataclasses import replace

from harness.tools.file_changes import FileKindOf, PathState, compare_files
from harness.tools.judging import judge_tool
from harness.tools.result import ToolExecution, ToolFaultKind, ToolResult

MAIN = "/etc/postfix/main.cf"


def changed(before: str, after: str, path: str = MAIN) -> ToolResult:
    """A result whose second run changed a file."""
    states = [PathState(FileKindOf.FILE, 0o644, data=text.encode()) for text in (before, after)]
    return replace(
        GOOD,
        second_changes=compare_files({path: states[0]}, {path: states[1]}),
    )


RUN = ToolExecution(0, "fine\n", 0.5)
GOOD = ToolResult(
    "debian-13",
    "stock",
    runs=(RUN, RUN),
    changes=compare_files({}, {MAIN: PathState(FileKindOf.FILE, 0o644, data=b"a = b\n")}),
    left=("main.cf", "master.cf"),
    time_limit=5.0,
)


def kinds(result: ToolResult) -> list[ToolFaultKind]:
    """The kinds of its faults."""
    return [fault.kind for fault in judge_tool(result)]


def test_a_good_tool_has_no_fault() -> None:
    """Protects users from false alarms."""
    assert judge_tool(GOOD) == ()


def test_a_failure_has_its_status_and_last_lines() -> None:
    """Protects the first question after a failure: what did the tool print at last?"""
    run = ToolExecution(2, "".join(f"line {n}\n" for n in range(50)), 1.0)
    (fault,) = judge_tool(replace(GOOD, runs=(run,)))
    assert fault.text == "the tool failed on debian-13: exit 2"
    assert fault.lines[-1] == "line 49"
    assert len(fault.lines) == 12
    assert fault.next_step == ""


def test_a_failure_for_want_of_a_network_says_so() -> None:
    """Protects who wonders: the network is none, which one line of the description changes."""
    run = ToolExecution(100, "Temporary failure resolving 'deb.debian.org'\n", 1.0)
    (fault,) = judge_tool(replace(GOOD, runs=(run,)))
    assert "`network = true`" in fault.next_step
    (with_network,) = judge_tool(replace(GOOD, runs=(run,), network=True))
    assert with_network.next_step == ""


def test_a_tool_without_end() -> None:
    """Protects CI: the limit is named, and how to change it."""
    (fault,) = judge_tool(replace(GOOD, runs=(ToolExecution(None, "", 5.0),)))
    assert fault.kind is ToolFaultKind.TIME_LIMIT
    assert "within 5 s" in fault.text


def test_no_main_cf_names_what_is_there() -> None:
    """Protects who mistyped a path: what lies in the folder instead is listed."""
    (fault,) = judge_tool(replace(GOOD, left=("main.cf.new", "master.cf")))
    assert fault.kind is ToolFaultKind.NO_MAIN_CF
    assert fault.lines == ("/etc/postfix has: main.cf.new, master.cf",)


def test_a_second_run_that_changes_something() -> None:
    """Protects idempotence, with the file and the diff; a description can accept it."""
    result = changed("a = b\n", "a = b\na = b\n")
    (fault,) = judge_tool(result)
    assert fault.kind is ToolFaultKind.NOT_IDEMPOTENT
    assert MAIN in fault.text
    assert "+a = b" in fault.lines
    assert kinds(replace(result, idempotent=False)) == []


def test_a_second_run_that_fails() -> None:
    """Protects from tools that only work once."""
    (fault,) = judge_tool(replace(GOOD, runs=(RUN, ToolExecution(1, "exists\n", 0.1))))
    assert fault.text == "the tool failed on debian-13 when it ran again: exit 1"


def test_compiling_a_table_again_is_no_fault() -> None:
    """Protects tools that call newaliases(1) each time."""
    assert kinds(changed("\0a", "\0b", "/etc/aliases.db")) == []


def test_nothing_changed_is_a_warning() -> None:
    """Protects from a tool that ends with 0 and did nothing."""
    (fault,) = judge_tool(replace(GOOD, changes=()))
    assert fault.kind is ToolFaultKind.NOTHING_CHANGED
    assert fault.kind.is_warning


def test_a_tool_that_is_skipped_has_no_fault() -> None:
    """Protects [on."GLOB"] skip."""
    assert judge_tool(ToolResult("ubuntu-16.04", "", skip="too old")) == ()
