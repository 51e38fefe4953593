"""Laying a candidate's master.cf entries over the stock ones, and giving them ports. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.config.logical import ended
from harness.config.mastercf import FIELDS, Argument, Entry, MasterCf, parse_entry
from harness.tls import Service


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


def _append(master: MasterCf, entries: Iterable[Entry]) -> MasterCf:
    tail = tuple(replace(entry, text=ended(entry.text)) for entry in entries)
    if tail and master.pieces:
        last = master.pieces[-1]
        closed = replace(last, text=ended(last.text)) if isinstance(last, Entry) else ended(last)
        return MasterCf((*master.pieces[:-1], closed, *tail))
    return MasterCf((*master.pieces, *tail))


def append_entry(master: MasterCf, entry: Entry) -> MasterCf:
    """The file with one more entry at its end."""
    return _append(master, (entry,))


def _places(master: MasterCf, key: tuple[str, str]) -> list[int]:
    """Where the entries of that key are among the pieces."""
    return [i for i, p in enumerate(master.pieces) if isinstance(p, Entry) and p.key == key]


def _replace(master: MasterCf, key: tuple[str, str], entries: Sequence[Entry]) -> MasterCf:
    places = _places(master, key)
    if not places:
        return _append(master, entries)
    new = tuple(replace(entry, text=ended(entry.text)) for entry in entries)
    rest = [piece for i, piece in enumerate(master.pieces) if i not in places]
    return MasterCf((*rest[: places[0]], *new, *rest[places[0] :]))


def _merge(master: MasterCf, addition: Entry) -> MasterCf:
    places = _places(master, addition.key)
    if not places or len(addition.fields) < FIELDS:
        return _append(master, (addition,))
    at = places[-1]
    target = master.pieces[at]
    assert isinstance(target, Entry)
    for argument in addition.arguments:
        target = _with_argument(target, argument, addition.text[argument.start : argument.end])
    return MasterCf((*master.pieces[:at], target, *master.pieces[at + 1 :]))


def _with_argument(entry: Entry, argument: Argument, words: str) -> Entry:
    """The entry with the argument: in place of the last of its name, else on a line below."""
    same = [found for found in entry.arguments if argument.name and found.name == argument.name]
    if same:
        text = entry.text[: same[-1].start] + words + entry.text[same[-1].end :]
    else:
        text = f"{ended(entry.text)}  {words}\n"
    return parse_entry(text, entry.line)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """An inet entry whose name became a port of the instance's own."""

    before: str
    after: str


def rewrite_ports(
    master: MasterCf, ports: Mapping[Service, int]
) -> tuple[MasterCf, tuple[Rewrite, ...]]:
    """Let our services listen on the instance's ports: several instances share one container.

    Only the name changes, and a ``host:`` before it stays. Two spellings of one service
    (``submission`` and ``587``) stay two spellings, the second port gets a leading zero: where
    master(8) compares services as text (older releases) they are two, of which one cannot bind;
    where it compares ports (3.5 does) they are duplicates, of which it takes the last.
    """
    spellings: dict[tuple[str, Service], list[str]] = {}
    pieces: list[Entry | str] = []
    rewrites: list[Rewrite] = []
    for piece in master.pieces:
        service = piece.service if isinstance(piece, Entry) else None
        if not isinstance(piece, Entry) or service is None or service not in ports:
            pieces.append(piece)
            continue
        seen = spellings.setdefault((piece.host, service), [])
        if piece.name not in seen:
            seen.append(piece.name)
        name = f"{piece.host}{'0' * seen.index(piece.name)}{ports[service]}"
        rewrites.append(Rewrite(piece.name, name))
        pieces.append(parse_entry(name + piece.text[len(piece.name) :], piece.line))
    return MasterCf(tuple(pieces)), tuple(rewrites)
