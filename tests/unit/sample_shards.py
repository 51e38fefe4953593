"""A run folder cut into the folders that its shards would have left."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.catalog.cells import is_control
from harness.catalog.plan import Plan
from harness.catalog.shards import Shard, take_shard
from harness.observations.run_folder import load_run


def write_shards(folder: Path, target: Path, count: int) -> list[Path]:
    """The folders of ``count`` shards of a run; each has all control cells, as a real one would."""
    data = load_run(folder)
    whole = Plan.from_axes(asdict(data.run.axes))
    shards = []
    for index in range(1, count + 1):
        part = take_shard(whole, Shard(index, count))
        cells = {cell.id for cell in part.plan.cells()}
        shard = target / f"shard-{index}"
        kept = [cell for cell in data.observations if cell.cell in cells or is_control(cell.build)]
        shard.mkdir(parents=True)
        lines = "".join(cell.to_json() + "\n" for cell in kept)
        (shard / "observations.jsonl").write_text(lines, "utf-8")
        for name in [str(cell.evidence) for cell in kept]:
            if (folder / name).exists():
                (shard / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, shard / name)
        for build in part.plan.builds:
            if (folder / "instances" / build).is_dir():
                shutil.copytree(folder / "instances" / build, shard / "instances" / build)
        change_run(folder, shard, id=shard.name, axes=part.plan.axes(), shard=part.record())
        shards.append(shard)
    return shards


def change_run(folder: Path, target: Path, **changes: Any) -> None:
    """Write a folder's run.json into another one, or the same, with some keys changed."""
    data = json.loads((folder / "run.json").read_text("utf-8"))
    (target / "run.json").write_text(json.dumps({**data, **changes}), "utf-8")


def change_cell(folder: Path, cell: str, **changes: Any) -> None:
    """Change the observation of a cell in a run folder."""
    path = folder / "observations.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert any(line["cell"] == cell for line in lines)
    changed = [{**line, **(changes if line["cell"] == cell else {})} for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in changed), "utf-8")
