"""Ports of the instance's own for every inet entry: several instances share one container. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from harness.config.mastercf import SERVICE_NAMES, Entry, MasterCf, parse_entry
from harness.errors import FileError, Place
from harness.tls import INBOUND, Service

#: Ports that an instance has to itself: its services', and those just above the highest of them.
PORTS_PER_INSTANCE = 10
MOST_OTHERS = PORTS_PER_INSTANCE - len(INBOUND)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """An inet entry whose name became a port of the instance's own."""

    before: str
    after: str


def rewrite_ports(
    master: MasterCf, ports: Mapping[Service, int], source: Path = Path("master.cf")
) -> tuple[MasterCf, tuple[Rewrite, ...]]:
    """Let every inet entry listen on a port of the instance: ours on theirs, others above them.

    Only the name changes, and a ``host:`` before it stays. Entries that listen on one port go on
    doing so. Two spellings of one port (``submission`` and ``587``) stay two spellings, the second
    gets a leading zero: where master(8) compares services as text (older releases) they are two, of
    which one cannot bind; where it compares ports (3.5 does) they are duplicates, of which it takes
    the last. Of services that are not ours, a name and its number count as two ports.

    Raises:
        FileError: more other ports than the instance has (see :func:`check_listeners`).
    """
    check_listeners(master, source)
    others = dict(zip(_others(master), count(max(ports.values()) + 1), strict=False))
    spellings: dict[tuple[str, int], list[str]] = {}
    pieces: list[Entry | str] = []
    rewrites: list[Rewrite] = []
    for piece in master.pieces:
        listener = _listener(piece) if isinstance(piece, Entry) else None
        if not isinstance(piece, Entry) or listener is None:
            pieces.append(piece)
            continue
        port = ports[listener] if isinstance(listener, Service) else others[listener]
        seen = spellings.setdefault((piece.host, port), [])
        if piece.name not in seen:
            seen.append(piece.name)
        name = f"{piece.host}{'0' * seen.index(piece.name)}{port}"
        rewrites.append(Rewrite(piece.name, name))
        pieces.append(parse_entry(name + piece.text[len(piece.name) :], piece.line))
    return MasterCf(tuple(pieces)), tuple(rewrites)


def check_listeners(master: MasterCf, source: Path) -> None:
    """Refuse a master.cf that listens on more ports than an instance has.

    Raises:
        FileError: naming the entry that is one too many.
    """
    others = list(_others(master).values())
    if len(others) <= MOST_OTHERS:
        return
    entry = others[MOST_OTHERS]
    raise FileError(
        Place(source, entry.line, entry.name),
        "there is no port left for this entry",
        expected=f"at most {MOST_OTHERS} inet ports besides those of {', '.join(INBOUND)}",
        next_step="remove inet entries that the advice does not need",
    )


def _others(master: MasterCf) -> dict[str, Entry]:
    """The first entry of each port that is none of our services', in the file's order."""
    found: dict[str, Entry] = {}
    for entry in master.entries:
        listener = _listener(entry)
        if listener is not None and not isinstance(listener, Service):
            found.setdefault(listener, entry)
    return found


def _listener(entry: Entry) -> Service | str | None:
    """What an inet entry listens on, on whatever host and however written; None for no inet."""
    if entry.type != "inet":
        return None
    port = entry.name[len(entry.host) :]
    if port.isascii() and port.isdigit():
        port = str(int(port))
    return SERVICE_NAMES.get(port, port)
