"""What is refused before anything is written: runs that cannot be in one site."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import FileError, FileLocation, UsageError
from harness.observations.run_folder import load_record
from harness.observations.run_record import TIME_FORM
from harness.site.state import text_digest


def check_runs(folders: Sequence[Path]) -> None:
    """Refuse runs of different schemas, and runs that contradict each other about a scenario.

    A run without a time cannot be put among the others, so it is refused too.

    Raises:
        UsageError: the message names both runs. A folder that is no run is not checked here.
    """
    runs = [(folder, _read_record(folder / "run.json")) for folder in folders]
    known = [(folder, run) for folder, run in runs if run is not None]
    for folder, run in known[1:]:
        first, other = known[0][1].get("schema"), run.get("schema")
        if first != other:
            raise UsageError(
                f"{known[0][0]} has schema {first!r}, {folder} has {other!r}",
                cause="the runs were made by different versions of postfix-matrix",
                next_step="publish runs of one version, into a site of their own",
            )
    for folder, run in known:
        _check_time(folder, run.get("started"))
    scenarios: dict[str, tuple[Path, str]] = {}
    for folder, run in known:
        for name, info in (run.get("scenarios") or {}).items():
            digest = text_digest(info)
            before, old = scenarios.setdefault(name, (folder, digest))
            if old != digest:
                raise UsageError(
                    f"{before} and {folder} have different texts of the scenario {name!r}",
                    cause="the scenario was edited between the runs, or is not the same advice",
                    next_step="publish the older run first, by itself; the newer text then counts",
                )


def _check_time(folder: Path, started: object) -> None:
    try:
        datetime.strptime(str(started), TIME_FORM)
    except ValueError:
        raise FileError(
            FileLocation(folder / "run.json", key="started"),
            f"{str(started)!r} is no time like 2026-11-30T12:43:26Z",
        ) from None


def common_licence(folders: Sequence[Path]) -> str:
    """The licence of the data of some runs.

    Raises:
        UsageError: they have different ones, or a folder is no run.
    """
    licences = {folder: load_record(folder).licence for folder in folders}
    (first, licence), *others = licences.items()
    for folder, other in others:
        if other != licence:
            raise UsageError(
                f"the data of {first} is under {licence}, that of {folder} under {other}",
                next_step="publish them apart, or name the licence of the site with --licence",
            )
    return licence


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None
