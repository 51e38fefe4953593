"""A run folder as columns of cells, and what of run.json may be published."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from harness.observations.run_folder import RunRecord, load_record, not_an_observation
from harness.site.cells import NONE, CellColumns, CellRow, CellTables

#: Keys of run.json, and of its images, that are of the machine that made the run.
_OF_MACHINE = ("host", "build_log")
#: Folders below which a path is one of a machine, not of a container.
_LOCAL = re.compile(r"(?:/home/|/root/|/Users/|/tmp/|/var/tmp/|/mnt/|/media/|[A-Z]:\\)[^\s\"',;:]*")


@dataclass(frozen=True, slots=True)
class RunCells:
    """A run: its record, run.json without what is of the machine, and its cells.

    ``cells`` may have two rows of a cell, of which the later counts (a resumed run).
    """

    folder: Path
    record: RunRecord
    public: dict[str, Any]
    cells: CellColumns
    notes: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the run ended by itself."""
        return self.record.finished is not None

    @property
    def date(self) -> str:
        """The day on which it started, ``2026-11-30``."""
        return self.record.started[:10]


def read_run_cells(folder: Path, tables: CellTables) -> RunCells:
    """Read a run folder; observations.jsonl is read line by line.

    Raises:
        UsageError: the folder is no run of this schema.
        FileError: a line, other than a torn last one, is no observation.
    """
    record = load_record(folder)
    path = folder / "observations.jsonl"
    reader = _LineReader(path, record, tables)
    if path.exists():
        for _ in reader.read():
            pass
    else:
        reader.notes.append("no cell was measured: there is no observations.jsonl")
    raw = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return RunCells(folder, record, publish_record(raw), reader.cells, tuple(reader.notes))


@dataclass(slots=True)
class _LineReader:
    """Reads observations into columns."""

    path: Path
    record: RunRecord
    tables: CellTables
    cells: CellColumns
    notes: list[str]
    run: int

    def __init__(self, path: Path, record: RunRecord, tables: CellTables) -> None:
        self.path, self.record, self.tables = path, record, tables
        self.cells, self.notes = CellColumns(), []
        self.run = tables.run.number(record.id)

    def read(self) -> Iterator[CellRow]:
        """Each row as it is added."""
        offset, size = 0, self.path.stat().st_size
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        row = self._read_line(line, offset)
                    except (ValueError, TypeError, KeyError, AttributeError) as error:
                        if offset + len(line) < size or line.endswith(b"\n"):
                            raise not_an_observation(self.path, number, error) from None
                        self.notes.append(f"the last line of {self.path.name} is torn")
                        return
                    self.cells.append(row)
                    yield row
                offset += len(line)

    def _read_line(self, line: bytes, offset: int) -> CellRow:
        data = json.loads(line)
        if data.get("schema") != 1:
            raise ValueError(f"observation has schema {data.get('schema')!r}, this tool reads 1")
        tables, build = self.tables, data["build"]
        image = self.record.images.get(build)
        seconds, certificate = data.get("seconds"), data.get("certificate")
        return CellRow(
            scenario=tables.scenario.number(data["scenario"]),
            build=tables.build.number(build),
            service=tables.service.number(data["service"]),
            client=tables.client.number(data["client"]),
            offer=tables.offer.number(data["offer"]),
            result=tables.result.add(data),
            config=tables.config.number(data["config"]),
            control=tables.control.optional(data.get("control")),
            certificate=tables.certificate.optional(certificate and certificate["sha256"]),
            image=tables.image.optional(image.id if image and image.id else None),
            run=self.run,
            milliseconds=NONE if seconds is None else round(seconds * 1000),
            offset=offset,
        )


def unique_rows(rows: list[CellRow]) -> list[CellRow]:
    """One row per cell, the later where there are two."""
    return list({(row.service, row.client, row.offer): row for row in rows}.values())


def publish_record(raw: dict[str, Any]) -> dict[str, Any]:
    """``run.json`` without the machine's description and without paths of the machine."""
    public = {key: value for key, value in raw.items() if key not in _OF_MACHINE}
    public["command"] = [_publish_argument(part) for part in raw.get("command", ())]
    public["images"] = {
        name: hide_local_paths(
            {key: value for key, value in image.items() if key not in _OF_MACHINE}
        )
        for name, image in raw.get("images", {}).items()
    }
    public["missing"] = hide_local_paths(raw.get("missing", []))
    return public


def hide_local_paths(value: Any) -> Any:
    """JSON with ``…/NAME`` instead of each path of the machine."""
    if isinstance(value, str):
        return _LOCAL.sub(lambda match: _shorten_path(match[0]), value)
    if isinstance(value, list):
        return [hide_local_paths(part) for part in value]
    if isinstance(value, dict):
        return {key: hide_local_paths(part) for key, part in value.items()}
    return value


def _publish_argument(text: str) -> str:
    option, equals, path = text.rpartition("=")
    if path.startswith(os.sep):
        return f"{option}{equals}{_shorten_path(path)}"
    return str(hide_local_paths(text))


def _shorten_path(path: str) -> str:
    name = PurePosixPath(path.replace("\\", "/")).name
    return f"…/{name}" if name else "…"
