"""The run of a command that does not move ``latest``, such as verify."""

from __future__ import annotations

from pathlib import Path


def newest_run(runs: Path) -> Path:
    """The folder that was begun last: a run's name begins with its time."""
    return max(folder for folder in runs.iterdir() if (folder / "run.json").is_file()
               and not folder.is_symlink())  # fmt: skip
