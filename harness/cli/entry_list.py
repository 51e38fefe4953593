"""Prints lists of names, each with a text beside it.

On a terminal a text is wrapped beside its name. Elsewhere each entry is one line, however long, for
programs such as grep.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.cli.printing import print_text
from harness.cli.terminal import terminal_columns
from harness.reports.wrapping import entry_lines


def print_entries(entries: Sequence[tuple[str, str]], indent: str = "") -> None:
    """Print the entries; the texts begin in the same column."""
    if columns := terminal_columns():
        for line in entry_lines(entries, indent, columns):
            print_text(line)
        return
    width = max((len(name) for name, _ in entries), default=0)
    for name, text in entries:
        print_text(f"{indent}{name:<{width}}  {text}".rstrip())
