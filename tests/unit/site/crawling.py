"""Reads a published site as a browser without JavaScript does: pages, links, ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Page:
    """A page's links, ids, text and number of interactive elements."""

    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    text: str = ""
    tags: list[str] = field(default_factory=list)


class _PageReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "action", "data-facts") and value is not None:
                self.page.links.append(value)
            elif name == "data-evidence":
                self.page.links += (value or "").split()
            elif name == "id" and value:
                self.page.ids.append(value)

    def handle_data(self, data: str) -> None:
        self.page.text += data


def read_page(path: Path) -> Page:
    """A page as it is in its file."""
    reader = _PageReader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def find_dead_links(site: Path) -> Iterator[str]:
    """Every link within the site that leads to no file, or to no element of its page."""
    pages = {path: read_page(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        if path.name == "404.html":
            continue
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)) if parts.path else path
            if target.is_dir():
                target = target / "index.html"
            target = target.resolve()
            if not target.is_file() or not target.is_relative_to(site.resolve()):
                yield f"{path.relative_to(site)}: {link}"
            elif parts.fragment and unquote(parts.fragment) not in pages[target].ids:
                # A page of clients leads on to the client's page with the same fragment.
                client = unquote(parts.fragment).split("/")[1:2]
                split = [target.parent / name / "index.html" for name in client]
                if not any(
                    unquote(parts.fragment) in pages[path].ids for path in split if path in pages
                ):
                    yield f"{path.relative_to(site)}: {link} (no such element)"
