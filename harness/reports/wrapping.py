"""Text for a terminal of 80 columns: wrapped at words, and never cut."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from harness.plain_text import escape_controls

WIDTH = 80
#: Columns of output that goes to a file or a pipe, or to a CI log.
FILE_WIDTH = 110


def wrap_text(text: str, indent: str = "", more: str | None = None) -> list[str]:
    """A paragraph as lines; ``more`` is the indent of all but the first, by default the same.

    A word that is longer than a line stays whole: it may be a path to be copied.
    """
    return textwrap.wrap(
        escape_controls(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if more is None else more,
        break_long_words=False,
        break_on_hyphens=False,
    )


def table_lines(head: Iterable[str], rows: Iterable[Iterable[str]], indent: str = "") -> list[str]:
    """A table, the first column as wide as needed; several blocks where the columns do not fit."""
    top, body = list(head), [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(top, *body, strict=True)]
    lines: list[str] = []
    for block in _group_columns(widths, WIDTH - len(indent)):
        if lines:
            lines.append("")
        for row in (top, *body):
            cells = [row[number].ljust(widths[number]) for number in (0, *block)]
            lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def _group_columns(widths: list[int], room: int) -> list[list[int]]:
    """The columns after the first, in groups that fit beside it; each group has at least one."""
    blocks: list[list[int]] = [[]]
    used = widths[0]
    for number, width in enumerate(widths[1:], start=1):
        if blocks[-1] and used + 2 + width > room:
            blocks.append([])
            used = widths[0]
        blocks[-1].append(number)
        used += 2 + width
    return blocks
