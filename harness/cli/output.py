"""Standard output for people: as wide as the terminal, else wide enough for a table."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NoReturn

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from harness.errors import OutputClosedError
from harness.plain_text import escape_controls, is_safe

#: Columns of output that goes to a file or a pipe; a CI log has no width of its own.
FILE_WIDTH = 110


class HarmlessConsole(Console):
    """A console on which no text has control characters; its own styles stay."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """The segments of something printable, each made harmless.

        Tables are laid out before: what has such characters should be escaped before, too.
        """
        for segment in super().render(renderable, options):
            if segment.control or is_safe(segment.text):
                yield segment
            else:
                yield Segment(escape_controls(segment.text), segment.style)


class OutputConsole(HarmlessConsole):
    """A console that reports a closed output, where rich would exit with the code of "differs"."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise :class:`OutputClosedError`."""
        self.quiet = True
        raise OutputClosedError


def output_console() -> HarmlessConsole:
    """A console on standard output."""
    return OutputConsole(width=None if sys.stdout.isatty() else FILE_WIDTH)
