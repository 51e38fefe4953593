"""Standard output for people: as wide as the terminal, else wide enough for a table."""

from __future__ import annotations

import sys

from rich.console import Console

#: Columns of output that goes to a file or a pipe; a CI log has no width of its own.
FILE_WIDTH = 110


def output_console() -> Console:
    """A console on standard output."""
    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
