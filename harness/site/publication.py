"""Publish runs: read them, merge them into the site, and write every page, file and feed again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

from harness import __version__
from harness.catalog.cells import is_control
from harness.observations.run_folder import load_record
from harness.site.addresses import facts_file, path_segment
from harness.site.advice_pages import AdvicePages
from harness.site.cell_pages import CellPages
from harness.site.cells import NONE
from harness.site.columns_file import read_state, write_state
from harness.site.extras import load_feedgen, load_pyarrow
from harness.site.facts import collect_cells, scenario_facts
from harness.site.feeds import FeedMaker
from harness.site.index_json import index_data
from harness.site.nights import SiteContent, add_night, read_changes
from harness.site.objects import DATA, OBJECTS, pack_json
from harness.site.pages import POLICY, PageWriter
from harness.site.pair_pages import PairPages
from harness.site.run_checks import check_runs
from harness.site.side_pages import SidePages
from harness.site.site_folder import (
    check_site_folder,
    keep_file,
    reading_site_file,
    replace_site,
)
from harness.site.site_index import SiteIndex
from harness.site.site_pages import SitePages, answer_choices
from harness.site.state import CELLS_FILE, STATE_FILE, read_state_file
from harness.site.titles import verdict_titles

#: Addresses of licences that are named by their SPDX ids.
LICENCES = {
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "ODbL-1.0": "https://opendatacommons.org/licenses/odbl/1-0/",
}
SITE_TITLE = "postfix-matrix"
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """``keep``: runs whose data is kept. ``base_url`` ends in ``/``, or is None. ``now``: ISO."""

    keep: int
    base_url: str | None
    licence: str
    now: str


@dataclass(frozen=True, slots=True)
class PublishResult:
    """What was written. ``large``: pages above the limit, with their bytes."""

    runs: tuple[str, ...]
    cells: int
    pages: int
    large: dict[str, int]


def publish_runs(
    folders: Sequence[Path], into: Path, options: PublishOptions, report: Report
) -> PublishResult:
    """Add runs to the site in a folder, or make one there.

    Raises:
        UsageError: a run, or the folder, cannot be used. The site that was there is as it was.
    """
    load_pyarrow()
    load_feedgen()
    check_runs(folders)
    records = {Path(os.path.realpath(folder)): load_record(folder) for folder in folders}
    check_site_folder(into)
    with replace_site(into) as site:
        old = into if check_site_folder(into) else None
        content = _load_content(old) if old else SiteContent()
        content.state.generated_at = options.now
        for folder in sorted(records, key=lambda folder: records[folder].started):
            report(f"reading {folder}")
            add_night(content, folder, site)
            content.state.keep(records[folder].id, options.keep)
        if old:
            _keep_files(content, old, site)
        report(f"writing pages of {len(content.cells)} cells")
        writer = _write_site(content, site, options)
        _remove_unkept(content, site)
    return PublishResult(
        tuple(content.state.kept), len(content.cells), writer.pages, dict(writer.large)
    )


def _load_content(site: Path) -> SiteContent:
    content = SiteContent(state=read_state_file(site))
    with reading_site_file(site / CELLS_FILE):
        content.cells = read_state(site / CELLS_FILE, content.tables)
    content.changes = read_changes(site)
    return content


def _keep_files(content: SiteContent, old: Path, site: Path) -> None:
    """Take over the files of kept runs, and the evidence that cells still have."""
    shards = {number for number in content.cells.column("shard") if number != NONE}
    for number in shards:
        keep_file(old, site, content.tables.shard.names[number])
    for run in content.state.kept:
        for suffix in ("json", "parquet"):
            keep_file(old, site, f"{DATA}/runs/{path_segment(run)}.{suffix}")
        _keep_files_of_run(site / DATA / "runs" / f"{path_segment(run)}.json", old, site)


def _keep_files_of_run(record: Path, old: Path, site: Path) -> None:
    """Take over what the record of a kept run names: its facts and evidence."""
    with reading_site_file(record):
        data = json.loads(record.read_bytes())
        maps = list(data["evidence"].values())
        objects = [*data["facts"].values(), *(path for path in maps if isinstance(path, str))]
    _keep_objects(old, site, objects)
    for shards_by_build in maps:
        # An earlier version wrote the shards themselves into the record.
        path = site / shards_by_build if isinstance(shards_by_build, str) else record
        if path is not record and not _is_object(shards_by_build):
            continue
        with reading_site_file(path):
            by_build = shards_by_build if path is record else json.loads(path.read_bytes())
            shards = [name for names in by_build.values() for name in names]
        _keep_objects(old, site, shards)


def _keep_objects(old: Path, site: Path, names: Iterable[str]) -> None:
    """Take over files named by their hash, and no other file that a record may name."""
    for name in names:
        if _is_object(name):
            keep_file(old, site, name)


def _is_object(name: str) -> bool:
    return PurePosixPath(name).parent == PurePosixPath(OBJECTS)


def _remove_unkept(content: SiteContent, site: Path) -> None:
    """Remove what was just written of runs that are not kept."""
    kept = {path_segment(run) for run in content.state.kept}
    for path in (site / DATA / "runs").iterdir():
        if path.stem not in kept:
            path.unlink()


def _write_site(content: SiteContent, site: Path, options: PublishOptions) -> PageWriter:
    licence_url = LICENCES.get(options.licence, "")
    writer = PageWriter(
        site,
        {
            "site_title": SITE_TITLE, "policy": POLICY, "generated_at": options.now,
            "licence": options.licence, "licence_url": licence_url,
            "feed_title": f"{SITE_TITLE}: what changed", "verdicts": verdict_titles(),
            "tool": __version__,
        },
        options.base_url,
    )  # fmt: skip
    _copy_assets(site)
    schemas = _copy_schemas(site)
    index = _write_cells(content, writer)
    choices = answer_choices(index)
    AdvicePages(index, writer).write_all()
    SidePages(index, writer).write_all()
    PairPages(index, writer).write_all()
    citation = citation_text(content, options)
    pages = SitePages(index, writer, choices, citation)
    pages.write_all()
    about = {
        "generated_at": options.now, "tool": {"name": "postfix-matrix", "version": __version__},
        "title": SITE_TITLE, "base_url": options.base_url,
        "licence": {"id": options.licence, "url": licence_url or None}, "citation": citation,
    }  # fmt: skip
    data = index_data(index, writer, about)
    (site / DATA / "index.json").write_bytes(pack_json(data))
    pages.write_data(data["runs"], data["scenarios"], schemas)
    _write_feeds(content, index, site, options)
    _write_state(content, site)
    return writer


def _write_cells(content: SiteContent, writer: PageWriter) -> SiteIndex:
    """Facts and cell pages, scenario by scenario; and the index of all cells."""
    index, cell_pages = SiteIndex(content), CellPages(content, writer)
    (writer.site / DATA / "facts").mkdir(parents=True, exist_ok=True)
    names = content.tables
    for scenario in dict.fromkeys(scenario for scenario, _ in content.cells.groups()):
        name = names.scenario.names[scenario]
        planned = content.state.scenarios.get(name, {}).get("builds", ())
        collected = collect_cells(
            names, content.cells, name, content.order, content.baseline_of(name), planned
        )
        cell_pages.write_scenario(collected)
        if all(is_control(build) for build in collected.rows):
            continue
        index.add_scenario(collected)
        info = content.state.scenario(name)
        facts = scenario_facts(names, content.comparer, collected, info)
        (writer.site / facts_file(name)).write_bytes(pack_json(facts))
    return index


def _write_feeds(
    content: SiteContent, index: SiteIndex, site: Path, options: PublishOptions
) -> None:
    starts = {name: run["started"] for name, run in content.state.runs.items()}
    FeedMaker(
        site, SITE_TITLE, options.base_url, options.licence, content.changes, starts
    ).write_all(index.builds, [*index.clients, *index.peers], index.scenarios)


def _write_state(content: SiteContent, site: Path) -> None:
    folder = site / DATA / "changes"
    folder.mkdir(parents=True, exist_ok=True)
    for date, day in content.changes.items():
        (folder / f"{date}.json").write_bytes(pack_json(day))
    write_state(site / CELLS_FILE, content.cells, content.tables)
    (site / STATE_FILE).write_bytes(pack_json(content.state.to_data()))


def _copy_assets(site: Path) -> None:
    folder = site / "assets"
    folder.mkdir()
    for entry in (files("harness.site") / "assets").iterdir():
        if entry.name.endswith((".css", ".js", ".txt")):
            (folder / entry.name).write_bytes(entry.read_bytes())


def _copy_schemas(site: Path) -> list[str]:
    """The schemas of the site's data; their names."""
    folder = site / DATA / "schemas"
    folder.mkdir(parents=True)
    names = []
    for entry in (files("harness.site") / "schemas").iterdir():
        (folder / entry.name).write_bytes(entry.read_bytes())
        names.append(entry.name)
    return sorted(names)


def citation_text(content: SiteContent, options: PublishOptions) -> str:
    """How to cite the data."""
    newest = content.state.kept[0] if content.state.kept else "no run"
    where = f" {options.base_url}" if options.base_url else ""
    return (
        f"postfix-matrix {__version__}: TLS between mail clients and Postfix, measured. "
        f"Run {newest}, published {options.now[:10]}.{where} Licence: {options.licence}."
    )
