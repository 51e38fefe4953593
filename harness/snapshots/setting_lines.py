"""The line of a user's file on which a setting stands, whatever form the file has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from harness.errors import FileLocation
from harness.snapshots.recorded_candidate import SettingChange

#: What may stand before a setting: a quotation's mark, or ``postconf -e '``.
_BEFORE = r"\s*(?:>\s*)*(?:\S*\s*postconf\s+-e\s+)?['\"]?"


def find_setting_line(texts: Mapping[Path, str], change: SettingChange) -> FileLocation | None:
    """Where a setting stands in the texts that a candidate was read from; None: not in them.

    Of several lines that set one parameter the last counts (postconf(5)). An option that was
    removed has the place of its entry.
    """
    pattern = _pattern_of(change)
    if pattern is None:
        return None
    for path, text in reversed(list(texts.items())):
        line = _find_line(text, pattern, change.entry)
        if line is not None:
            return FileLocation(path, line)
    return None


def _pattern_of(change: SettingChange) -> re.Pattern[str] | None:
    if change.entry is None:
        if change.now is None:
            return None
        return re.compile(rf"{_BEFORE}{re.escape(change.name)}\s*=")
    if not change.name or change.now is None:
        return None if change.now is None else re.compile(_entry_head(change.entry))
    return re.compile(rf".*-o\s*(?:\{{\s*)?{re.escape(change.name)}\s*=")


def _find_line(text: str, pattern: re.Pattern[str], entry: str | None) -> int | None:
    head = None if entry is None else re.compile(_entry_head(entry))
    inside, found_line = entry is None, None
    for number, line in enumerate(text.split("\n"), start=1):
        if head is not None and line[:1].strip() and not line.startswith("#"):
            inside = bool(head.match(line))
        if inside and pattern.match(line):
            found_line = number
    return found_line


def _entry_head(entry: str) -> str:
    return rf"\s*(?:>\s*)*{re.escape(entry)}\s"
