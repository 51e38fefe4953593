"""Standard output for people: rich's console, as wide and as colourful as standard output is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Literal, NoReturn

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from harness.cli.terminal import is_styled, terminal_columns
from harness.errors import OutputClosedError
from harness.plain_text import escape_controls, is_safe
from harness.widths import FILE_WIDTH, LEAST_WIDTH


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
    styled = is_styled()
    return OutputConsole(
        width=max(terminal_columns() or FILE_WIDTH, LEAST_WIDTH),
        force_terminal=styled,
        color_system=_color_system() if styled else None,
        no_color=not styled,
    )


def _color_system() -> Literal["auto", "standard"]:
    """For rich, TERM=dumb is stronger than FORCE_COLOR."""
    return "standard" if os.environ.get("TERM") == "dumb" else "auto"
