"""main.cf as postconf(5) defines it: ``name = value``, the last one wins. Texts stay verbatim."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.postfix_config.logical_lines import (
    WHITESPACE,
    join_lines,
    split_chunks,
)

#: split_nameval(3): the name ends at whitespace or "=", then "=" must follow.
_SETTING = re.compile(r"(?P<name>[^ \t\n\v\f\r=]+)[ \t\n\v\f\r]*=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Setting:
    """One logical line. ``text`` is verbatim, ``line`` counts from 1.

    ``name`` is empty where Postfix finds no ``name = value``; Postfix itself reports the error
    ("missing '=' after attribute name").
    """

    name: str
    value: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class MainCf:
    """A main.cf: its text, and its settings in the file's order."""

    text: str
    settings: tuple[Setting, ...]

    @property
    def values(self) -> dict[str, str]:
        """The values in effect: of several settings of one name, the last."""
        return {setting.name: setting.value for setting in self.settings if setting.name}

    @property
    def overridden(self) -> tuple[Setting, ...]:
        """The settings that a later one of the same name overrides."""
        last = {setting.name: setting.line for setting in self.settings}
        return tuple(s for s in self.settings if s.name and last[s.name] != s.line)


def parse_main_cf(text: str, source: Path = Path("main.cf")) -> MainCf:
    """Read a main.cf.

    Args:
        text: the file's content.
        source: its path, for messages.

    Raises:
        FileError: a NUL, or a continuation line with nothing before it.
    """
    logical = (chunk for chunk in split_chunks(text, source) if chunk.logical)
    return MainCf(text, tuple(read_setting(chunk.text, chunk.line) for chunk in logical))


def read_setting(text: str, line: int) -> Setting:
    """Read one logical line; the name is empty where Postfix finds no ``name = value``."""
    logical, _ = join_lines(text)
    match = _SETTING.fullmatch(logical)
    if match is None:
        return Setting("", logical.strip(WHITESPACE), line, text)
    return Setting(match["name"], match["value"].strip(WHITESPACE), line, text)
