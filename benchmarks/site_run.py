"""Make a large run folder out of a real one, to measure ``publish`` with: ``python -m
benchmarks.site_run RUN INTO --cells 100000 [--night 2]``.

Each build of the real run is repeated under invented names (``debian-12-copy3``), with its cells,
instances and evidence, until the run has enough cells. What differs between two nights differs
here: the run's id and times, seconds, and certificates, which each run makes anew. The folder is
for measuring alone: its builds do not exist.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from harness.catalog.cells import CONTROL_PREFIX, is_control
from harness.observations.evidence_names import instance_path
from harness.observations.run_folder import read_instance

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Night:
    """What differs from night to night; ``number`` counts from 1."""

    number: int
    started: datetime

    def renew(self, record: Record, copy: int, place: int) -> Record:
        """An observation of a copied build as this night would have measured it."""
        chance = random.Random(f"{self.number}/{copy}/{place}")  # noqa: S311: no secret
        seconds, certificate = record["seconds"], record["certificate"]
        measured = self.started + timedelta(seconds=place // 10)
        renewed = {**record, "measured": format_time(measured)}
        if seconds is not None:
            renewed["seconds"] = round(seconds * chance.uniform(0.8, 1.25), 6)
        if certificate is not None:
            text = f"{self.number}/{certificate['sha256']}/{copy}"
            sha256 = hashlib.sha256(text.encode()).hexdigest()
            renewed["certificate"] = {**certificate, "sha256": sha256}
        return renewed


def make_large_run(source: Path, into: Path, cells: int, number: int) -> int:
    """Write the run folder; how many cells of builds it has."""
    run = json.loads((source / "run.json").read_text("utf-8"))
    lines = (source / "observations.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    of_builds = sum(not is_control(record["build"]) for record in records)
    copies = max(1, round(cells / of_builds))
    started = datetime.fromisoformat(run["started"]) + timedelta(days=number - 1)
    night = Night(number, started)
    into.mkdir(parents=True)
    shutil.copytree(source / "evidence", into / "evidence", copy_function=os.link)
    with (into / "observations.jsonl").open("w", encoding="utf-8") as file:
        for record in _copy_records(records, copies, night):
            file.write(json.dumps(record) + "\n")
    _copy_instances(source, into, records, copies)
    builds = run["axes"]["builds"]
    run["axes"]["builds"] = [
        copy_name(build, copy) for copy in range(copies) for build in builds
    ]  # fmt: skip
    for build in builds:
        for copy in range(copies):
            run["images"][copy_name(build, copy)] = run["images"][build]
    run |= {
        "id": f"{started:%Y%m%dT%H%M%SZ}-0000",
        "started": format_time(started),
        "finished": format_time(started + timedelta(hours=1)),
    }
    (into / "run.json").write_text(json.dumps(run), "utf-8")
    return of_builds * copies


def format_time(time: datetime) -> str:
    """A time as run.json has it, ``2026-11-30T12:43:26Z``."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def copy_name(build: str, copy: int) -> str:
    """The name of a build's copy; the first is the build itself."""
    return f"{build}-copy{copy}" if copy else build


def _copy_records(records: Sequence[Record], copies: int, night: Night) -> Iterator[Record]:
    """Observations of all copies. Controls are not copied; all copies name the same ones."""
    for copy, (place, record) in itertools.product(range(copies), enumerate(records)):
        if copy and is_control(record["build"]):
            continue
        build = copy_name(record["build"], copy)
        cell = f"{build}/{record['cell'].partition('/')[2]}"
        yield night.renew({**record, "build": build, "cell": cell}, copy, place)


def _copy_instances(source: Path, into: Path, records: Sequence[Record], copies: int) -> None:
    for build, scenario in {(record["build"], record["scenario"]) for record in records}:
        instance = read_instance(source, build, scenario)
        if instance is None:
            continue
        text = json.dumps(instance)
        for copy in range(1 if build.startswith(CONTROL_PREFIX) else copies):
            path = into / instance_path(copy_name(build, copy), scenario)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")


def main() -> None:
    """Read the arguments and make the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="a run folder, of which nothing is changed")
    parser.add_argument("into", type=Path, help="a folder that does not exist yet")
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--night", type=int, default=1)
    options = parser.parse_args()
    made = make_large_run(options.source, options.into, options.cells, options.night)
    print(f"{options.into}: {made} cells of builds")


if __name__ == "__main__":
    main()
