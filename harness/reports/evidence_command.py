"""The command that shows a cell's evidence: it names the run, which need not be the latest."""

from __future__ import annotations

import shlex
from pathlib import Path


def evidence_command(folder: Path, cell: str) -> str:
    """The command that shows a cell's evidence, from the current folder."""
    path = folder
    if folder.is_relative_to(Path.cwd()):
        path = folder.relative_to(Path.cwd())
    return f"postfix-matrix show --run {shlex.quote(str(path))} {shlex.quote(cell)}"
