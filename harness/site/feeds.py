"""Atom feeds (RFC 4287): one overall, and one per server, client and piece of advice.

A run has an entry only where a cell or a verdict changed; what is flaky has none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from harness.counts import format_count
from harness.plain_text import escape_controls
from harness.site.addresses import page_link, path_segment
from harness.site.changes import OVERVIEW, ChangeGroup, Page, changes_by_page, group_changes, nights
from harness.site.extras import load_feedgen

#: Entries of a feed, groups of an entry, and cells of a group.
_MOST_ENTRIES, _MOST_GROUPS, _MOST_CELLS = 40, 30, 5
#: Characters that XML 1.0 does not allow, even escaped (section 2.2).
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Of a site without a known address: ids need not be reachable (RFC 4287, section 4.2.6).
_UNNAMED = "https://postfix-matrix.invalid/"
#: A day, the record of its run, and the cells and verdicts of it that concern a page.
Entry = tuple[str, Mapping[str, Any], list[Any], list[Any]]
#: The entries of each page's feed, the newest first.
Entries = Mapping[Page, list[Entry]]


@dataclass(frozen=True, slots=True)
class FeedMaker:
    """Makes feeds from the changes of a site. ``starts``: when each run started, ISO 8601."""

    site: Path
    title: str
    base_url: str | None
    licence: str
    changes: Mapping[str, Mapping[str, Any]]
    starts: Mapping[str, str]

    @property
    def oldest(self) -> str:
        """When the first run started: the time of a feed without entries."""
        return min(self.starts.values())

    def write_all(
        self, builds: Iterable[str], clients: Iterable[str], scenarios: Iterable[str]
    ) -> None:
        """All feeds."""
        entries = self._collect_entries()
        self._write_feed(OVERVIEW, self.title, entries)
        for kind, names in (("build", builds), ("client", clients), ("advice", scenarios)):
            for name in names:
                self._write_feed((kind, name), f"{self.title}: {name}", entries)

    def _write_feed(self, page: Page, title: str, entries_by_page: Entries) -> None:
        kind, name = page
        link = page_link(kind, name) if kind else ""
        base = self.base_url or _UNNAMED
        feed = load_feedgen().FeedGenerator()
        feed.id(base + link)
        feed.title(_clean_text(title))
        feed.link(href=f"{base}{link}feed.xml", rel="self")
        feed.link(href=base + link, rel="alternate")
        feed.author(name="postfix-matrix")
        feed.rights(self.licence)
        feed.generator("postfix-matrix")
        entries = entries_by_page.get(page, [])
        feed.updated(max((self.starts[entry[1]["run"]] for entry in entries), default=self.oldest))
        for date, record, cells, verdicts in entries:
            entry = feed.add_entry(order="append")
            entry.id(f"{base}{link}#{record['run']}")
            entry.title(_clean_text(_entry_title(cells, verdicts, date)))
            entry.link(href=f"{base}{page_link('changes', date)}")
            entry.updated(self.starts[record["run"]])
            entry.published(self.starts[record["run"]])
            entry.content(_clean_text(_entry_text(cells, verdicts, record, base)), type="html")
        path = self.site / kind / (path_segment(name) if kind else "") / "feed.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(feed.atom_str(pretty=True))

    def _collect_entries(self) -> Entries:
        """The entries of every feed, at most as many as a feed has."""
        entries: dict[Page, list[Entry]] = defaultdict(list)
        for date, record in nights(self.changes):
            if record["run"] in self.starts:
                for page, changes in changes_by_page(record).items():
                    if len(entries[page]) < _MOST_ENTRIES:
                        entries[page].append((date, record, *changes))
        return entries


def _entry_title(cells: list[Any], verdicts: list[Any], date: str) -> str:
    parts = [
        f"{format_count(len(records), noun)} changed"
        for records, noun in ((cells, "cell"), (verdicts, "verdict"))
        if records
    ]
    return f"{date}: {' and '.join(parts)}"


def _entry_text(cells: list[Any], verdicts: list[Any], record: Mapping[str, Any], base: str) -> str:
    """The entry as HTML; every text is escaped, and the feed escapes it once more."""
    lines = [
        f"<li>{escape(change['scenario'])} on {escape(change['build'])}: "
        f"{escape(change['before'])} → {escape(change['after'])}</li>"
        for change in verdicts[:_MOST_GROUPS]
    ]
    groups = group_changes(cells)
    lines += [_group_line(group, base) for group in groups[:_MOST_GROUPS]]
    if len(groups) > _MOST_GROUPS:
        lines.append(f"<li>and {len(groups) - _MOST_GROUPS} more groups of cells</li>")
    images = [
        f"<li>{escape(change['build'])}: {escape(change['before'])} → "
        f"{escape(change['after'])}</li>"
        for change in record["images"][:_MOST_GROUPS]
    ]
    text = f"<ul>{''.join(lines)}</ul>"
    return text + (f"<p>Other images:</p><ul>{''.join(images)}</ul>" if images else "")


def _group_line(group: ChangeGroup, base: str) -> str:
    links = ", ".join(
        f'<a href="{escape(base + cell.href)}">{escape(cell.name)}</a>'
        for cell in group.cells[:_MOST_CELLS]
    )
    more = len(group.cells) - _MOST_CELLS
    return (
        f"<li>{escape(group.finding)}: {escape(group.before)} → {escape(group.after)}: {links}"
        f"{f' and {more} more' if more > 0 else ''}</li>"
    )


def _clean_text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", escape_controls(text))
