"""Where a master.cf listens, and the ports that an instance has for it in its container."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import FileError, FileLocation
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import (
    SERVICE_NAMES,
    MasterCf,
    MasterEntry,
    parse_entry,
)
from harness.tls import INBOUND, Service

#: Hosts that mean every address, and hosts that only this machine reaches.
_NAMED_EVERY = frozenset({"0.0.0.0:", "[::]:", "*:"})
_EVERY_ADDRESS = _NAMED_EVERY | {""}
_LOOPBACK = re.compile(r"(?:127\.[0-9.]+|localhost|\[::1\]):", re.IGNORECASE)
#: Values of inet_interfaces by which entries of no address listen there.
_LOCAL_INTERFACES = frozenset({"localhost", "loopback-only", "127.0.0.1", "::1"})


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


def is_loopback(entry: MasterEntry) -> bool:
    """Whether an entry listens where only clients of the same machine can connect."""
    return bool(_LOOPBACK.fullmatch(entry.host))


def listening_places(master: MasterCf, interfaces: str = "") -> dict[int, ListeningPlace]:
    """Where each inet entry listens, by the entry's place among the file's pieces.

    ``interfaces`` is the candidate's inet_interfaces: where it is not "all", an entry of no address
    leaves other addresses free (postconf(5)).

    Raises:
        FileError: an entry's name is none, such as a template's ``{PORT}``.
    """
    entries = dict(_inet_entries(master))
    bound = frozenset(re.split(r"[\s,]+", interfaces.strip())) - {""}
    plain = {_port(e) for e in entries.values() if not e.host}
    everywhere = {_port(e) for e in entries.values() if e.host in _NAMED_EVERY}
    if not bound or "all" in bound:
        everywhere |= plain
    first_host = dict.fromkeys(plain, "")
    places = {}
    for at, entry in entries.items():
        port, loopback = _port(entry), is_loopback(entry)
        _check_name(entry, port)
        if port in everywhere or (port in plain and _is_bound(entry, bound)):
            places[at] = ListeningPlace(port, shared=entry.host not in _EVERY_ADDRESS)
        elif loopback or first_host.setdefault(port, entry.host) != entry.host:
            places[at] = ListeningPlace(f"{entry.host}{port}", loopback)
        else:
            places[at] = ListeningPlace(port)
    return places


def _is_bound(entry: MasterEntry, bound: frozenset[str]) -> bool:
    """Whether an entry's address is among those of inet_interfaces."""
    address = entry.host.removesuffix(":").strip("[]")
    return address in bound or (is_loopback(entry) and bool(bound & _LOCAL_INTERFACES))


def interfaces_of(main_cf: str) -> str:
    """A candidate's own inet_interfaces; "" where it has none."""
    return parse_main_cf(main_cf).values.get("inet_interfaces", "")


def places_beside_services(master: MasterCf, interfaces: str = "") -> tuple[str, ...]:
    """The names of the places that are none of the registered services', in the file's order."""
    names = (place.name for place in listening_places(master, interfaces).values())
    return tuple(dict.fromkeys(name for name in names if name not in INBOUND))


def number_ports(fixed: Mapping[str, int], names: Iterable[str]) -> dict[str, int]:
    """Ports by place: the fixed ones, and those just above the highest of them for the names."""
    ports = {str(name): port for name, port in fixed.items()}
    first = max(ports.values()) + 1
    return {**ports, **{name: first + number for number, name in enumerate(names)}}


def rewrite_ports(
    master: MasterCf,
    ports: Mapping[str, int],
    *,
    interfaces: str = "",
    keep_hosts: bool = False,
) -> tuple[MasterCf, tuple[Rewrite, ...]]:
    """Let every inet entry listen on a port of the instance, by its place's name in ``ports``.

    An address before the port goes, since a container has others, unless ``keep_hosts`` says so or
    an entry of every address shares the port. Entries that listen on one port go on doing so. Two
    spellings of one port (``submission`` and ``587``) stay two spellings, the second gets a leading
    zero: where master(8) compares services as text (older releases) they are two, of which one
    cannot bind; where it compares ports (3.5 does) they are duplicates, of which it takes the last.
    """
    places = listening_places(master, interfaces)
    spellings: dict[tuple[str, int], list[str]] = {}
    pieces: list[MasterEntry | str] = []
    rewrites: list[Rewrite] = []
    for at, piece in enumerate(master.pieces):
        if not isinstance(piece, MasterEntry) or at not in places:
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


def _inet_entries(master: MasterCf) -> Iterator[tuple[int, MasterEntry]]:
    for at, piece in enumerate(master.pieces):
        if isinstance(piece, MasterEntry) and piece.type == "inet":
            yield at, piece


def _check_name(entry: MasterEntry, port: str) -> None:
    host = "" if entry.host in _EVERY_ADDRESS else entry.host
    try:
        Service(f"{host}{port}")
    except ValueError:
        raise FileError(
            FileLocation(Path("master.cf"), entry.line),
            f"{entry.name!r} is no name of an inet service",
            expected="a port, a name of services(5), or host:port (master(5))",
        ) from None


def _port(entry: MasterEntry) -> str:
    """An entry's port: the service's name where it is registered, else as written.

    Of services that have no name here, a name of services(5) and its number count as two ports.
    """
    port = entry.name[len(entry.host) :]
    if port.isascii() and port.isdigit():
        port = str(int(port))
    return str(SERVICE_NAMES.get(port, port))
