"""One run added to a site: its cells merged, its verdicts, what it changed, and its own files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.catalog.cells import is_control
from harness.observations.run_json import ImageInfo
from harness.reports.versions import openssl_version, postfix_version
from harness.scenarios.claims import BASELINE
from harness.site.addresses import path_segment
from harness.site.cells import CellColumns, CellTables
from harness.site.columns_file import write_run_table
from harness.site.facts import AxisOrder, collect_cells, scenario_facts, shards_of
from harness.site.judging_runs import explain_run_cells, judge_run_cells
from harness.site.merging import CellChange, CellMerger, MergedCells
from harness.site.objects import DATA, pack_json, write_object
from harness.site.refusals import Refusal
from harness.site.result_comparison import ResultComparer
from harness.site.run_reading import RunCells, read_run_cells
from harness.site.shards import ShardMaker
from harness.site.site_folder import reading_site_file
from harness.site.state import SiteState
from harness.verdicts.observation_diff import cipher_of

#: What ``changes/DATE.json`` has of each run.
_DAY_KEYS = frozenset(
    ("run", "before", "added", "compared", "complete", "cells", "flaky", "verdicts", "images")
)


@dataclass(slots=True)
class SiteContent:
    """Everything that a site is made from.

    ``changes`` are by date, as ``changes/DATE.json`` has them. ``refusals`` are those of the shards
    that this publication made.
    """

    state: SiteState = field(default_factory=SiteState)
    tables: CellTables = field(default_factory=CellTables)
    cells: CellColumns = field(default_factory=CellColumns)
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: dict[str, list[Refusal]] = field(default_factory=dict)
    comparer: ResultComparer = field(init=False)

    def __post_init__(self) -> None:
        self.comparer = ResultComparer(self.tables)

    @property
    def order(self) -> AxisOrder:
        """The order of names in tables; the baseline is the first scenario."""
        axes = self.state.axes
        scenarios = sorted(axes["scenarios"], key=lambda name: name != BASELINE)
        return AxisOrder(
            builds=axes["builds"], services=axes["services"], clients=axes["clients"],
            offers=axes["offers"], scenarios=scenarios,
        )  # fmt: skip

    def baseline_of(self, scenario: str) -> str | None:
        """The scenario with which one is compared; None for the baseline itself."""
        against = self.state.scenario(scenario).against
        return None if against == scenario or scenario not in self.state.scenarios else against


def add_night(content: SiteContent, folder: Path, site: Path) -> None:
    """Add a run to a site that is being written.

    Raises:
        UsageError: the folder is no run; FileError: a line is no observation.
    """
    state, tables = content.state, content.tables
    run = read_run_cells(folder, tables)
    images = {
        name: state.image(name)
        for name in run.record.axes.builds
        if name in state.images and name in run.record.images
    }
    renewed = set(_renewed_clients(state, run))
    rewritten = state.add_run(run)
    merged = CellMerger(
        tables,
        content.comparer,
        state.started(tables),
        ShardMaker(site, run, tables, content.refusals),
        {tables.scenario.numbers[name] for name in rewritten if name in tables.scenario.numbers},
        {tables.client.numbers[name] for name in renewed if name in tables.client.numbers},
    ).merge(content.cells, run.cells)
    content.cells = merged.cells
    entry = _describe_changes(content, run, merged)
    entry["images"] = list(_changed_images(state, images))
    entry["rewritten"] = sorted(rewritten)
    entry["verdicts"] = list(_add_verdicts(content, run, merged, rewritten))
    for name, lines in explain_run_cells(run, tables):
        state.scenarios[name]["lines"] = lines
    _file_changes(content, run, entry)
    _write_run_files(content, run, site)


def _renewed_clients(state: SiteState, run: RunCells) -> Iterable[str]:
    """The clients whose image is another than the site knew before the run."""
    for name in run.record.axes.clients:
        old, new = state.image(name), run.record.images.get(name)
        if old is not None and new is not None and old.id != new.id:
            yield name


def _describe_changes(content: SiteContent, run: RunCells, merged: MergedCells) -> dict[str, Any]:
    names = content.tables.run.names
    return {
        "run": run.record.id,
        "before": sorted(names[number] for number in merged.before),
        "added": merged.added,
        "compared": merged.compared,
        "complete": run.is_complete,
        "cells": [_change_data(content, change) for change in merged.changes if not change.flaky],
        "flaky": [_change_data(content, change) for change in merged.changes if change.flaky],
    }


def _change_data(content: SiteContent, change: CellChange) -> dict[str, Any]:
    comparer, row = content.comparer, change.row
    before = comparer.sentence(row.offer, change.before)
    after = comparer.sentence(row.offer, row.result)
    if before == after:
        table = content.tables.result
        ciphers = [cipher_of(table.observation(number)) for number in (change.before, row.result)]
        before, after = (f"{before}, {cipher or 'no cipher named'}" for cipher in ciphers)
    return {
        "cell": content.tables.cell_id(row),
        "finding": change.finding.value,
        "before": before,
        "after": after,
    }


def _changed_images(
    state: SiteState, before: dict[str, ImageInfo | None]
) -> Iterable[dict[str, Any]]:
    for name, old in before.items():
        new = state.image(name)
        if old is not None and new is not None and old.id != new.id:
            yield {"build": name, "before": describe_image(old), "after": describe_image(new)}


def describe_image(image: ImageInfo) -> str:
    """``Postfix 3.7.11, OpenSSL 3.0.20 (sha256:0123456789ab)``."""
    return (
        f"Postfix {postfix_version(image).brief}, OpenSSL {openssl_version(image).brief} "
        f"({image.id[:19]})"
    )


def _add_verdicts(
    content: SiteContent, run: RunCells, merged: MergedCells, rewritten: set[str]
) -> Iterable[dict[str, Any]]:
    """The verdicts that changed with a cell of their scenario or its baseline.

    A verdict that turns without such a cell turned because of a time-out or of other clients.
    """
    names = content.tables
    moved = {
        (names.scenario.names[change.row.scenario], names.build.names[change.row.build])
        for change in merged.changes
        if not change.flaky
    }
    for scenario, build, verdict in judge_run_cells(run, content.cells, names):
        before = content.state.add_verdict(scenario, build, verdict)
        against = content.state.scenario(scenario).against
        caused = {(scenario, build), (against, build)} & moved or scenario in rewritten
        if before is not None and caused:
            yield {
                "scenario": scenario, "build": build,
                "before": before, "after": verdict["verdict"],
            }  # fmt: skip


def _file_changes(content: SiteContent, run: RunCells, entry: dict[str, Any]) -> None:
    """Put a run's changes into its day's; of a run that is published again, both times' count."""
    day = content.changes.setdefault(run.date, {"schema": 1, "date": run.date, "runs": []})
    for known in day["runs"]:
        if known["run"] == entry["run"]:
            for key in ("cells", "flaky", "verdicts", "images"):
                known[key] += [change for change in entry[key] if change not in known[key]]
            known["added"] += entry["added"]
            known["complete"] = entry["complete"]
            return
    day["runs"].append(entry)


