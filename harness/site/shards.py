"""Shards of evidence: what both sides said in the cells of a build × scenario, compressed.

Evidence is the larger part of a site, so an evidence file is taken over as text, and each mention
of its cell's id is one character (:data:`ID_SIGN`).
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.observations.record import Outcome
from harness.observations.run_folder import Evidence, read_evidence_text, read_instance
from harness.site.cells import CellRow, CellTables
from harness.site.objects import pack_json, write_compressed
from harness.site.refusals import Refusal, group_refusals
from harness.site.run_reading import RunCells

#: Stands for a cell's id in its evidence: a character for private use (Unicode, section 23.5).
ID_SIGN = "\ue000"
_SIGN = ID_SIGN.encode()
#: The evidence file in a line of observations.jsonl, where it has no escaped character.
_EVIDENCE = re.compile(rb'"evidence": ?"([^"\\]+)"')
_PLAIN = re.compile(r'[^\x00-\x1f"\\\x7f-\U0010ffff]+')


@dataclass(frozen=True, slots=True)
class _CellEvidence:
    """A cell's evidence: as JSON text for a shard, and as read."""

    spot: str
    text: bytes
    data: Any


@dataclass(slots=True)
class ShardMaker:
    """Makes shards from a run folder's evidence.

    ``refusals`` are those of each shard by its path, for the pages, which else would have to read
    it again.
    """

    site: Path
    run: RunCells
    tables: CellTables
    refusals: dict[str, list[Refusal]]

    def __call__(self, scenario: int, build: int, rows: list[CellRow]) -> int:
        """The number of a shard with the evidence of some cells of a scenario on a build."""
        build_name, name = self.tables.build.names[build], self.tables.scenario.names[scenario]
        cells = sorted(self._read_cells(rows), key=lambda cell: cell.spot)
        head = {
            "schema": 2, "build": build_name, "scenario": name, "run": self.run.record.id,
            "measured": self.run.record.started,
        }  # fmt: skip
        instance = read_instance(self.run.folder, build_name, name)
        path = write_compressed(self.site, _pack_shard(head, cells, instance))
        self.refusals[path] = self._group_refusals(rows, cells)
        return self.tables.shard.number(path)

    def _group_refusals(self, rows: list[CellRow], cells: list[_CellEvidence]) -> list[Refusal]:
        """What the pages show of them. Places repeat: each is in memory once."""
        results = self.tables.result
        refused = [
            sys.intern(self.tables.spot(row))
            for row in rows
            if results.observation(row.result).outcome is not Outcome.ACCEPTED
        ]
        return group_refusals(refused, {cell.spot: cell.data for cell in cells})

    def _read_cells(self, rows: list[CellRow]) -> Iterable[_CellEvidence]:
        """Each cell's evidence as its file has it; null where it has no file."""
        with (self.run.folder / "observations.jsonl").open("rb") as file:
            for row in rows:
                file.seek(row.offset)
                name = _evidence_name(file.readline())
                yield self._read_evidence(name, self.tables.spot(row))

    def _read_evidence(self, name: str | None, spot: str) -> _CellEvidence:
        """An evidence file; null where it is missing, empty, or outside the run folder."""
        file = None if name is None else read_evidence_text(self.run.folder, name)
        if file is None:
            return _CellEvidence(spot, b"null", None)
        text, data = file
        return _CellEvidence(spot, text.encode(), data)


def read_shard(path: Path) -> dict[str, Any]:
    """A shard, in which :data:`ID_SIGN` stands for the ids."""
    data: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return data


def restore_evidence(shard: dict[str, Any], spot: str) -> Evidence | None:
    """A cell's evidence in a shard, with the cell's id where the shard has the sign for it."""
    evidence: Evidence | None = shard["cells"].get(spot)
    sign = shard.get("id_sign")
    if sign is None or evidence is None:
        return evidence
    cell = json.dumps(f"{shard['build']}/{shard['scenario']}/{spot}", ensure_ascii=False)[1:-1]
    restored: Evidence = json.loads(json.dumps(evidence, ensure_ascii=False).replace(sign, cell))
    return restored


def _pack_shard(head: dict[str, Any], cells: list[_CellEvidence], instance: Any) -> bytes:
    # Where the sign itself is in some evidence, or in a name, nothing is replaced.
    signed = not any(_SIGN in cell.text for cell in cells)
    texts = []
    for cell in cells:
        name = f"{head['build']}/{head['scenario']}/{cell.spot}"
        short = signed and _PLAIN.fullmatch(name)
        text = cell.text.replace(name.encode(), _SIGN) if short else cell.text
        texts.append(pack_json(cell.spot) + b":" + text)
    return b'%s,"id_sign":%s,"cells":{%s},"instance":%s}' % (
        pack_json(head)[:-1], pack_json(ID_SIGN if signed else None),
        b",\n".join(texts), pack_json(instance),
    )  # fmt: skip


def _evidence_name(line: bytes) -> str | None:
    match = _EVIDENCE.search(line)
    if match is not None:
        return match[1].decode()
    name = json.loads(line).get("evidence")
    return name if isinstance(name, str) else None
