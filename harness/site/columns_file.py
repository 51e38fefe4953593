"""Columns of cells as Parquet: the site's state, and a run's table for everybody."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.catalog.cells import is_control
from harness.observations.record import TlsView
from harness.observations.run_json import ImageInfo, RunRecord
from harness.site.cells import NONE, CellColumns, CellRow, CellTables, NameTable
from harness.site.extras import load_pyarrow
from harness.site.run_reading import unique_rows

#: Columns of the state and the tables whose names they hold.
_STATE = {
    "scenario": "scenario", "build": "build", "service": "service", "client": "client",
    "offer": "offer", "result": "result", "config": "config", "control": "control",
    "certificate": "certificate", "image": "image", "run": "run", "shard": "shard",
    "known": "result", "known_run": "run", "known_image": "image", "known_config": "config",
    "origin": "run",
}  # fmt: skip
#: Columns of the state that are plain numbers.
_NUMBERS = ("milliseconds", "measured")
_VIEW = ("protocol", "cipher", "bits", "group")
#: Columns of a run's table whose values hardly repeat. Seconds do: they are whole milliseconds.
_PLAIN = ("cell", "agree", "resumed", "measured")
#: Rows that are converted at a time: bounds the memory.
_BATCH = 20_000


def write_state(path: Path, cells: CellColumns, tables: CellTables) -> None:
    """Write the newest observation of each cell, in a form that loses nothing."""
    pa, pq = load_pyarrow()
    columns = {
        name: _dictionary_column(pa, cells.column(name), getattr(tables, table))
        for name, table in _STATE.items()
    }
    for name in _NUMBERS:
        columns[name] = _integer_column(pa, cells.column(name), pa.int64())
    pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=True)


def read_state(path: Path, tables: CellTables) -> CellColumns:
    """Read it back; its names are added to the tables."""
    _, pq = load_pyarrow()
    cells = CellColumns()
    for batch in pq.ParquetFile(path, read_dictionary=list(_STATE)).iter_batches(_BATCH):
        columns: dict[str, Sequence[int]] = {
            name: _read_column(batch.column(name), getattr(tables, table))
            for name, table in _STATE.items()
        }
        for name in _NUMBERS:
            columns[name] = batch.column(name).fill_null(NONE).to_pylist()
        for values in zip(*columns.values(), strict=True):
            cells.append(CellRow(**dict(zip(columns, values, strict=True))))
    return cells


def write_run_table(path: Path, cells: CellColumns, tables: CellTables, record: RunRecord) -> int:
    """Write a run's public table, one row per cell; how many rows it has.

    Cells are sorted by id, so that the column of ids needs little space.
    """
    pa, pq = load_pyarrow()
    schema = _run_schema(pa)
    repeating = [name for name in schema.names if name not in _PLAIN]
    rows = 0
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=9,
        use_dictionary=repeating,
        column_encoding={"cell": "DELTA_BYTE_ARRAY"},
    ) as writer:
        for batch in _row_batches(cells, tables, record):
            rows += len(batch)
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
    return rows


def _run_schema(pa: Any) -> Any:
    """The columns; documented in docs/site-data.md."""
    names = [
        "cell", "build", "scenario", "service", "client", "offer", "outcome", "stage", "reason",
        "decided_by", *(f"client_{part}" for part in _VIEW), *(f"server_{part}" for part in _VIEW),
        "agree", "trust", "obstacles", "certificate_names", "certificate_issuer",
        "certificate_sha256", "resumed", "control", "config", "seconds", "postfix", "openssl",
        "image", "client_image", "run", "measured", "taken_over", "tool",
    ]  # fmt: skip
    kinds = {
        "client_bits": pa.int32(), "server_bits": pa.int32(), "agree": pa.bool_(),
        "resumed": pa.bool_(), "seconds": pa.float32(), "measured": pa.timestamp("s", "UTC"),
    }  # fmt: skip
    return pa.schema([(name, kinds.get(name, pa.string())) for name in names])


def _row_batches(
    cells: CellColumns, tables: CellTables, record: RunRecord
) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    scenarios, builds = tables.scenario.names, tables.build.names
    for scenario, build in sorted(cells.groups(), key=lambda g: (builds[g[1]], scenarios[g[0]])):
        rows = unique_rows(cells.group(scenario, build))
        for row in sorted(rows, key=tables.spot):
            batch.append(_public_row(row, tables, record))
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def _public_row(row: CellRow, tables: CellTables, record: RunRecord) -> dict[str, Any]:
    build, client = tables.build.names[row.build], tables.client.names[row.client]
    shown = tables.result.observation(row.result)
    image = record.images.get(build) or ImageInfo("build")
    client_image = record.images.get(client) or ImageInfo("client")
    certificate = shown.certificate
    views = {
        f"{side}_{name}": getattr(view or TlsView(), name)
        for side, view in (("client", shown.client_saw), ("server", shown.server_saw))
        for name in _VIEW
    }
    return views | {
        "cell": tables.cell_id(row), "build": build, "client": client,
        "scenario": tables.scenario.names[row.scenario],
        "service": tables.service.names[row.service], "offer": tables.offer.names[row.offer],
        "outcome": shown.outcome.value, "stage": shown.stage and shown.stage.value,
        "reason": shown.reason, "decided_by": shown.decided_by, "agree": shown.agree,
        "trust": shown.trust, "obstacles": " ".join(shown.obstacles) or None,
        "certificate_names": " ".join(certificate.names) if certificate else None,
        "certificate_issuer": certificate.issuer if certificate else None,
        "certificate_sha256": tables.certificate.name(row.certificate),
        "resumed": shown.resumed, "control": tables.control.name(row.control),
        "config": tables.config.name(row.config),
        "seconds": None if row.milliseconds == NONE else row.milliseconds / 1000,
        "postfix": None if is_control(build) else image.postfix,
        "openssl": None if is_control(build) else image.openssl,
        "image": image.id or None, "client_image": client_image.id or None,
        "run": record.id, "tool": record.tool.version,
        "measured": _time_of(row, record), "taken_over": tables.run.name(row.origin),
    }  # fmt: skip


def _time_of(row: CellRow, record: RunRecord) -> datetime:
    """When a cell was measured; of a run that does not say so, when it started."""
    if row.measured == NONE:
        return datetime.fromisoformat(record.started)
    return datetime.fromtimestamp(row.measured, UTC)


def _dictionary_column(pa: Any, numbers: array[int], table: NameTable) -> Any:
    indices = _integer_column(pa, numbers, pa.int32())
    return pa.DictionaryArray.from_arrays(indices, pa.array(table.names, pa.string()))


def _integer_column(pa: Any, numbers: array[int], kind: Any) -> Any:
    """A column of numbers, null where :data:`NONE`."""
    return pa.array((None if number == NONE else number for number in numbers), kind)


def _read_column(column: Any, table: NameTable) -> list[int]:
    """The numbers of a dictionary column in a table of names."""
    numbers = [table.number(sys.intern(name)) for name in column.dictionary.to_pylist()]
    return [NONE if index is None else numbers[index] for index in column.indices.to_pylist()]
