"""The map of what a server accepts, by elimination: offer all, strike what it chose, go on.

That is a handshake for each accepted suite and one more for each part, not one for each suite that
there is. Versions, and parts of a version (by key exchange), go side by side.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from harness.catalog.ciphers import Cipher, all_ciphers
from harness.clients.scan.dialogue import NotMeasuredError, Place, probe, reach
from harness.clients.scan.messages import Alert, Answer, Choice, Ssl2Choice, client_hello
from harness.tls import Protocol

#: Probes at a time, and tries of one before it counts as not measured.
JOBS, TRIES = 8, 3
#: Suites whose names begin so are chosen by different parts of a server's configuration.
_PARTS = (
    ("ECDHE", r"ECDHE|TLS_ECDHE"),
    ("DHE", r"DHE|EDH|EXP-EDH|TLS_DHE"),
    ("anonymous", r"ADH|AECDH|EXP-ADH|TLS_(?:EC)?DH_anon"),
    (
        "other",
        r"PSK|RSA-PSK|DHE-PSK|SRP|KRB5|EXP-KRB5|GOST|ECDH-|DH-|TLS_(?:PSK|SRP|KRB5|ECDH_|DH_)",
    ),
    ("RSA", r""),
)

#: Answers a hello of a version with these suites.
Ask = Callable[[Protocol, Sequence[int]], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """One suite that a server accepts in one version."""

    protocol: Protocol
    cipher: str
    bits: int | None


@dataclass(frozen=True, slots=True)
class Map:
    """What a server accepts; ``handshakes`` is how many it took.

    ``order`` tells of each version with two suites or more whose preference counts: the server's or
    the client's. ``not_measured`` has what came to nothing: it is no refusal.
    """

    accepted: tuple[Accepted, ...]
    order: dict[str, str] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)
    handshakes: int = 0

    def of(self, protocol: Protocol) -> tuple[Accepted, ...]:
        """The suites of one version."""
        return tuple(one for one in self.accepted if one.protocol is protocol)

    def weakest(self, protocol: Protocol) -> frozenset[str]:
        """The suites of the least strength among a version's."""
        known = [one.bits for one in self.of(protocol) if one.bits is not None]
        return frozenset(
            one.cipher for one in self.of(protocol) if known and one.bits == min(known)
        )


async def scan(place: Place, protocols: Sequence[Protocol] = tuple(Protocol)) -> Map:
    """Scan a server.

    Raises:
        InfrastructureError: nobody listens, it announces no STARTTLS, or is no SMTP server.
    """
    await reach(place)
    slots = asyncio.Semaphore(JOBS)
    count = 0

    async def ask(protocol: Protocol, codes: Sequence[int]) -> Answer:
        nonlocal count
        hello = client_hello(protocol, codes, place.server_name)
        async with slots:
            for left in reversed(range(TRIES)):
                try:
                    count += 1
                    return await probe(place, hello)
                except NotMeasuredError:
                    if not left:
                        raise
        raise AssertionError("unreachable")

    found = await eliminate(ask, protocols)
    return Map(found.accepted, found.order, found.not_measured, count)


async def timed_scan(place: Place) -> tuple[Map, float]:
    """The map, and how many seconds it took."""
    began = time.monotonic()
    found = await scan(place)
    return found, time.monotonic() - began


async def eliminate(ask: Ask, protocols: Sequence[Protocol]) -> Map:
    """The map of whatever answers ``ask``."""
    not_measured: dict[str, str] = {}
    order: dict[str, str] = {}

    async def one_part(protocol: Protocol, name: str, part: list[Cipher]) -> list[Cipher]:
        found: list[Cipher] = []
        try:
            await _strike(ask, protocol, part, found)
        except NotMeasuredError as error:
            not_measured[f"{protocol} {name}"] = str(error)
        return found

    async def one_version(protocol: Protocol) -> list[Accepted]:
        parts = parts_of(protocol)
        found = await asyncio.gather(*(one_part(protocol, *one) for one in parts.items()))
        ciphers = [cipher for part in found for cipher in part]
        if len(ciphers) > 1 and protocol is not Protocol.SSLv2:
            try:
                order[protocol.value] = await _order(ask, protocol, ciphers)
            except NotMeasuredError as error:
                not_measured[f"{protocol} order"] = str(error)
        return [Accepted(protocol, cipher.name, cipher.bits) for cipher in ciphers]

    versions = await asyncio.gather(*(one_version(protocol) for protocol in protocols))
    return Map(tuple(one for version in versions for one in version), order, not_measured)


def parts_of(protocol: Protocol) -> dict[str, list[Cipher]]:
    """The suites of a version, by the part of a server's configuration that chooses them."""
    found: dict[str, list[Cipher]] = {}
    for cipher in all_ciphers():
        if cipher.speaks(protocol):
            name = next(name for name, start in _PARTS if re.match(start, cipher.name))
            found.setdefault("all" if protocol.rank in (0, 5) else name, []).append(cipher)
    return found


async def _strike(ask: Ask, protocol: Protocol, part: list[Cipher], found: list[Cipher]) -> None:
    """Offer, strike what was chosen, and offer the rest, until the server says no."""
    left = {cipher.code: cipher for cipher in part}
    while left:
        got = await ask(protocol, list(left))
        if isinstance(got, Alert):
            return
        if isinstance(got, Ssl2Choice):
            found += [left[code] for code in got.ciphers if code in left]
            return
        if got.version is not protocol or got.cipher not in left:
            # Another version than the one that was offered: this one is refused, in its own way.
            return
        found.append(left.pop(got.cipher))


async def _order(ask: Ask, protocol: Protocol, ciphers: list[Cipher]) -> str:
    codes = [cipher.code for cipher in ciphers]
    forth, back = await ask(protocol, codes), await ask(protocol, codes[::-1])
    same = isinstance(forth, Choice) and isinstance(back, Choice) and forth.cipher == back.cipher
    return "server" if same else "client"
