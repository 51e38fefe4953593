"""Files named by their SHA-256: evidence of a build × scenario, and a run's facts."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.observations.run_folder import read_evidence_file, read_instance
from harness.site.cells import CellRow, CellTables
from harness.site.run_reading import RunCells

DATA = "data/v1"
OBJECTS = f"{DATA}/objects"
_LEVEL = 9


def write_object(site: Path, value: Any, *, compress: bool = False) -> str:
    """Write JSON under its own hash; its path relative to the site's root."""
    data = pack_json(value)
    suffix = "json"
    if compress:
        # No time in the header: the same content is the same file.
        data, suffix = gzip.compress(data, _LEVEL, mtime=0), "json.gz"
    name = f"{OBJECTS}/{hashlib.sha256(data).hexdigest()}.{suffix}"
    path = site / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return name


def pack_json(value: Any) -> bytes:
    """JSON without spaces, in UTF-8; text that is not Unicode is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


@dataclass(slots=True)
class ShardMaker:
    """Makes shards from a run folder's evidence."""

    site: Path
    run: RunCells
    tables: CellTables

    def __call__(self, scenario: int, build: int, rows: list[CellRow]) -> int:
        """The number of a shard with the evidence of some cells of a scenario on a build."""
        build_name, name = self.tables.build.names[build], self.tables.scenario.names[scenario]
        instance = read_instance(self.run.folder, build_name, name)
        path = write_object(
            self.site,
            {
                "schema": 1,
                "build": build_name,
                "scenario": name,
                "run": self.run.record.id,
                "measured": self.run.record.started,
                "cells": dict(sorted(self._read_cells(rows))),
                "instance": instance,
            },
            compress=True,
        )
        return self.tables.shard.number(path)

    def _read_cells(self, rows: list[CellRow]) -> list[tuple[str, Any]]:
        """Each cell's evidence as its file has it; None where it has no (whole) file."""
        with (self.run.folder / "observations.jsonl").open("rb") as file:
            cells = []
            for row in rows:
                file.seek(row.offset)
                name = json.loads(file.readline()).get("evidence")
                cells.append((self.tables.spot(row), self._read_evidence(name)))
            return cells

    def _read_evidence(self, name: str | None) -> Any:
        """An evidence file; None where it is missing, or outside the run folder."""
        return None if name is None else read_evidence_file(self.run.folder, name)
