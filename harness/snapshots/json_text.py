"""Where a value stands in a JSON text: its line, for messages about a user's file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[\s,]*")


def line_of_key(text: str, key: str) -> int | None:
    """The line of the first key of that name, from 1; None where there is none."""
    match = re.search(rf"{re.escape(json.dumps(key, ensure_ascii=False))}\s*:", text)
    return None if match is None else _line_at(text, match.start())


def lines_of_items(text: str, key: str) -> list[int]:
    """The lines on which the items of the list at a key begin, from 1."""
    match = re.search(rf"{re.escape(json.dumps(key, ensure_ascii=False))}\s*:\s*\[", text)
    return [] if match is None else list(_item_lines(text, match.end()))


def _item_lines(text: str, position: int) -> Iterator[int]:
    decoder = json.JSONDecoder()
    line, counted = _line_at(text, position), position
    while True:
        space = _SPACE.match(text, position)
        position = space.end() if space else position
        if text[position : position + 1] in ("]", ""):
            return
        line += text.count("\n", counted, position)
        counted = position
        yield line
        try:
            _, position = decoder.raw_decode(text, position)
        except ValueError:
            return


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
