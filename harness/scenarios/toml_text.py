"""Where keys and errors stand in a user's TOML, and a scenario's values that are one of a few."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.errors import FileError, FileLocation

_LONG_NUMBER = re.compile(r"\d{1000,}")
_TABLE = re.compile(r"\s*\[{1,2}\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[\w.-]+)\s*=""")
_LINE_OF_SYNTAX_ERROR = re.compile(r"\(at line (\d+), column \d+\)")


class Extent(StrEnum):
    """How much of a configuration main.cf and master.cf are: single lines, or the whole."""

    LINES = "lines"
    WHOLE = "whole"


class SurroundingsMode(StrEnum):
    """What replaces tables, daemons and other systems that are unavailable."""

    STAND_INS = "stand-ins"
    AS_IS = "as-is"


@dataclass(slots=True)
class _TableLines:
    """Where a table begins, and the first line of each of its keys."""

    head: int
    keys: dict[str, int] = field(default_factory=dict)


@lru_cache(maxsize=8)
def _index_lines(text: str) -> dict[str, list[_TableLines]]:
    """The tables of a text by name, in their order; "" has the keys at the top.

    One pass, however many keys and tables are looked up then.
    """
    tables: dict[str, list[_TableLines]] = {"": [_TableLines(1)]}
    current = tables[""][0]
    for number, line in enumerate(text.split("\n"), start=1):
        # An indented line that begins with a bracket is an item of a list.
        if (match := _TABLE.match(line)) and (not line[0].isspace() or "=" not in line):
            current = _TableLines(number)
            tables.setdefault(match[1], []).append(current)
        elif match := _KEY.match(line):
            key = match[1].strip("\"'")
            current.keys.setdefault(key, number)
            current.keys.setdefault(key.partition(".")[0], number)
    return tables


def line_of(text: str, key: str) -> int | None:
    """The line of a top-level key or table of that name; None where the text has none."""
    tables = _index_lines(text)
    begins = [tables[""][0].keys[key]] if key in tables[""][0].keys else []
    begins += [of[0].head for name, of in tables.items() if name.split(".")[0].strip("\"'") == key]
    return min(begins, default=None)


def line_in_table(text: str, table: str, number: int, key: str | None = None) -> int | None:
    """The line of a key in the ``number``-th ``[[table]]`` (from 0), or of the table's header."""
    tables = _index_lines(text).get(table, [])
    if number >= len(tables):
        return None
    place = tables[number]
    return place.keys.get(key, place.head) if key else place.head


def parse_toml(
    text: str, path: Path, expected: str = 'lines like title = "Some text"'
) -> dict[str, Any]:
    """Read a text of TOML.

    Raises:
        FileError: it is not TOML, or nothing that a description can be; with the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, text, error, expected) from None
    except RecursionError:
        what = "is no description of ours: its brackets are nested too deeply"
        line = max(enumerate(text.split("\n"), 1), key=lambda pair: len(pair[1]))[0]
        raise FileError(FileLocation(path, line), what, expected=expected) from None
    except ValueError as error:
        match = _LONG_NUMBER.search(text)
        line = 1 if match is None else text.count("\n", 0, match.start()) + 1
        what = "has a number of thousands of digits" if match else f"is not TOML: {error}"
        raise FileError(FileLocation(path, line), what, expected=expected) from None


def _syntax_error(
    path: Path,
    text: str,
    error: tomllib.TOMLDecodeError,
    expected: str,
) -> FileError:
    """The error of a text that is not TOML, with its line: the last one for what ends too early."""
    message = str(error)
    match = _LINE_OF_SYNTAX_ERROR.search(message)
    line = int(match[1]) if match else text.count("\n") + 1
    what = f"is not TOML: {_LINE_OF_SYNTAX_ERROR.sub('', message).strip()}"
    return FileError(FileLocation(path, line), what, expected=expected)
