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
            next_step=_suggest_run(),
        )
    # The message about a link that leads nowhere names the link.
    return Path(os.path.realpath(folder)) if folder.is_dir() else folder


def _suggest_run() -> str:
    """What to do where a run is not found: ``verify`` and others leave ``latest`` as it is."""
    ids = [path.name for path in RUNS.glob("2*") if has_run(path)] if is_there(RUNS) else []
    if ids:
        return f"name the folder of a run; the newest is {RUNS / max(ids)}"
    return "'postfix-matrix run' makes one; or name the folder of a run"
