"""Logical lines, which main.cf and master.cf share: postconf(5), master(5), readlline(3).

A logical line starts with a character that is not whitespace; a line that starts with whitespace
continues it, *also across* blank and comment lines. Only a line feed ends a line, and whitespace
is what C calls whitespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import FileError, FileLocation

#: C's isspace(3) in the C locale; Python's ``str.isspace`` would split at further characters.
WHITESPACE = " \t\n\v\f\r"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file, verbatim; ``line`` is its first line, from 1.

    ``logical`` is False for what Postfix skips: blank lines and comments between logical lines.
    """

    text: str
    line: int
    logical: bool


def is_skipped(line: str) -> bool:
    """Whether Postfix skips this physical line: it is blank, or a comment."""
    bare = line.lstrip(WHITESPACE)
    return not bare or bare.startswith("#")


def physical_lines(text: str) -> list[str]:
    """The lines with their line feeds; concatenated they are the text."""
    *whole, last = text.split("\n")
    return [line + "\n" for line in whole] + ([last] if last else [])


def split_chunks(text: str, source: Path) -> tuple[Chunk, ...]:
    """Split a file into logical lines and what lies between; the concatenated texts are the file.

    Raises:
        FileError: a NUL, or a continuation line with nothing before it to continue. Postfix would
            read the latter as part of the line that the harness puts before the candidate.
    """
    if "\0" in text:
        place = FileLocation(source, text[: text.index("\0")].count("\n") + 1)
        raise FileError(place, "there is a NUL in the text", expected="plain text")
    cutter = _Cutter()
    for number, line in enumerate(physical_lines(text), start=1):
        if is_skipped(line):
            cutter.add_skipped(line, number)
        elif line[0] not in WHITESPACE:
            cutter.begin_line(line, number)
        elif not cutter.continue_line(line):
            raise FileError(
                FileLocation(source, number),
                "starts with whitespace, so it continues a line, but there is no line before it",
                expected="the first setting to start in the first column",
                next_step="remove the whitespace at its start, or copy the line before it too",
            )
    return cutter.finish()


class _Cutter:
    """The scanner's state: the current logical line, and skipped lines that may belong to it."""

    def __init__(self) -> None:
        self._done: list[Chunk] = []
        self._current: list[str] = []
        self._begin = 0
        self._skipped: list[str] = []
        self._skipped_begin = 0

    def add_skipped(self, line: str, number: int) -> None:
        if not self._skipped:
            self._skipped_begin = number
        self._skipped.append(line)

    def begin_line(self, line: str, number: int) -> None:
        self.finish()
        self._current, self._begin = [line], number

    def continue_line(self, line: str) -> bool:
        if not self._current:
            return False
        self._current += [*self._skipped, line]
        self._skipped = []
        return True

    def finish(self) -> tuple[Chunk, ...]:
        if self._current:
            self._done.append(Chunk("".join(self._current), self._begin, logical=True))
        if self._skipped:
            self._done.append(Chunk("".join(self._skipped), self._skipped_begin, logical=False))
        self._current, self._skipped = [], []
        return tuple(self._done)


def join_lines(text: str) -> tuple[str, list[int]]:
    """A logical line as Postfix reads it, and each of its characters' offset in ``text``."""
    kept: list[str] = []
    offsets: list[int] = []
    start = 0
    for line in physical_lines(text):
        if not is_skipped(line):
            bare = line.removesuffix("\n")
            kept.append(bare)
            offsets.extend(range(start, start + len(bare)))
        start += len(line)
    return "".join(kept), offsets


def end_line(text: str) -> str:
    """The text with a line feed at its end, so that another line can follow it."""
    return text if not text or text.endswith("\n") else text + "\n"
