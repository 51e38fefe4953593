"""A scenario's cells as small columns of JSON (docs/site-data.md, ``facts/SCENARIO.json``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.observations.record import Observation
from harness.observations.run_json import ScenarioInfo
from harness.site.cells import NONE, CellColumns, CellRow, CellTables, NameTable
from harness.site.result_comparison import ResultComparer
from harness.site.run_reading import unique_rows
from harness.verdicts.observation_diff import bits_of, cipher_of, group_of, protocol_of

Spot = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class AxisOrder:
    """The places of names in the tables of a site; names that are not here come last, sorted."""

    builds: Sequence[str] = ()
    services: Sequence[str] = ()
    clients: Sequence[str] = ()
    offers: Sequence[str] = ()
    scenarios: Sequence[str] = ()


def order_names(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Names once each, in an order."""
    places = {name: place for place, name in enumerate(order)}
    return sorted(set(names), key=lambda name: (places.get(name, len(places)), name))


@dataclass(frozen=True, slots=True)
class ScenarioCells:
    """All cells of a scenario, and the baseline's beside them: by build, then by spot."""

    name: str
    builds: tuple[str, ...]
    spots: tuple[Spot, ...]
    rows: dict[str, dict[Spot, CellRow]]
    baseline: dict[str, dict[Spot, CellRow]]


def collect_cells(
    tables: CellTables,
    cells: CellColumns,
    scenario: str,
    order: AxisOrder,
    baseline: str | None = None,
    planned: Iterable[str] = (),
) -> ScenarioCells:
    """The cells of a scenario in the order of the axes; ``planned`` are builds to name anyway."""
    rows = _rows_by_build(tables, cells, scenario)
    spots = {spot for by_spot in rows.values() for spot in by_spot}
    places = {
        "service": _sorting_keys(tables.service.names, order.services),
        "client": _sorting_keys(tables.client.names, order.clients),
        "offer": _sorting_keys(tables.offer.names, order.offers),
    }
    ordered = sorted(
        spots,
        key=lambda s: (
            places["service"][s[0]],
            places["client"][s[1]],
            places["offer"][s[2]],
        ),
    )
    builds = order_names((*rows, *planned), order.builds)
    beside = _baseline_rows(tables, cells, baseline) if baseline else {}
    return ScenarioCells(scenario, tuple(builds), tuple(ordered), rows, beside)


def scenario_facts(
    tables: CellTables,
    comparer: ResultComparer,
    collected: ScenarioCells,
    info: ScenarioInfo,
    *,
    pinned: bool = False,
) -> dict[str, Any]:
    """The facts; ``pinned``: of one run, so that an unchanged night has the same file."""
    results = _ResultColumn(tables, comparer)
    runs = NameTable()
    cells, standing, run, evidence = [], [], [], []
    for build in collected.builds:
        rows = collected.rows.get(build, {})
        beside = collected.baseline.get(build, {})
        line = [rows.get(spot) for spot in collected.spots]
        cells.append([NONE if row is None else results.number(row) for row in line])
        signs = [_standing_sign(comparer, row, beside, bool(collected.baseline)) for row in line]
        standing.append("".join(signs))
        if not pinned:
            run.append(_run_column(tables, runs, line))
            evidence.append(shards_of(tables, rows.values()))
    names = [tables.service.names, tables.client.names, tables.offer.names]
    axes = [list(dict.fromkeys(spot[i] for spot in collected.spots)) for i in range(3)]
    index = [{number: place for place, number in enumerate(axis)} for axis in axes]
    return {
        "schema": 1, "scenario": collected.name, "title": info.title, "claim": info.claim,
        "baseline": info.against if collected.baseline else None,
        "builds": list(collected.builds),
        "services": [names[0][number] for number in axes[0]],
        "clients": [names[1][number] for number in axes[1]],
        "offers": [names[2][number] for number in axes[2]],
        "runs": runs.names,
        "places": [[index[i][spot[i]] for i in range(3)] for spot in collected.spots],
        "results": results.records, "cells": cells, "standing": standing, "run": run,
        "evidence": evidence,
    }  # fmt: skip


def shards_of(tables: CellTables, rows: Iterable[CellRow]) -> list[str]:
    """The shards that have the evidence of some cells, newest first."""
    newest: dict[int, str] = {}
    for row in rows:
        if row.shard != NONE:
            run = tables.run.names[row.run]
            newest[row.shard] = max(newest.get(row.shard, ""), run)
    ordered = sorted(newest, key=lambda shard: (newest[shard], shard), reverse=True)
    return [tables.shard.names[shard] for shard in ordered]


class _ResultColumn:
    """The distinct results of a scenario, as JSON."""

    def __init__(self, tables: CellTables, comparer: ResultComparer) -> None:
        self._tables, self._comparer = tables, comparer
        self._numbers: dict[tuple[int, str], int] = {}
        self.records: list[dict[str, Any]] = []

    def number(self, row: CellRow) -> int:
        label = self._comparer.label(row.offer, row.result)
        key = (row.result, label)
        if key not in self._numbers:
            self._numbers[key] = len(self.records)
            shown = self._tables.result.observation(row.result)
            sentence = self._comparer.sentence(row.offer, row.result)
            self.records.append(result_record(shown, label, sentence))
        return self._numbers[key]


def result_record(shown: Observation, label: str, sentence: str) -> dict[str, Any]:
    """A result as JSON, without what it does not have."""
    record = {
        "outcome": shown.outcome.value, "label": label, "sentence": sentence,
        "protocol": protocol_of(shown), "cipher": cipher_of(shown), "group": group_of(shown),
        "bits": bits_of(shown), "stage": shown.stage and shown.stage.value,
        "reason": shown.reason, "decided_by": shown.decided_by,
        "obstacles": list(shown.obstacles) or None, "agree": shown.agree, "trust": shown.trust,
        "resumed": shown.resumed,
    }  # fmt: skip
    return {key: value for key, value in record.items() if value is not None}


def _standing_sign(
    comparer: ResultComparer,
    row: CellRow | None,
    beside: dict[Spot, CellRow],
    has_baseline: bool,
) -> str:
    if row is None:
        return "."
    if not has_baseline:
        return "?"
    other = beside.get((row.service, row.client, row.offer))
    baseline = NONE if other is None else other.result
    return comparer.standing_sign(row.result, baseline)


def _run_column(
    tables: CellTables, runs: NameTable, line: Sequence[CellRow | None]
) -> int | list[int]:
    numbers = [runs.optional(None if row is None else tables.run.names[row.run]) for row in line]
    used = {number for number in numbers if number != NONE}
    return used.pop() if len(used) == 1 else numbers


def _rows_by_build(
    tables: CellTables, cells: CellColumns, scenario: str
) -> dict[str, dict[Spot, CellRow]]:
    number = tables.scenario.numbers.get(scenario, NONE)
    return {
        tables.build.names[build]: {
            (row.service, row.client, row.offer): row
            for row in unique_rows(cells.group(number, build))
        }
        for build in cells.builds_of(number)
    }


@lru_cache(maxsize=1)
def _baseline_rows(
    tables: CellTables, cells: CellColumns, scenario: str
) -> dict[str, dict[Spot, CellRow]]:
    """The same of a baseline, which nearly all scenarios share."""
    return _rows_by_build(tables, cells, scenario)


def _sorting_keys(names: Sequence[str], order: Sequence[str]) -> list[tuple[int, str]]:
    """The sorting key of each name by its number."""
    places = {name: place for place, name in enumerate(order)}
    return [(places.get(name, len(places)), name) for name in names]
