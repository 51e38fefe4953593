"""A run folder as columns of cells, and what of run.json may be published."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from harness.input_files import check_file, is_there
from harness.observations.local_paths import hide_in_command, hide_in_record
from harness.observations.record import parse_observation
from harness.observations.run_folder import load_record, not_an_observation
from harness.observations.run_json import RunRecord
from harness.scenarios.variants import VariantKind
from harness.site.cells import NONE, CellColumns, CellRow, CellTables
from harness.verdicts.line_effects import AGAIN

#: Keys of run.json, and of its images, that are of the machine that made the run.
_OF_MACHINE = ("host", "build_log")
_VARIANT = re.compile(
    rf"--(?:{VariantKind.WITHOUT}|{VariantKind.ONLY})-[0-9][0-9-]*(?:{AGAIN})?$|{AGAIN}$"
)
#: Folders below which a path is one of a machine, not of a container.
_LOCAL = re.compile(r"(?:/home/|/root/|/Users/|/tmp/|/var/tmp/|/mnt/|/media/|[A-Z]:\\)[^\s\"',;:]*")


@dataclass(frozen=True, slots=True)
class RunCells:
    """A run: its record, run.json without what is of the machine, and its cells.

    ``variants`` are the cells of variants of a scenario ('postfix-matrix explain'), which show what
    its lines do and are no advice; the record has no variants. ``cells`` may have two rows of a
    cell, of which the later counts (a resumed run).
    """

    folder: Path
    record: RunRecord
    public: dict[str, Any]
    cells: CellColumns
    variants: CellColumns
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
    reader = _ObservationReader(path, record, tables)
    if is_there(path):
        for _ in reader.read():
            pass
    else:
        reader.notes.append("no cell was measured: there is no observations.jsonl")
    raw = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return RunCells(
        folder,
        _leave_variants_out(record),
        publish_record(raw),
        reader.cells,
        reader.variants,
        tuple(reader.notes),
    )


def is_variant(scenario: str) -> bool:
    """Whether a scenario is a variant of another one, or its repetition (verdicts.line_effects)."""
    return _VARIANT.search(scenario) is not None


def _leave_variants_out(record: RunRecord) -> RunRecord:
    axes, infos = record.axes, record.scenarios
    names = tuple(name for name in axes.scenarios if not is_variant(name))
    return replace(
        record,
        axes=replace(axes, scenarios=names),
        scenarios={name: info for name, info in infos.items() if not is_variant(name)},
    )


@dataclass(slots=True)
class _ObservationReader:
    """Reads observations into columns."""

    path: Path
    record: RunRecord
    tables: CellTables
    cells: CellColumns
    variants: CellColumns
    notes: list[str]
    run: int

    def __init__(self, path: Path, record: RunRecord, tables: CellTables) -> None:
        self.path, self.record, self.tables = path, record, tables
        self.cells, self.variants, self.notes = CellColumns(), CellColumns(), []
        self.run = tables.run.number(record.id)

    def read(self) -> Iterator[CellRow]:
        """Each row as it is added."""
        check_file(self.path)
        offset, size = 0, self.path.stat().st_size
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        row = self._read_line(line, offset)
                    except ValueError as error:
                        if offset + len(line) < size or line.endswith(b"\n"):
                            raise not_an_observation(self.path, number, error) from None
                        self.notes.append(f"the last line of {self.path.name} is torn")
                        return
                    name = self.tables.scenario.names[row.scenario]
                    (self.variants if is_variant(name) else self.cells).append(row)
                    yield row
                offset += len(line)

    def _read_line(self, line: bytes, offset: int) -> CellRow:
        parse_observation(line)
        data = json.loads(line)
        tables, build = self.tables, data["build"]
        image = self.record.images.get(build)
        seconds, certificate = data.get("seconds"), data.get("certificate")
        taken_over = data.get("taken_over")
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
            origin=tables.run.number(taken_over["run"]) if taken_over else NONE,
            measured=_seconds_of(data.get("measured") or (taken_over or {}).get("measured")),
            offset=offset,
        )


def _seconds_of(time: str | None) -> int:
    """A time of ISO 8601 in seconds since 1970; :data:`NONE` where there is none."""
    return NONE if time is None else int(datetime.fromisoformat(time).timestamp())


def unique_rows(rows: list[CellRow]) -> list[CellRow]:
    """One row per cell, the later where there are two."""
    return list({(row.service, row.client, row.offer): row for row in rows}.values())


def publish_record(raw: dict[str, Any]) -> dict[str, Any]:
    """``run.json`` without the machine's description and without paths of the machine."""
    hidden = hide_in_record(raw)
    public = {key: value for key, value in hidden.items() if key not in _OF_MACHINE}
    public["command"] = hide_machine_paths(list(hidden.get("command", ())))
    public["images"] = {
        name: hide_machine_paths(
            {key: value for key, value in image.items() if key not in _OF_MACHINE}
        )
        for name, image in hidden.get("images", {}).items()
    }
    public["scenarios"] = {
        name: {**info, **{key: hide_machine_paths(info[key]) for key in ("source",) if key in info}}
        for name, info in hidden.get("scenarios", {}).items()
        if not is_variant(name)
    }
    public["missing"] = hide_machine_paths(hidden.get("missing", []))
    if "merged" in hidden:
        # Each of the runs that this one was merged from had a machine.
        public["merged"] = [_publish_part(part) for part in hidden["merged"]]
    return public


def _publish_part(part: Mapping[str, Any]) -> dict[str, Any]:
    public = {key: value for key, value in part.items() if key not in _OF_MACHINE}
    command = [str(argument) for argument in part.get("command", ())]
    return public | {"command": hide_machine_paths(list(hide_in_command(command)))}


def hide_machine_paths(value: Any) -> Any:
    """JSON with ``…/NAME`` instead of each path of the machine."""
    if isinstance(value, str):
        return _LOCAL.sub(lambda match: _shorten_path(match[0]), value)
    if isinstance(value, list):
        return [hide_machine_paths(part) for part in value]
    if isinstance(value, dict):
        return {key: hide_machine_paths(part) for key, part in value.items()}
    return value


def _shorten_path(path: str) -> str:
    name = PurePosixPath(path.replace("\\", "/")).name
    return f"…/{name}" if name else "…"
