"""How wide standard output is, and whether it has colours.

On a terminal, tables and text are as wide as the terminal (text at most 100 columns). In a file or
a pipe, tables have 110 columns and text 80, and lists of one line per entry are not wrapped.
COLUMNS sets another width for all. A module of its own, since rich takes long to load.
"""

from __future__ import annotations

import os
import shutil
import sys

from harness.widths import set_widths

_FORCING = ("FORCE_COLOR", "CLICOLOR_FORCE")


def fit_output() -> None:
    """Make all text and tables of this process fit the terminal, where there is one."""
    if columns := terminal_columns():
        set_widths(columns)


def terminal_columns() -> int | None:
    """The columns that standard output has; None in a file or a pipe, unless COLUMNS is set."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        return shutil.get_terminal_size().columns
    return None


def is_styled() -> bool:
    """Whether standard output has colours and other styles.

    NO_COLOR (no-color.org) is stronger than FORCE_COLOR and CLICOLOR_FORCE (bixense.com/clicolors),
    and these are stronger than TERM=dumb, CLICOLOR=0 and the lack of a terminal.
    """
    environment = os.environ
    if environment.get("NO_COLOR"):
        return False
    if any(environment.get(name, "0") not in ("", "0") for name in _FORCING):
        return True
    plain = environment.get("TERM") == "dumb" or environment.get("CLICOLOR") == "0"
    return not plain and sys.stdout.isatty()
