"""Laying a candidate's master.cf entries over the stock ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from harness.postfix_config.logical_lines import ended
from harness.postfix_config.master_cf import (
    FIELDS,
    Argument,
    MasterCf,
    MasterEntry,
    parse_entry,
)


class Overlay(StrEnum):
    """How a candidate's entries meet the entries of the same service that are there."""

    REPLACE = "replace"
    MERGE = "merge"
    APPEND = "append"


def overlay(stock: MasterCf, candidate: MasterCf, mode: Overlay) -> MasterCf:
    """Lay the candidate's entries over the stock ones; its comments between entries are left out.

    ``replace``: they take the place of the stock entries of the same service and type; ``merge``:
    their arguments go below the last such entry's, an option of the same name in its place;
    ``append``: they come last, be there such an entry or not. What finds no counterpart, or is too
    short to be merged, comes last.
    """
    result = stock
    if mode is Overlay.APPEND:
        return _append(result, candidate.entries)
    if mode is Overlay.MERGE:
        for entry in candidate.entries:
            result = _merge(result, entry)
        return result
    for key in dict.fromkeys(entry.key for entry in candidate.entries):
        result = _replace(result, key, [e for e in candidate.entries if e.key == key])
    return result


def _append(master: MasterCf, entries: Iterable[MasterEntry]) -> MasterCf:
    tail = tuple(replace(entry, text=ended(entry.text)) for entry in entries)
    if tail and master.pieces:
        last = master.pieces[-1]
        closed = (
            replace(last, text=ended(last.text)) if isinstance(last, MasterEntry) else ended(last)
        )
        return MasterCf((*master.pieces[:-1], closed, *tail))
    return MasterCf((*master.pieces, *tail))


def append_entry(master: MasterCf, entry: MasterEntry) -> MasterCf:
    """The file with one more entry at its end."""
    return _append(master, (entry,))


def _places(master: MasterCf, key: tuple[str, str]) -> list[int]:
    """Where the entries of that key are among the pieces."""
    return [i for i, p in enumerate(master.pieces) if isinstance(p, MasterEntry) and p.key == key]


def _replace(master: MasterCf, key: tuple[str, str], entries: Sequence[MasterEntry]) -> MasterCf:
    places = _places(master, key)
    if not places:
        return _append(master, entries)
    new = tuple(replace(entry, text=ended(entry.text)) for entry in entries)
    rest = [piece for i, piece in enumerate(master.pieces) if i not in places]
    return MasterCf((*rest[: places[0]], *new, *rest[places[0] :]))


def _merge(master: MasterCf, addition: MasterEntry) -> MasterCf:
    places = _places(master, addition.key)
    if not places or len(addition.fields) < FIELDS:
        return _append(master, (addition,))
    at = places[-1]
    target = master.pieces[at]
    assert isinstance(target, MasterEntry)
    for argument in addition.arguments:
        target = _with_argument(target, argument, addition.text[argument.start : argument.end])
    return MasterCf((*master.pieces[:at], target, *master.pieces[at + 1 :]))


def _with_argument(entry: MasterEntry, argument: Argument, words: str) -> MasterEntry:
    """The entry with the argument: in place of the last of its name, else on a line below."""
    same = [found for found in entry.arguments if argument.name and found.name == argument.name]
    if same:
        text = entry.text[: same[-1].start] + words + entry.text[same[-1].end :]
    else:
        text = f"{ended(entry.text)}  {words}\n"
    return parse_entry(text, entry.line)
