"""master.cf as master(5) defines it. Texts stay verbatim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.postfix_config.logical_lines import (
    WHITESPACE,
    join_lines,
    split_chunks,
)
from harness.tls import Service

#: service, type, private, unprivileged, chroot, wake-up, process limit, command.
FIELDS = 8

#: Names of one service: known_tcp_ports in postconf(5), services(5), RFC 8314 for "submissions".
SERVICE_NAMES: Mapping[str, Service] = {
    "smtp": Service.SMTP,
    "25": Service.SMTP,
    "submission": Service.SUBMISSION,
    "587": Service.SUBMISSION,
    "submissions": Service.SUBMISSIONS,
    "smtps": Service.SUBMISSIONS,
    "465": Service.SUBMISSIONS,
}


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of an entry's command; ``start`` and ``end`` are offsets in the entry's text.

    For ``-o name=value`` and ``-o { name = value }`` it spans both arguments and ``name`` is set;
    ``name`` is empty for any other argument.
    """

    name: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class MasterEntry:
    """One logical line of master.cf; ``text`` is verbatim, ``line`` counts from 1.

    ``fields`` has fewer than eight items where the line is too short for Postfix; such a line is
    passed on unchanged, so that Postfix refuses it.
    """

    fields: tuple[str, ...]
    arguments: tuple[Argument, ...]
    line: int
    text: str

    @property
    def name(self) -> str:
        """The first field, as written."""
        return self.fields[0]

    @property
    def type(self) -> str:
        """The second field; empty where there is none."""
        return self.fields[1] if len(self.fields) > 1 else ""

    @property
    def host(self) -> str:
        """For inet, the address before the port, with its colon: ``127.0.0.1:``; else empty."""
        host, colon, _ = self.name.rpartition(":")
        return host + colon if self.type == "inet" else ""

    @property
    def service(self) -> Service | None:
        """The registered service that listens here; None for any other."""
        return SERVICE_NAMES.get(self.name[len(self.host) :]) if self.type == "inet" else None

    @property
    def key(self) -> tuple[str, str]:
        """Name and type, equal for names of the same service (``submission`` and ``587``)."""
        if self.service is None:
            return self.name, self.type
        return f"{self.host}{self.service.port}", self.type

    @property
    def options(self) -> dict[str, str]:
        """The ``-o`` settings; of several of one name the last wins."""
        return {argument.name: argument.value for argument in self.arguments if argument.name}


@dataclass(frozen=True, slots=True)
class MasterCf:
    """A master.cf: pieces in the file's order, comments between entries as plain strings."""

    pieces: tuple[MasterEntry | str, ...]

    @property
    def entries(self) -> tuple[MasterEntry, ...]:
        """The entries without the comments between them."""
        return tuple(piece for piece in self.pieces if isinstance(piece, MasterEntry))

    @property
    def text(self) -> str:
        """The file."""
        return "".join(p.text if isinstance(p, MasterEntry) else p for p in self.pieces)


def parse_master_cf(text: str, source: Path = Path("master.cf")) -> MasterCf:
    """Read a master.cf; ``.text`` reproduces it exactly.

    Raises:
        FileError: a NUL, or a continuation line with nothing before it.
    """
    chunks = split_chunks(text, source)
    return MasterCf(tuple(parse_entry(c.text, c.line) if c.logical else c.text for c in chunks))


def parse_entry(text: str, line: int = 1) -> MasterEntry:
    """Read one logical line, which must not be blank or a comment; ``line`` is where it begins."""
    logical, offsets = join_lines(text)
    located_words = [
        (logical[a:b], offsets[a], offsets[b - 1] + 1) for a, b in _split_words(logical)
    ]
    fields = tuple(word for word, _, _ in located_words[:FIELDS])
    return MasterEntry(fields, tuple(_read_arguments(located_words[FIELDS:])), line, text)


def _split_words(text: str) -> Iterable[tuple[int, int]]:
    """The start and end of each word; one that starts with ``{`` ends at its ``}`` (master(5))."""
    closing = _closing_braces(text)
    position, end = 0, len(text)
    while position < end:
        if text[position] in WHITESPACE:
            position += 1
            continue
        stop = closing.get(position, position)
        while stop < end and text[stop] not in WHITESPACE:
            stop += 1
        yield position, stop
        position = stop


def _closing_braces(text: str) -> dict[int, int]:
    """For each opening brace that is closed, the position just after its closing brace."""
    open_at: list[int] = []
    closing: dict[int, int] = {}
    for position, char in enumerate(text):
        if char == "{":
            open_at.append(position)
        elif char == "}" and open_at:
            closing[open_at.pop()] = position + 1
    return closing


def _read_arguments(located_words: Sequence[tuple[str, int, int]]) -> Iterable[Argument]:
    remaining = iter(located_words)
    for word, start, end in remaining:
        if word == "-o":
            setting, _, last = next(remaining, ("", start, end))
            yield Argument(*_split_name_value(setting), start, last)
        elif word.startswith("-o"):
            yield Argument(*_split_name_value(word[2:]), start, end)
        else:
            yield Argument("", word, start, end)


def _split_name_value(setting: str) -> tuple[str, str]:
    if setting.startswith("{") and setting.endswith("}"):
        setting = setting[1:-1]
    name, _, value = setting.partition("=")
    return name.strip(WHITESPACE), value.strip(WHITESPACE)
