"""A snapshot as text: sorted JSON, one row per line, so that a change is a diff of a few lines.

Builds whose cells show the same share a row. Its schema is docs/schemas/snapshot.schema.json;
``snapshot_file`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from harness.snapshots.recorded_candidate import RecordedCandidate
from harness.snapshots.snapshot import SNAPSHOT_SCHEMA, Snapshot
from harness.snapshots.values import CellPlace, CellValues


def format_snapshot(snapshot: Snapshot) -> str:
    """The file's text: the same snapshot is always the same text."""
    named = sorted(
        ((_name_cells(of.places, snapshot), of.candidate) for of in snapshot.earlier),
        key=lambda pair: pair[0],
    )
    earlier = [{"candidate": _candidate_data(of), "cells": cells} for cells, of in named]
    document = {
        "builds": {name: versions.to_data() for name, versions in snapshot.builds.items()},
        "candidate": _candidate_data(snapshot.candidate),
        **({"earlier": earlier} if earlier else {}),
        "level": snapshot.level,
        "rows": list(rows_of(snapshot.cells)),
        "schema": SNAPSHOT_SCHEMA,
        "selection": {
            "clients": list(snapshot.selection.clients),
            "offers": list(snapshot.selection.offers),
            "services": list(snapshot.selection.services),
        },
    }
    return "\n".join(["{", *_format_members(document), "}", ""])


def _candidate_data(candidate: RecordedCandidate) -> dict[str, Any]:
    return {
        "as_is": candidate.as_is,
        "files": dict(candidate.files),
        "main_cf": list(candidate.main_cf),
        "master_cf": list(candidate.master_cf),
        "names": list(candidate.names),
        "overlay": str(candidate.overlay),
        "service": candidate.service,
        "whole": candidate.whole,
    }


def _name_cells(places: Collection[CellPlace], snapshot: Snapshot) -> list[str]:
    """Cells by name; a build's name stands for all of its cells."""
    names = []
    for build in snapshot.builds:
        of_build = [str(place) for place in places if place.build == build]
        recorded = sum(place.build == build for place in snapshot.cells)
        names += [build] if of_build and len(of_build) == recorded else of_build
    return sorted(names)


def rows_of(cells: Mapping[CellPlace, CellValues]) -> Iterator[dict[str, Any]]:
    """The rows in order; builds whose cells show the same at a place share one."""
    rows: dict[tuple[str, str, str, CellValues], list[str]] = {}
    for place, values in cells.items():
        key = (place.service, place.client, place.offer, values)
        rows.setdefault(key, []).append(place.build)
    order = sorted(rows, key=lambda key: (key[:3], sorted(rows[key])))
    for service, client, offer, values in order:
        builds = sorted(rows[service, client, offer, values])
        place_data = {"service": service, "client": client, "offer": offer, "builds": builds}
        yield {**place_data, **values.to_data()}


def _format_members(document: Mapping[str, Any]) -> list[str]:
    """The members of an object, one item of each list and object per line."""
    members = [_format_member(key, document[key], " ") for key in sorted(document)]
    return [line for member in _with_commas(members) for line in member]


def _format_member(key: str, value: Any, indent: str) -> list[str]:
    name = f"{indent}{json.dumps(key, ensure_ascii=False)}: "
    deeper = indent + " "
    if isinstance(value, dict) and value and key in ("builds", "candidate", "files", "selection"):
        members = [_format_member(inner, value[inner], deeper) for inner in sorted(value)]
        inside = [line for member in _with_commas(members) for line in member]
        return [f"{name}{{", *inside, f"{indent}}}"]
    if isinstance(value, list) and value:
        items = [_format_item(key, item, deeper) for item in value]
        inside = [line for item in _with_commas(items) for line in item]
        return [f"{name}[", *inside, f"{indent}]"]
    return [name + json.dumps(value, ensure_ascii=False)]


def _format_item(key: str, item: Any, indent: str) -> list[str]:
    """An item of a list: one line, but for the earlier candidates."""
    if key != "earlier":
        return [indent + json.dumps(item, ensure_ascii=False)]
    members = [_format_member(inner, item[inner], indent + " ") for inner in sorted(item)]
    inside = [line for member in _with_commas(members) for line in member]
    return [f"{indent}{{", *inside, f"{indent}}}"]


def _with_commas(parts: list[list[str]]) -> Iterable[list[str]]:
    for number, part in enumerate(parts, start=1):
        yield part if number == len(parts) else [*part[:-1], part[-1] + ","]
