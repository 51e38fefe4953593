"""Where a master.cf listens, and the ports that an instance has for it in its container."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.config.mastercf import SERVICE_NAMES, Entry, MasterCf, parse_entry
from harness.errors import FileError, Place
from harness.tls import INBOUND, Service

#: Hosts that mean every address, and hosts that only this machine reaches.
_EVERY_ADDRESS = frozenset({"", "0.0.0.0:", "[::]:", "*:"})
_LOOPBACK = re.compile(r"(?:127\.[0-9.]+|localhost|\[::1\]):", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ListeningPlace:
    """Where one inet entry listens.

    ``name`` is unique to the place: the service's name, a port, or ``host:port`` where several
    addresses have entries of their own. ``shared``: an entry of every address has the same port, so
    Postfix has its own word on the two. ``loopback``: only this machine reaches it.
    """

    name: str
    loopback: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Rewrite:
    """An inet entry whose name became a port of the instance's own."""

    before: str
    after: str


def is_loopback(entry: Entry) -> bool:
    """Whether an entry listens where only clients of the same machine can connect."""
    return bool(_LOOPBACK.fullmatch(entry.host))


def listening_places(master: MasterCf) -> dict[int, ListeningPlace]:
    """Where each inet entry listens, by the entry's place among the file's pieces.

    Raises:
        FileError: an entry's name is none, such as a template's ``{PORT}``.
    """
    entries = dict(_inet_entries(master))
    everywhere = {_port(e) for e in entries.values() if e.host in _EVERY_ADDRESS}
    first_host: dict[str, str] = {}
    places = {}
    for at, entry in entries.items():
        port, loopback = _port(entry), is_loopback(entry)
        _check_name(entry, port)
        if port in everywhere:
            places[at] = ListeningPlace(port, shared=entry.host not in _EVERY_ADDRESS)
        elif loopback or first_host.setdefault(port, entry.host) != entry.host:
            places[at] = ListeningPlace(f"{entry.host}{port}", loopback)
        else:
            places[at] = ListeningPlace(port)
    return places


def places_beside_services(master: MasterCf) -> tuple[str, ...]:
    """The names of the places that are none of the registered services', in the file's order."""
    names = (place.name for place in listening_places(master).values())
    return tuple(dict.fromkeys(name for name in names if name not in INBOUND))


def number_ports(fixed: Mapping[str, int], names: Iterable[str]) -> dict[str, int]:
    """Ports by place: the fixed ones, and those just above the highest of them for the names."""
    ports = {str(name): port for name, port in fixed.items()}
    first = max(ports.values()) + 1
    return {**ports, **{name: first + number for number, name in enumerate(names)}}


def rewrite_ports(
    master: MasterCf, ports: Mapping[str, int], *, keep_hosts: bool = False
) -> tuple[MasterCf, tuple[Rewrite, ...]]:
    """Let every inet entry listen on a port of the instance, by its place's name in ``ports``.

    An address before the port goes, since a container has others, unless ``keep_hosts`` says so or
    an entry of every address shares the port. Entries that listen on one port go on doing so. Two
    spellings of one port (``submission`` and ``587``) stay two spellings, the second gets a leading
    zero: where master(8) compares services as text (older releases) they are two, of which one
    cannot bind; where it compares ports (3.5 does) they are duplicates, of which it takes the last.
    """
    places = listening_places(master)
    spellings: dict[tuple[str, int], list[str]] = {}
    pieces: list[Entry | str] = []
    rewrites: list[Rewrite] = []
    for at, piece in enumerate(master.pieces):
        if not isinstance(piece, Entry) or at not in places:
            pieces.append(piece)
            continue
        place = places[at]
        port = ports[place.name]
        host = piece.host if keep_hosts or place.shared else ""
        seen = spellings.setdefault((host, port), [])
        if piece.name not in seen:
            seen.append(piece.name)
        name = f"{host}{'0' * seen.index(piece.name)}{port}"
        rewrites.append(Rewrite(piece.name, name))
        pieces.append(parse_entry(name + piece.text[len(piece.name) :], piece.line))
    return MasterCf(tuple(pieces)), tuple(rewrites)


def _inet_entries(master: MasterCf) -> Iterator[tuple[int, Entry]]:
    for at, piece in enumerate(master.pieces):
        if isinstance(piece, Entry) and piece.type == "inet":
            yield at, piece


def _check_name(entry: Entry, port: str) -> None:
    host = "" if entry.host in _EVERY_ADDRESS else entry.host
    try:
        Service(f"{host}{port}")
    except ValueError:
        raise FileError(
            Place(Path("master.cf"), entry.line),
            f"{entry.name!r} is no name of an inet service",
            expected="a port, a name of services(5), or host:port (master(5))",
        ) from None


def _port(entry: Entry) -> str:
    """An entry's port: the service's name where it is registered, else as written.

    Of services that have no name here, a name of services(5) and its number count as two ports.
    """
    port = entry.name[len(entry.host) :]
    if port.isascii() and port.isdigit():
        port = str(int(port))
    return str(SERVICE_NAMES.get(port, port))
