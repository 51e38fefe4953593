"""The last lines of a command that measured: where the run is, and what went wrong in it."""

from __future__ import annotations

from harness.cli.printing import print_text
from harness.observations.run_folder import RunData
from harness.reports.problems import describe_problems


def print_run_place(data: RunData | None, *, blank_line: bool = True) -> None:
    """Print on standard error where a run is, and what was not measured; None: nothing was."""
    if data is None:
        return
    if blank_line:
        print_text(err=True)
    print_text(f"The run is in {data.folder}", err=True)
    print_problems(data)


def print_problems(data: RunData) -> None:
    """Print on standard error what could not be measured in a run; nothing if all was."""
    if problems := describe_problems(data):
        print_text(problems, err=True)
