"""What must hold of a run after faults; each broken rule is a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import docker

from harness.catalog.cells import is_control
from harness.catalog.plan import Plan
from harness.docker_engine.session import LABEL_RUN
from harness.errors import HarnessError
from harness.observations.record import Observation, Outcome
from harness.observations.run_folder import RunData, load_run

CLI = (sys.executable, "-m", "harness.cli")
#: What a fault may make of a cell; anything else must be as it is without faults.
NO_ANSWERS = frozenset({Outcome.TIMEOUT, Outcome.ERROR})
Result = tuple[str | None, ...]


def result_of(observation: Observation) -> Result:
    """What a cell's observation says, as far as a fault must not change it."""
    saw = observation.client_saw
    return (
        str(observation.outcome),
        str(observation.stage) if observation.stage else None,
        observation.reason,
        observation.decided_by,
        saw.protocol if saw else None,
        ",".join(observation.obstacles),
    )


def results_of(folder: Path) -> dict[str, Result]:
    """The results of a run's cells, those of controls included."""
    return {cell.cell: result_of(cell) for cell in load_run(folder).observations}


def plan_cells(data: RunData) -> Iterator[str]:
    """The cells that a run was to measure, by id."""
    return (cell.id for cell in Plan.from_axes(asdict(data.run.axes)).cells())


def find_wrong_results(data: RunData, quiet: Mapping[str, Result]) -> Iterator[str]:
    """The cells whose result is another one than without faults, and is no lack of a result."""
    for cell in data.observations:
        result, expected = result_of(cell), quiet.get(cell.cell)
        if cell.outcome not in NO_ANSWERS and expected is not None and result != expected:
            yield f"{cell.cell} is {result}, without faults {expected}"


def find_lost_cells(data: RunData, quiet: Mapping[str, Result]) -> Iterator[str]:
    """The planned cells that have neither an observation nor a reason why not."""
    known = {cell.cell for cell in data.observations}
    lost = [name for name in quiet if not is_control(name) and name not in known]
    explained = {entry.name for entry in data.run.missing}
    for name in lost:
        if explained.isdisjoint(name.split("/")) and data.run.finished is not None:
            yield f"{name} has no observation, and nothing says why"


def find_double_lines(folder: Path) -> Iterator[str]:
    """The cells that are in the journal twice without saying so; and evidence that is not there."""
    by_cell: dict[str, list[dict[str, Any]]] = defaultdict(list)
    text = (folder / "observations.jsonl").read_text(encoding="utf-8")
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            data = json.loads(line)
            by_cell[data["cell"]].append(data)
    for name, lines in by_cell.items():
        for before, after in pairwise(lines):
            if (after.get("again") or {}).get("evidence") != before["evidence"]:
                yield f"{name} is measured again, and does not name the time before"
        places = [line["evidence"] for line in lines]
        if len(set(places)) != len(places):
            yield f"{name} has one evidence file for two measurements"
        yield from (f"{place} is not there" for place in places if not (folder / place).exists())


def find_closed_folder(folder: Path) -> Iterator[str]:
    """What of the folder does not open: each command that reads it must."""
    try:
        data = load_run(folder)
    except HarnessError as error:
        yield f"the folder does not open: {error}"
        return
    cells = [cell.cell for cell in data.observations if not is_control(cell.cell)]
    commands = [["report", str(folder)], ["verdicts", str(folder)]]
    commands += [["show", cells[-1], "--run", str(folder)]] if cells else []
    for words in commands:
        done = subprocess.run([*CLI, *words], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1, 3) or "Traceback" in done.stderr:
            yield f"{words[0]} ends with {done.returncode}: {done.stderr[-500:]}"


def find_leftovers(client: docker.DockerClient, sessions: set[str]) -> Iterator[str]:
    """The containers and networks of sessions that are over."""
    for session in sessions:
        filters: dict[str, Any] = {"label": [f"{LABEL_RUN}={session}"]}
        for container in client.api.containers(all=True, filters=filters):
            yield f"container {container['Names']} is left"
        for network in client.api.networks(filters=filters):
            yield f"network {network['Name']} is left"
