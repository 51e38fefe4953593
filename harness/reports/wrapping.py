"""Text and tables as wide as the reader's terminal: wrapped at words, and never cut."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from harness.plain_text import escape_controls
from harness.widths import table_width, text_width


def cell_len(text: str) -> int:
    """The columns that a text takes in a terminal, where some characters take two."""
    if text.isascii():
        return len(text)
    # rich takes long to load, and most text is ASCII.
    from rich.cells import cell_len as count_columns

    return count_columns(text)


def wrap_text(
    text: str, indent: str = "", more: str | None = None, width: int | None = None
) -> list[str]:
    """A paragraph as lines; ``more`` is the indent of all but the first, by default the same.

    A word that is longer than a line stays whole: it may be a path to be copied.
    """
    return textwrap.wrap(
        escape_controls(text),
        width or text_width(),
        initial_indent=indent,
        subsequent_indent=indent if more is None else more,
        break_long_words=False,
        break_on_hyphens=False,
    )


def entry_lines(
    entries: Iterable[tuple[str, str]], indent: str = "", width: int | None = None
) -> Iterator[str]:
    """Names, each with a text beside it that is wrapped in its own column.

    A name that is longer than half a line has its text below it.
    """
    rows = [(escape_controls(name), text) for name, text in entries]
    columns = width or text_width()
    room = columns // 2 - len(indent)
    column = max((cell_len(name) for name, _ in rows if cell_len(name) <= room), default=0)
    more = indent + " " * (column + 2)
    for name, text in rows:
        first = indent + name.ljust(column) + "  "
        if cell_len(name) > room:
            yield indent + name
            first = more
        yield from wrap_text(text, first, more, columns) or [first.rstrip()]


def listing_lines(rows: Sequence[Sequence[str]], width: int | None = None) -> Iterator[str]:
    """Rows in columns; a last column that does not fit beside the others is below them.

    Without a ``width`` each row is one line, however long, for programs such as grep.
    """
    body = [[escape_controls(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*body, strict=True)][:-1]
    for *cells, last in body:
        start = "".join(
            _pad_cell(cell, column) + "  " for cell, column in zip(cells, widths, strict=True)
        )
        if width is None or cell_len(start) + cell_len(last) <= width:
            yield (start + last).rstrip()
        else:
            yield start.rstrip()
            yield from wrap_text(last, "    ", "    ", width)


def table_lines(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    indent: str = "",
    *,
    labels: int = 1,
    width: int | None = None,
) -> list[str]:
    """A table, each column as wide as needed; several blocks where the columns do not fit.

    Each block has the first ``labels`` columns again.
    """
    body = [[escape_controls(cell) for cell in row] for row in rows]
    top = [escape_controls(cell) for cell in head]
    widths = [max(map(cell_len, column)) for column in zip(top, *body, strict=True)]
    room = (width or table_width()) - len(indent)
    lines: list[str] = []
    for block in group_columns(widths[:labels], widths[labels:], room, 2):
        if lines:
            lines.append("")
        shown = [*range(labels), *(labels + number for number in block)]
        for row in (top, *body):
            cells = [_pad_cell(row[number], widths[number]) for number in shown]
            lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def _pad_cell(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def group_columns(
    labels: Sequence[int], widths: Sequence[int], room: int, gap: int
) -> list[list[int]]:
    """Columns, by number, in groups of which each fits beside the labels; each has at least one.

    All are widths; ``gap`` columns are between two. Without columns there is one empty group.
    """
    beside = sum(labels) + gap * (len(labels) - 1)
    blocks: list[list[int]] = [[]]
    used = beside
    for number, width in enumerate(widths):
        if blocks[-1] and used + gap + width > room:
            blocks.append([])
            used = beside
        blocks[-1].append(number)
        used += gap + width
    return blocks
