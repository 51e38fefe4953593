"""Laying a candidate's master.cf entries over the stock ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from harness.postfix_config.logical_lines import end_line
from harness.postfix_config.master_cf import (
    FIELDS,
    Argument,
    MasterCf,
    MasterEntry,
    parse_entry,
)


class Overlay(StrEnum):
    """How a candidate's entries are combined with the stock entries of the same service."""

    REPLACE = "replace"
    MERGE = "merge"
    APPEND = "append"


def overlay_entries(stock: MasterCf, candidate: MasterCf, mode: Overlay) -> MasterCf:
    """Lay the candidate's entries over the stock ones; its comments between entries are left out.

    ``replace``: they take the place of the stock entries of the same service and type.
    ``merge``: their arguments are added to the last such entry; an option that the entry already
    has is replaced. ``append``: they are added at the end, whether there is such an entry or not.
    An entry without a counterpart, or one that is too short to be merged, is added at the end.
    """
    result = stock
    if mode is Overlay.APPEND:
        return _append_entries(result, candidate.entries)
    if mode is Overlay.MERGE:
        for entry in candidate.entries:
            result = _merge_entry(result, entry)
        return result
    for key in dict.fromkeys(entry.key for entry in candidate.entries):
        result = _replace_entries(result, key, [e for e in candidate.entries if e.key == key])
    return result


def _append_entries(master: MasterCf, entries: Iterable[MasterEntry]) -> MasterCf:
    tail = tuple(replace(entry, text=end_line(entry.text)) for entry in entries)
    if tail and master.pieces:
        last = master.pieces[-1]
        closed = (
            replace(last, text=end_line(last.text))
            if isinstance(last, MasterEntry)
            else end_line(last)
        )
        return MasterCf((*master.pieces[:-1], closed, *tail))
    return MasterCf((*master.pieces, *tail))


def append_entry(master: MasterCf, entry: MasterEntry) -> MasterCf:
    """The file with one more entry at its end."""
    return _append_entries(master, (entry,))


def _entry_positions(master: MasterCf, key: tuple[str, str]) -> list[int]:
    """The positions, among the pieces, of the entries with that key."""
    return [i for i, p in enumerate(master.pieces) if isinstance(p, MasterEntry) and p.key == key]


def _replace_entries(
    master: MasterCf, key: tuple[str, str], entries: Sequence[MasterEntry]
) -> MasterCf:
    positions = _entry_positions(master, key)
    if not positions:
        return _append_entries(master, entries)
    new = tuple(replace(entry, text=end_line(entry.text)) for entry in entries)
    rest = [piece for i, piece in enumerate(master.pieces) if i not in positions]
    return MasterCf((*rest[: positions[0]], *new, *rest[positions[0] :]))


def _merge_entry(master: MasterCf, addition: MasterEntry) -> MasterCf:
    positions = _entry_positions(master, addition.key)
    if not positions or len(addition.fields) < FIELDS:
        return _append_entries(master, (addition,))
    at = positions[-1]
    target = master.pieces[at]
    assert isinstance(target, MasterEntry)
    for argument in addition.arguments:
        target = _with_argument(target, argument, addition.text[argument.start : argument.end])
    return MasterCf((*master.pieces[:at], target, *master.pieces[at + 1 :]))


def _with_argument(entry: MasterEntry, argument: Argument, new_text: str) -> MasterEntry:
    """The entry with the argument, which replaces the last of its name or gets a line below."""
    same = [
        existing for existing in entry.arguments if argument.name and existing.name == argument.name
    ]
    if same:
        text = entry.text[: same[-1].start] + new_text + entry.text[same[-1].end :]
    else:
        text = f"{end_line(entry.text)}  {new_text}\n"
    return parse_entry(text, entry.line)
