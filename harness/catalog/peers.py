"""The peers: the domains to which Postfix sends in cells of ``outbound`` (data/peers.toml)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from harness.catalog.releases import load_data
from harness.errors import UsageError
from harness.tls import Offer, Protocol, Service

#: A peer's name starts with this; a client's name must not.
PEER_PREFIX = "peer-"
#: The build of the peers' servers.
PEER_BUILD = "debian-12"
_PINS = {
    Protocol.TLSv1: "tls10",
    Protocol.TLSv1_1: "tls11",
    Protocol.TLSv1_2: "tls12",
    Protocol.TLSv1_3: "tls13",
}


class ServerKind(StrEnum):
    """The kind of server at a peer's mail exchanger."""

    PINNED = "pinned"
    PLAINTEXT = "plaintext"
    UNKNOWN_CA = "unknown-ca"
    EXPIRED = "expired"
    SELF_SIGNED = "self-signed"
    BELOW_INTERMEDIATE = "below-intermediate"
    WITH_INTERMEDIATE = "with-intermediate"
    WANTS_CERTIFICATE = "wants-certificate"
    HANGS_UP = "hangs-up"
    HANGS_UP_AT_DATA = "hangs-up-at-data"


class Tlsa(StrEnum):
    """The TLSA record of a peer's mail exchanger; ``broken``: its zone has invalid signatures."""

    RIGHT = "right"
    WRONG = "wrong"
    NONE = "none"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Peer:
    """A domain to which mail is sent; ``{pin}`` in its names stands for its offer's label."""

    name: str
    about: str
    domain: str
    mx: str
    server: ServerKind
    tlsa: Tlsa
    pins: bool = False
    unasked: bool = False

    def domain_of(self, offer: Offer) -> str:
        """The recipients' domain of the peer whose server only accepts an offer."""
        return self.domain.format(pin=pin_label(offer))

    def mx_of(self, offer: Offer) -> str:
        """The mail exchanger's name of the peer whose server only accepts an offer."""
        return self.mx.format(pin=pin_label(offer))


def is_peer(name: str) -> bool:
    """Whether a name on the client axis is a peer's."""
    return name.startswith(PEER_PREFIX)


def has_cells_of(client: str, service: Service) -> bool:
    """Whether a client or peer can have cells of a service: peers only have those of outbound."""
    return is_peer(client) == (service is Service.OUTBOUND)


def pin_label(offer: Offer) -> str:
    """The label, in a host name, of the offer that a peer's server accepts."""
    if offer.is_default:
        return "any"
    plain = offer.lowest is offer.highest and not offer.ciphers and not offer.groups
    if plain and offer.lowest in _PINS:
        return _PINS[offer.lowest]
    return "pin-" + hashlib.sha256(str(offer).encode()).hexdigest()[:8]


@cache
def all_peers() -> tuple[Peer, ...]:
    """The peers, in the catalog's order."""
    return tuple(
        Peer(
            **{
                **record,
                "server": ServerKind(record["server"]),
                "tlsa": Tlsa(record["tlsa"]),
            }
        )
        for record in load_data("peers")["peer"]
    )


def find_peer(name: str) -> Peer:
    """One peer.

    Raises:
        UsageError: the catalog does not have it.
    """
    match = next((candidate for candidate in all_peers() if candidate.name == name), None)
    if match is None:
        names = " ".join(candidate.name for candidate in all_peers())
        raise UsageError(f"unknown peer {name!r}", next_step=f"use one of {names}")
    return match
