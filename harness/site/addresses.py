"""Addresses of pages (docs/site-data.md): names as folders, and links to them.

A folder's name is the name itself where it is safe in a path of any static host; each other byte is
``~`` and two hexadecimal digits, so that no name leads out of its folder.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

#: Longer names end in a hash: file systems allow 255 bytes.
_LONGEST = 150
_UNSAFE = re.compile(rb"[^A-Za-z0-9._+-]|^\.")


def path_segment(name: str) -> str:
    """A name as one folder: ``registry/x`` is ``registry~2Fx``, ``..`` is ``~2E.``."""
    raw = name.encode("utf-8", "backslashreplace")
    text = _UNSAFE.sub(lambda match: b"~%02X" % match[0][0], raw).decode("ascii")
    if len(text) > _LONGEST:
        return f"{text[:_LONGEST]}~{hashlib.sha256(raw).hexdigest()[:16]}"
    return text or "~"


def link_segment(name: str) -> str:
    """The same in a link; some hosts read ``+`` as a space."""
    return path_segment(name).replace("+", "%2B")


def page_link(kind: str, *names: str) -> str:
    """The address of a page's folder, relative to the root: ``can/CLIENT/BUILD/``."""
    return "/".join([kind, *(link_segment(name) for name in names)]) + "/"


def page_file(kind: str, *names: str) -> str:
    """The file of a page, relative to the root."""
    return "/".join([kind, *(path_segment(name) for name in names), "index.html"])


def facts_file(scenario: str) -> str:
    """The file of a scenario's facts, relative to the root."""
    return f"data/v1/facts/{path_segment(scenario)}.json"


def facts_link(scenario: str) -> str:
    """Its address."""
    return f"data/v1/facts/{link_segment(scenario)}.json"


def cell_link(cell: str, run: str | None = None) -> str:
    """The permanent address of a cell, relative to the root; ``run`` pins it.

    Args:
        cell: ``build/scenario/service/client/offer``.
        run: the id of a kept run.
    """
    build, scenario, rest = cell.split("/", 2)
    pin = f"@{run}" if run else ""
    return f"{page_link('cell', build, scenario)}#{quote_fragment(rest + pin)}"


def quote_fragment(text: str) -> str:
    """A fragment percent-encoded, such that it is the text again when a browser decodes it."""
    return quote(text, safe="/:+=.@,-_~")
