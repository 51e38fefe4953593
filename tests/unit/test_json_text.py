"""Strict JSON: what JSON does not have is refused with its line, and places have their lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import FileError
from harness.json_text import find_lines, parse_json

PATH = Path("some.json")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("[1,\n 2,,]", 2, "is not JSON"),
        ('{"a":\n NaN}', 2, "NaN is no number"),
        ("[1,\n1e999]", 2, "1e999 is no number"),
        ("[1,\n" + "7" * 5000 + "]", 2, "thousands of digits"),
        ("[" * 5000, 1, "is no|is not"),
        ("[" * 100_000 + "]" * 100_000, 1, "nested too deeply"),
        ("", 1, "is not JSON"),
    ],
)
def test_what_is_no_json_is_named_by_line(text: str, line: int, what: str) -> None:
    """Protects against tracebacks, and against values that no report can show."""
    with pytest.raises(FileError, match=what) as caught:
        parse_json(text, PATH)
    assert caught.value.place.line == line


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def _list_places(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    return [place, *(p for key, inner in items for p in _list_places(inner, (*place, key)))]


@given(VALUES)
def test_each_place_has_its_line(value: Any) -> None:
    """Protects the line in messages: that of a mark at the place, whatever is around it."""
    places = [place for place in _list_places(value) if place]
    lines = find_lines(json.dumps(value, indent=1), places)
    for place in places:
        inner = value
        for part in place[:-1]:
            inner = inner[part]
        kept, inner[place[-1]] = inner[place[-1]], "\x00mark"
        marked = json.dumps(value, indent=1)
        assert lines[place] == marked[: marked.index('"\\u0000mark"')].count("\n") + 1
        inner[place[-1]] = kept


def test_a_place_that_is_not_there_has_the_line_of_its_parent() -> None:
    """Protects the message about a missing key."""
    assert find_lines('{\n"a": {\n"b": 1}}', [("a", "c")])["a", "c"] == 2
