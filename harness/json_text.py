"""Strict JSON of users and other machines, and on which lines its values are.

Strict (RFC 8259): no NaN and no Infinity, no number that a float cannot hold, none of thousands of
digits, no nesting of thousands of brackets.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.errors import FileError, FileLocation

#: Keys of objects and indices of lists, from the outside: ``("rows", 3, "offer")``.
Place = tuple[str | int, ...]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|\n')
_SPACE = re.compile(r"\s*")
_LONG_NUMBER = re.compile(r"\d{1000,}")


class _JsonValueError(ValueError):
    """A value that JSON, or a float, does not have."""


def parse_json(text: str, path: Path, *, line: int = 1, next_step: str = "") -> Any:
    """Read a JSON text.

    Args:
        text: the text.
        path: its file, for messages; ``line`` is that of its first line, from 1.
        next_step: for the message.

    Raises:
        FileError: it is not strict JSON; with the line.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_read_float)
    except json.JSONDecodeError as error:
        at, what = error.lineno, f"is not JSON: {error.msg}"
    except _JsonValueError as error:
        match = re.search(rf"(?:^|[\s:,\[]){re.escape(str(error))}", text)
        at = 1 if match is None else text.count("\n", 0, match.end()) + 1
        what = f"is not JSON: {str(error)[:40]} is no number"
    except RecursionError:
        at, what = 1, "is no data of ours: its brackets are nested too deeply"
    except ValueError:
        match = _LONG_NUMBER.search(text)
        at = 1 if match is None else text.count("\n", 0, match.start()) + 1
        what = "has a number of thousands of digits"
    place = FileLocation(path, line + at - 1)
    raise FileError(place, what, expected="JSON", next_step=next_step) from None


def find_lines(text: str, places: Iterable[Place]) -> dict[Place, int]:
    """The line, from 1, of each place of a JSON text; of one that is not there, that of its parent.

    One pass, whatever the number of places.
    """
    wanted = {place[:length] for place in places for length in range(len(place) + 1)}
    lines = {place: line for place, line in _walk_places(text) if place in wanted}
    lines.setdefault((), 1)
    return {
        place: next(
            lines[place[:length]] for length in range(len(place), -1, -1) if place[:length] in lines
        )
        for place in wanted
    }


def _walk_places(text: str) -> Iterator[tuple[Place, int]]:
    """Each key of an object and each item of a list, with its line."""
    line = 1
    #: For each open bracket the key or index that is being read; None before the first key.
    stack: list[str | int | None] = []
    key: str | None = None
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == "\n":
            line += 1
        elif token in ("{", "["):
            stack.append(0 if token == "[" else None)
        elif token in ("}", "]"):
            del stack[-1:]
        elif token == "," and stack and isinstance(stack[-1], int):
            stack[-1] += 1
        elif token == ":" and stack and not isinstance(stack[-1], int):
            stack[-1] = key
        else:
            key = _read_string_token(token)
            continue
        if token == ":" or (token in ("[", ",") and stack and isinstance(stack[-1], int)):
            blank = _SPACE.match(text, match.end())
            ahead = 0 if blank is None or token == ":" else blank[0].count("\n")
            yield tuple(part for part in stack if part is not None), line + ahead


def _read_string_token(token: str) -> str | None:
    try:
        return str(json.loads(token))
    except ValueError:
        return None


def _refuse_constant(name: str) -> float:
    raise _JsonValueError(name)


def _read_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _JsonValueError(text)
    return value
