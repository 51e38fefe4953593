"""How wide text and tables are: as wide as the reader's terminal, once for the whole process.

The command line sets the widths (cli/terminal.py), and every report uses them. A module of its own,
since all reports together take long to load.
"""

from __future__ import annotations

from contextvars import ContextVar

#: Columns of text where nothing is known of the reader's terminal.
WIDTH = 80
#: Columns of a table that goes to a file or a pipe, or to a CI log.
FILE_WIDTH = 110
#: Columns of the widest paragraph: longer lines are hard to read, however wide the terminal is.
MOST_TEXT_WIDTH = 100
#: No output is narrower than this, since a table needs room for one column beside its labels.
LEAST_WIDTH = 40

_TEXT_WIDTH: ContextVar[int] = ContextVar("text_width", default=WIDTH)
_TABLE_WIDTH: ContextVar[int] = ContextVar("table_width", default=WIDTH)


def set_widths(columns: int) -> None:
    """Make text and tables fit a terminal of that many columns."""
    columns = max(columns, LEAST_WIDTH)
    _TEXT_WIDTH.set(min(columns, MOST_TEXT_WIDTH))
    _TABLE_WIDTH.set(columns)


def text_width() -> int:
    """Columns of a paragraph."""
    return _TEXT_WIDTH.get()


def table_width() -> int:
    """Columns of a table."""
    return _TABLE_WIDTH.get()
