"""Whether to measure what takes long: how many cells, about how long, and the user's word."""

from __future__ import annotations

import sys

import click

from harness.errors import UsageError

#: Cells a second that are reckoned with: two cores measure 20 to 60, by the clients.
CELLS_A_SECOND = 20
#: Seconds until the first cell: images, clients and controls start.
START = 5
#: Above this many seconds, it is asked first.
LONG = 60


def expected_seconds(cells: int) -> int:
    """About how long cells take to measure, in seconds."""
    return START + -(-cells // CELLS_A_SECOND)


def duration(seconds: int) -> str:
    """``40 seconds``, ``3 minutes``."""
    return f"{seconds} seconds" if seconds <= 90 else f"{round(seconds / 60)} minutes"


def agreed(what: str, cells: int, *, yes: bool, quiet: bool = False) -> None:
    """Say how much will be measured, and ask where it takes longer than a minute.

    Args:
        what: what measures it, for the sentence: "explain".
        cells: how many.
        yes: the user has agreed beforehand.
        quiet: nothing is said where nothing is asked.

    Raises:
        UsageError: it would take long, and there is nobody to ask.
        click.Abort: the user does not want it.
    """
    seconds = expected_seconds(cells)
    told = (
        f"{what} measures {cells} cells, in about {duration(seconds)} "
        f"(at {CELLS_A_SECOND} cells a second)"
    )
    if seconds <= LONG or yes:
        if not quiet:
            click.echo(told, err=True)
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"{told}, and there is no terminal to ask on whether it may",
            next_step="say --yes, or choose fewer builds (-b), services (-S), clients (-c) or "
            "offers (-o)",
        )
    click.confirm(f"{told}. Go on?", default=True, abort=True, err=True)