def _write_run_files(content: SiteContent, run: RunCells, site: Path) -> None:
    """The run's table, its facts, and its record."""
    folder = site / DATA / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    # The id is text of run.json, which others may have written.
    name_of_run = path_segment(run.record.id)
    table = folder / f"{name_of_run}.parquet"
    table.unlink(missing_ok=True)
    rows = write_run_table(table, run.cells, content.tables, run.record)
    content.state.runs[run.record.id]["cells"] = rows
    facts: dict[str, str] = {}
    evidence: dict[str, str] = {}
    for name in run.record.axes.scenarios:
        against = run.record.scenarios[name].against if name in run.record.scenarios else None
        collected = collect_cells(
            content.tables, run.cells, name, content.order,
            against if against != name else None, run.record.axes.builds_of(name),
        )  # fmt: skip
        info = content.state.scenario(name)
        facts[name] = write_object(
            site, scenario_facts(content.tables, content.comparer, collected, info, pinned=True)
        )
        # Named by its content, like the facts: an unchanged night adds neither.
        evidence[name] = write_object(site, _evidence_of_run(content, run, name))
    record = {
        "schema": 1, "run": run.public, "incomplete": not run.is_complete,
        "facts": facts, "evidence": evidence,
    }  # fmt: skip
    public = folder / f"{name_of_run}.json"
    public.unlink(missing_ok=True)
    public.write_bytes(pack_json(record))


def _evidence_of_run(content: SiteContent, run: RunCells, scenario: str) -> dict[str, list[str]]:
    """The shards with the evidence of a run's cells, or of the same results of an earlier run."""
    tables = content.tables
    number = tables.scenario.numbers.get(scenario, -1)
    this = tables.run.numbers[run.record.id]
    shards = {}
    for build in content.cells.builds_of(number):
        rows = [row for row in content.cells.group(number, build) if row.run == this]
        if rows and not is_control(tables.build.names[build]):
            shards[tables.build.names[build]] = shards_of(tables, rows)
    return shards


def read_changes(site: Path) -> dict[str, dict[str, Any]]:
    """The changes of a site, by date.

    Raises:
        UsageError: a file cannot be read.
    """
    return {path.stem: _read_day(path) for path in sorted((site / DATA / "changes").glob("*.json"))}


def _read_day(path: Path) -> dict[str, Any]:
    with reading_site_file(path):
        day: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for record in day["runs"]:
            # What pages and feeds read of each.
            if missing := _DAY_KEYS - record.keys():
                raise KeyError(sorted(missing)[0])
    return day
