"""Where keys and errors stand in a user's TOML, and a scenario's values that are one of a few."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from harness.errors import FileError, FileLocation

_LINE_OF_SYNTAX_ERROR = re.compile(r"\(at line (\d+), column \d+\)")


class Extent(StrEnum):
    """How much of a configuration main.cf and master.cf are: single lines, or the whole."""

    LINES = "lines"
    WHOLE = "whole"


class SurroundingsMode(StrEnum):
    """What replaces tables, daemons and other systems that are unavailable."""

    STAND_INS = "stand-ins"
    AS_IS = "as-is"


def line_of(text: str, key: str) -> int | None:
    """The line of a top-level key or table of that name; None where the text has none."""
    begins = re.compile(rf"""\s*\[{{0,2}}\s*["']?{re.escape(key)}["']?\s*[=\].]""")
    for number, line in enumerate(text.split("\n"), start=1):
        if begins.match(line):
            return number
    return None


def line_in_table(text: str, table: str, number: int, key: str | None = None) -> int | None:
    """The line of a key in the ``number``-th ``[[table]]`` (from 0), or of the table's header."""
    heads = re.compile(rf"\s*\[{{1,2}}\s*{re.escape(table)}\s*\]")
    any_head = re.compile(r"\s*\[")
    begins = re.compile(rf"""\s*["']?{re.escape(key or "")}["']?\s*=""")
    table_number, head = -1, None
    for at, line in enumerate(text.split("\n"), start=1):
        if heads.match(line):
            table_number += 1
            head = at if table_number == number else head
        elif any_head.match(line) and table_number == number and not line[:1].isspace():
            break
        elif table_number == number and key is not None and begins.match(line):
            return at
    return head


def suggest_among(wrong: str, right: Iterable[str]) -> str:
    """The allowed name that is close to the wrong one; if none is close, all of them."""
    names = list(right)
    return " or ".join(difflib.get_close_matches(wrong, names, n=1)) or "one of " + ", ".join(names)


def syntax_error(
    path: Path,
    text: str,
    error: tomllib.TOMLDecodeError,
    expected: str = 'lines like title = "Some text"',
) -> FileError:
    """The error of a text that is not TOML, with its line: the last one for what ends too early."""
    message = str(error)
    match = _LINE_OF_SYNTAX_ERROR.search(message)
    line = int(match[1]) if match else text.count("\n") + 1
    what = f"is not TOML: {_LINE_OF_SYNTAX_ERROR.sub('', message).strip()}"
    return FileError(FileLocation(path, line), what, expected=expected)
