"""Asks the user before a long measurement: how many cells, and about how long they take."""

from __future__ import annotations

import sys

import click

from harness.cli.printing import print_text
from harness.errors import UsageError

#: The estimate of cells per second: two cores measure 20 to 60, depending on the clients.
CELLS_A_SECOND = 20
#: Seconds until the first cell: images, clients and controls start.
START = 5
#: A measurement that takes more seconds than this is confirmed first.
LONG = 60


def expected_seconds(cells: int) -> int:
    """About how long cells take to measure, in seconds."""
    return START + -(-cells // CELLS_A_SECOND)


def format_duration(seconds: int) -> str:
    """``40 seconds``, ``3 minutes``."""
    return f"{seconds} seconds" if seconds <= 90 else f"{round(seconds / 60)} minutes"


def confirm_measuring(what: str, cells: int, *, yes: bool, quiet: bool = False) -> None:
    """Print how much will be measured, and ask first where it takes longer than a minute.

    Args:
        what: the command that measures, for the message: "explain".
        cells: the number of cells.
        yes: the user has agreed beforehand.
        quiet: print nothing unless there is a question.

    Raises:
        UsageError: it would take long, and there is no terminal to ask on.
        click.Abort: the user declined.
    """
    seconds = expected_seconds(cells)
    message = (
        f"{what} measures {cells} cells, in about {format_duration(seconds)} "
        f"(at {CELLS_A_SECOND} cells a second)"
    )
    if seconds <= LONG or yes:
        if not quiet:
            print_text(message, err=True)
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"{message}, and there is no terminal to ask on",
            next_step="add --yes, or select fewer builds (-b), services (-S), clients (-c) or "
            "offers (-o)",
        )
    click.confirm(f"{message}. Go on?", default=True, abort=True, err=True)
