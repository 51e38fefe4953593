"""Values of a wrong type, or outside their vocabulary, at each key of TOML and JSON texts."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: A value that no file has, to find the line of a place.
_MARK = "the place that is searched"
#: What a TOML key can be set to wrongly, by the kind of the value.
TOML_VALUES = {
    "number": "17",
    "negative": "-1",
    "fraction": "1.5",
    "NaN": "nan",
    "infinite": "inf",
    "true": "true",
    "empty text": '""',
    "text": '"no-such-value"',
    "lines": '"one\\ntwo"',
    "day": "2016-09-19",
    "time": "2016-09-19T10:00:00Z",
    "empty list": "[]",
    "numbers": "[1, 2]",
    "lists": '[["a"]]',
    "empty texts": '[""]',
    "texts": '["no-such-value"]',
    "table": "{a = 1}",
}
#: What a JSON key can be set to wrongly, by the kind of the value.
JSON_VALUES: Mapping[str, Any] = {
    "null": None,
    "number": 17,
    "negative": -1,
    "fraction": 1.5,
    "NaN": float("nan"),
    "infinite": float("inf"),
    "true": True,
    "text": "no-such-value",
    "list": [1],
    "lists": [["a"]],
    "object": {"no-such-key": 1},
}


@dataclass(frozen=True)
class WrongText:
    """A text with one wrong value: its name, its line from 1, and the key that is wrong."""

    name: str
    text: str
    line: int
    key: str


def misspell_toml(text: str) -> Iterator[WrongText]:
    """The text with each of its keys misspelt."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if match := re.match(r"([a-z_]+) = ", line):
            key = match[1] + "x"
            changed = [*lines[:number], key + line[len(match[1]) :], *lines[number + 1 :]]
            yield WrongText(
                f"{number + 1} {match[1]} misspelt", "\n".join(changed), number + 1, key
            )


def wrong_toml(text: str, allowed: Mapping[str, Collection[str]]) -> Iterator[WrongText]:
    """The text with each value that a key must not have.

    Args:
        text: lines of ``key = value``.
        allowed: for each key the kinds of values that it may have.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines):
        match = re.match(r"""(["\w./=-]+) = """, line)
        for kind, value in TOML_VALUES.items() if match else ():
            assert match is not None
            key = match[1].strip('"')
            if key in allowed and kind not in allowed[key]:
                changed = [*lines[:number], match[0] + value, *lines[number + 1 :]]
                name = f"{number + 1} {key} {kind}"
                yield WrongText(name, "\n".join(changed), number + 1, key)


def list_places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of each value inside a JSON value; of lists the first item."""
    if place:
        yield place
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from list_places(inner, (*place, key))
    elif isinstance(value, list) and value:
        yield from list_places(value[0], (*place, 0))


def wrong_json(data: Any, place: tuple[str | int, ...], kind: str, indent: int | None) -> WrongText:
    """JSON with one wrong value at a place."""
    # Of a list, the item is wrong.
    mark = [_MARK] if kind == "lists" and isinstance(value_at(data, place), list) else _MARK
    marked = json.dumps(_set(data, place, mark), indent=indent, ensure_ascii=False)
    line = marked[: marked.index(json.dumps(_MARK))].count("\n") + 1
    text = json.dumps(_set(data, place, JSON_VALUES[kind]), indent=indent, ensure_ascii=False)
    key = next(str(part) for part in reversed(place) if isinstance(part, str))
    return WrongText(f"{'.'.join(map(str, place))} {kind}", text, line, key)


def value_at(data: Any, place: tuple[str | int, ...]) -> Any:
    """The value at a place."""
    for part in place:
        data = data[part]
    return data


def kind_of(value: Any) -> str:
    """The JSON type of a value."""
    if isinstance(value, bool):
        return "bool"
    names = {str: "text", int: "int", float: "float", list: "list", dict: "object"}
    return next((name for of, name in names.items() if isinstance(value, of)), "null")


def _set(data: Any, place: tuple[str | int, ...], value: Any) -> Any:
    changed = copy.deepcopy(data)
    value_at(changed, place[:-1])[place[-1]] = value
    return changed
