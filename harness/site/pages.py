"""Writes pages from templates; every text is escaped by the template engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from harness.reports.plain_text import escape_value
from harness.site.addresses import page_file, page_link

#: What a browser may load: nothing but the site's own files.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'"
)
#: A page is at most this large (bytes).
PAGE_LIMIT = 60_000


@dataclass(slots=True)
class PageWriter:
    """Writes pages below a folder; ``common`` is what every page shows.

    ``sizes``: bytes of each page that is larger than :data:`PAGE_LIMIT`.
    """

    site: Path
    common: Mapping[str, Any]
    base_url: str | None = None
    pages: int = 0
    large: dict[str, int] = field(default_factory=dict)
    _folders: set[Path] = field(default_factory=set)

    def write(self, template: str, kind: str, *names: str, **context: Any) -> None:
        """Write the page of a kind and some names: ``can``, client, build; "" is the overview."""
        name = page_file(kind, *names) if kind else "index.html"
        address = page_link(kind, *names) if kind else ""
        self.write_file(template, name, address=address, root="../" * name.count("/"), **context)

    def write_file(self, template: str, name: str, **context: Any) -> None:
        """Write a page by its file's name; ``root`` is its way to the site's root."""
        canonical = self.base_url + context["address"] if self.base_url else ""
        values = {"crumbs": (), "feed": "feed.xml", "here": "", "canonical": canonical}
        text = read_template(template).render({**self.common, **values, **context})
        data = text.encode("utf-8", "backslashreplace")
        if len(data) > PAGE_LIMIT:
            self.large[name] = len(data)
        path = self.site / name
        if path.parent not in self._folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        path.write_bytes(data)
        self.pages += 1


def read_template(name: str) -> Any:
    """A template by its name without ``.html``."""
    return _make_environment().get_template(f"{name}.html")


@cache
def _make_environment() -> Environment:
    environment = Environment(
        autoescape=True,
        finalize=escape_value,
        loader=FunctionLoader(_read_template_text),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["link"] = page_link
    return environment


def _read_template_text(name: str) -> str:
    return (files("harness.site") / "templates" / name).read_text(encoding="utf-8")
