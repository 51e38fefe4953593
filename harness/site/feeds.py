"""Atom feeds (RFC 4287): one overall, and one per server, client and piece of advice.

A run has an entry only where a cell or a verdict changed; what is flaky has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from harness.catalog.shards import format_count
from harness.reports.plain_text import escape_controls
from harness.site.addresses import page_link, path_segment
from harness.site.changes import ChangeGroup, group_changes, nights, select_changes
from harness.site.extras import load_feedgen

#: Entries of a feed, groups of an entry, and cells of a group.
_MOST_ENTRIES, _MOST_GROUPS, _MOST_CELLS = 40, 30, 5
#: Characters that XML 1.0 does not allow, even escaped (section 2.2).
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: The parts of a change's place (build, scenario, client) that a feed is about.
_PARTS = {"build": 0, "advice": 1, "client": 2}
#: Of a site without a known address: ids need not be reachable (RFC 4287, section 4.2.6).
_UNNAMED = "https://postfix-matrix.invalid/"


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
        self._write_feed("", self.title, _concerns_all)
        for kind, names in (("build", builds), ("client", clients), ("advice", scenarios)):
            for name in names:
                keeps = partial(_concerns_name, _PARTS[kind], name)
                self._write_feed(
                    f"{kind}/{path_segment(name)}/",
                    f"{self.title}: {name}",
                    keeps,
                    page_link(kind, name),
                )

    def _write_feed(
        self, folder: str, title: str, keeps: Callable[[str, str, str], bool], link: str = ""
    ) -> None:
        base = self.base_url or _UNNAMED
        feed = load_feedgen().FeedGenerator()
        feed.id(base + link)
        feed.title(_clean_text(title))
        feed.link(href=f"{base}{link}feed.xml", rel="self")
        feed.link(href=base + link, rel="alternate")
        feed.author(name="postfix-matrix")
        feed.rights(self.licence)
        feed.generator("postfix-matrix")
        entries = list(self._select_entries(keeps))
        feed.updated(max((self.starts[entry[1]["run"]] for entry in entries), default=self.oldest))
        for date, record, cells, verdicts in entries:
            entry = feed.add_entry(order="append")
            entry.id(f"{base}{link}#{record['run']}")
            entry.title(_clean_text(_entry_title(cells, verdicts, date)))
            entry.link(href=f"{base}{page_link('changes', date)}")
            entry.updated(self.starts[record["run"]])
            entry.published(self.starts[record["run"]])
            entry.content(_clean_text(_entry_text(cells, verdicts, record, base)), type="html")
        path = self.site / folder / "feed.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(feed.atom_str(pretty=True))

    def _select_entries(
        self, keeps: Callable[[str, str, str], bool]
    ) -> Iterator[tuple[str, Mapping[str, Any], list[Any], list[Any]]]:
        """At most as many as a feed has, the newest first."""
        count = 0
        for date, record in nights(self.changes):
            cells, verdicts = select_changes(record, keeps)
            if (cells or verdicts) and record["run"] in self.starts and count < _MOST_ENTRIES:
                count += 1
                yield date, record, cells, verdicts


def _concerns_name(part: int, name: str, *place: str) -> bool:
    """Whether a change is in a build, of a scenario or with a client."""
    return place[part] == name


def _concerns_all(*_: str) -> bool:
    return True


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
