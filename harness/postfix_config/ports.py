"""Where a master.cf listens, and the ports on which an instance listens instead."""

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

#: Hosts that mean every address, and hosts that can only be reached from the same machine.
_NAMED_EVERY = frozenset({"0.0.0.0:", "[::]:", "*:"})
_EVERY_ADDRESS = _NAMED_EVERY | {""}
_LOOPBACK = re.compile(r"(?:127\.[0-9.]+|localhost|\[::1\]):", re.IGNORECASE)
#: Values of inet_interfaces with which entries without an address listen on the loopback.
_LOCAL_INTERFACES = frozenset({"localhost", "loopback-only", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class ListeningPlace:
    """Where one inet entry listens.

    ``name`` is unique to the place: the service's name, a port, or ``host:port`` where several
    addresses have separate entries. ``shared``: an entry for every address has the same port, so
    Postfix decides between the two. ``loopback``: it can only be reached from the same machine.
    """

    name: str
    loopback: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Rewrite:
    """An inet entry whose name was changed to a port of the instance."""

    before: str
    after: str


def is_loopback(entry: MasterEntry) -> bool:
    """Whether an entry listens where only clients of the same machine can connect."""
    return bool(_LOOPBACK.fullmatch(entry.host))


def listening_places(master: MasterCf, interfaces: str = "") -> dict[int, ListeningPlace]:
    """Where each inet entry listens, by the entry's position among the file's pieces.

    ``interfaces`` is the candidate's inet_interfaces: unless it is "all", an entry without an
    address leaves other addresses free (postconf(5)).

    Raises:
        FileError: an entry's name is not valid, such as a template's ``{PORT}``.
    """
    entries = dict(_inet_entries(master))
    bound = frozenset(re.split(r"[\s,]+", interfaces.strip())) - {""}
    plain = {_port_of(e) for e in entries.values() if not e.host}
    everywhere = {_port_of(e) for e in entries.values() if e.host in _NAMED_EVERY}
    if not bound or "all" in bound:
        everywhere |= plain
    first_host = dict.fromkeys(plain, "")
    places = {}
    for at, entry in entries.items():
        port, loopback = _port_of(entry), is_loopback(entry)
        _check_name(entry, port)
        if port in everywhere or (port in plain and _is_bound(entry, bound)):
            places[at] = ListeningPlace(port, shared=entry.host not in _EVERY_ADDRESS)
        elif loopback or first_host.setdefault(port, entry.host) != entry.host:
            places[at] = ListeningPlace(f"{entry.host}{port}", loopback)
        else:
            places[at] = ListeningPlace(port)
    return places


def _is_bound(entry: MasterEntry, bound: frozenset[str]) -> bool:
    """Whether inet_interfaces includes an entry's address."""
    address = entry.host.removesuffix(":").strip("[]")
    return address in bound or (is_loopback(entry) and bool(bound & _LOCAL_INTERFACES))


def interfaces_of(main_cf: str) -> str:
    """A candidate's inet_interfaces; "" where it does not set it."""
    return parse_main_cf(main_cf).values.get("inet_interfaces", "")


def unregistered_places(master: MasterCf, interfaces: str = "") -> tuple[str, ...]:
    """The names of the places that belong to no registered service, in the file's order."""
    names = (place.name for place in listening_places(master, interfaces).values())
    return tuple(dict.fromkeys(name for name in names if name not in INBOUND))


def number_ports(fixed: Mapping[str, int], names: Iterable[str]) -> dict[str, int]:
    """Ports by place: the fixed ones; the names get those just above the highest of them."""
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

    An address before the port is removed, since a container has other addresses, unless
    ``keep_hosts`` is set or an entry for every address shares the port. Entries that listen on the
    same port continue to do so. Two spellings of one port (``submission`` and ``587``) remain two
    spellings; the second gets a leading zero. Where master(8) compares services as text (older
    releases) they are two services, one of which cannot bind; where it compares ports (3.5 does)
    they are duplicates, of which it takes the last.
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
        names = spellings.setdefault((host, port), [])
        if piece.name not in names:
            names.append(piece.name)
        name = f"{host}{'0' * names.index(piece.name)}{port}"
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
            f"{entry.name!r} is not the name of an inet service",
            expected="a port, a name of services(5), or host:port (master(5))",
        ) from None


def _port_of(entry: MasterEntry) -> str:
    """An entry's port: the service's name where it is registered, else as written.

    For services that are not registered here, the name in services(5) and its number count as two
    different ports.
    """
    port = entry.name[len(entry.host) :]
    if port.isascii() and port.isdigit():
        port = str(int(port))
    return str(SERVICE_NAMES.get(port, port))
