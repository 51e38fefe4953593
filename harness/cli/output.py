"""Standard output for people: as wide as the terminal, else wide enough for a table."""

from __future__ import annotations

import sys
from typing import NoReturn

from rich.console import Console

from harness.errors import OutputClosedError

#: Columns of output that goes to a file or a pipe; a CI log has no width of its own.
FILE_WIDTH = 110


class OutputConsole(Console):
    """A console that reports a closed output, where rich would exit with the code of "differs"."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise :class:`OutputClosedError`."""
        self.quiet = True
        raise OutputClosedError


def output_console() -> Console:
    """A console on standard output."""
    return OutputConsole(width=None if sys.stdout.isatty() else FILE_WIDTH)
