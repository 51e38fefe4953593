"""What all unit tests have in common: no terminal, whatever the terminal of pytest is like."""

from __future__ import annotations

import os


def pytest_configure() -> None:
    """Where COLUMNS is set, what commands print is wrapped, as on a terminal."""
    os.environ.pop("COLUMNS", None)
