"""Where runs lie, and which one a command means."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from harness.errors import UsageError
from harness.input_files import is_there
from harness.observations.run_folder import has_run

RUNS = Path("runs")
LATEST = "latest"


def point_latest(folder: Path) -> None:
    """Let ``latest`` beside a run's folder lead to it."""
    link = folder.parent / LATEST
    # A file system without symbolic links only loses this convenience.
    with suppress(OSError):
        link.unlink(missing_ok=True)
        link.symlink_to(folder.name)


def run_folder(named: Path | None) -> Path:
    """The run that is named by its folder or by its id below ``runs``; None: the latest one.

    Raises:
        UsageError: there is none.
    """
    folder = named or RUNS / LATEST
    if not is_there(folder) and is_there(RUNS / folder):
        folder = RUNS / folder
    if not has_run(folder):
        raise UsageError(
            f"there is no run in {folder}",
            next_step="'postfix-matrix run' makes one; --run names another folder",
        )
    # The message about a link that leads nowhere names the link.
    return Path(os.path.realpath(folder)) if folder.is_dir() else folder
