"""What changed, for pages and feeds: cells with the same change are one group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.counts import format_count
from harness.site.addresses import cell_link, page_link
from harness.snapshots.findings import Finding

#: A page by its kind and name: ``build``, ``debian-12``; the overview concerns everything.
Page = tuple[str, str]
OVERVIEW: Page = ("", "")
#: Records of cells, and of verdicts.
SelectedChanges = tuple[list[Mapping[str, str]], list[Mapping[str, str]]]
#: The worst first.
_ORDER = [Finding.BROKEN.value, Finding.CHANGED.value, Finding.FIXED.value]


@dataclass(frozen=True, slots=True)
class ChangedCell:
    """A cell that changed, and its address relative to the root."""

    name: str
    href: str


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Cells that showed the same before, and show the same now."""

    finding: str
    before: str
    after: str
    cells: tuple[ChangedCell, ...]


@dataclass(frozen=True, slots=True)
class Night:
    """A run's changes for a page."""

    run: str
    date: str
    complete: bool
    statement: str
    groups: tuple[ChangeGroup, ...]
    flaky: tuple[ChangeGroup, ...]
    verdicts: tuple[Mapping[str, str], ...]
    images: tuple[Mapping[str, str], ...]
    rewritten: tuple[str, ...]
    href: str
    changes: str


def group_changes(records: Iterable[Mapping[str, str]]) -> tuple[ChangeGroup, ...]:
    """The records of ``changes/DATE.json`` in groups, the worst first."""
    grouped: dict[tuple[str, str, str], list[ChangedCell]] = {}
    for record in records:
        key = (record["finding"], record["before"], record["after"])
        cell = ChangedCell(record["cell"], cell_link(record["cell"]))
        grouped.setdefault(key, []).append(cell)
    groups = [ChangeGroup(*key, tuple(cells)) for key, cells in grouped.items()]
    return tuple(sorted(groups, key=lambda group: (_ORDER.index(group.finding), -len(group.cells))))


def list_changes(record: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """A run's changed cells one by one, the worst first, then the flaky ones; with addresses."""
    changed = sorted(record["cells"], key=lambda change: _ORDER.index(change["finding"]))
    flaky = [{**change, "finding": "flaky"} for change in record["flaky"]]
    return [{**change, "href": cell_link(change["cell"])} for change in (*changed, *flaky)]


def read_night(date: str, record: Mapping[str, Any]) -> Night:
    """A run's record in ``changes/DATE.json`` for a page."""
    return Night(
        run=record["run"],
        date=date,
        complete=record["complete"],
        statement=describe_night(record),
        groups=group_changes(record["cells"]),
        flaky=group_changes(record["flaky"]),
        verdicts=tuple(
            {**change, "href": page_link("advice", change["scenario"])}
            for change in record["verdicts"]
        ),
        images=tuple(record["images"]),
        rewritten=tuple(record.get("rewritten", ())),
        href=page_link("runs", record["run"]),
        changes=page_link("changes", date),
    )


def describe_night(record: Mapping[str, Any]) -> str:
    """``3 of 2400 cells changed, and 1 verdict; 12 cells were measured for the first time.``"""
    parts = []
    if record["compared"]:
        cells, compared = len(record["cells"]), record["compared"]
        word = (
            f"{cells} of {compared} cells changed" if cells else f"none of {compared} cells changed"
        )
        verdicts = len(record["verdicts"])
        parts.append(word + (f", and {format_count(verdicts, 'verdict')}" if verdicts else ""))
    if record["flaky"]:
        parts.append(f"{format_count(len(record['flaky']), 'cell')} flaky")
    if record["added"]:
        parts.append(f"{format_count(record['added'], 'cell')} measured for the first time")
    text = "; ".join(parts) or "no cell was measured"
    return f"{text[0].upper()}{text[1:]}."


def nights(changes: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every run's record with its day, the newest first."""
    for date in sorted(changes, reverse=True):
        for record in sorted(changes[date]["runs"], key=lambda r: r["run"], reverse=True):
            yield date, record


def changes_by_page(record: Mapping[str, Any]) -> Mapping[Page, SelectedChanges]:
    """The cells and verdicts of a run by the pages that they concern, in the record's order."""
    by_page: dict[Page, SelectedChanges] = defaultdict(lambda: ([], []))
    for change in record["cells"]:
        build, scenario, _, client, _ = change["cell"].split("/", 4)
        for page in (OVERVIEW, ("build", build), ("advice", scenario), ("client", client)):
            by_page[page][0].append(change)
    for change in record["verdicts"]:
        for page in (OVERVIEW, ("build", change["build"]), ("advice", change["scenario"])):
            by_page[page][1].append(change)
    return by_page
