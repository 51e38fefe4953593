"""The peer network: the servers that mail is sent to, and the name server that knows them.

There is one server per pin, a Postfix in a container of its own, since a mail exchanger listens on
port 25. Each server must be shown to accept the offer that it is pinned to: otherwise a failure
would say nothing about the sender.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.catalog.peers import Peer, ServerKind
from harness.errors import InfrastructureError
from harness.scenarios.peer_servers import (
    INSECURE,
    OWN_CERTIFICATE,
    OWN_KEY,
    Address,
    bogus_zones,
    make_zones,
    peer_scenario,
    tlsa_data,
)
from harness.targets.control import handshake_command, is_accepted
from harness.targets.lab import PKI_DIR, FileSpec, Lab, put_files
from harness.targets.pki import Pki
from harness.targets.postfix import ROOT, PostfixTarget
from harness.targets.resolver import start_resolver
from harness.tls import Offer, Protocol, Service

#: A peer with the offer that it is pinned to.
Pin = tuple[Peer, Offer]
_PORTS = {Service.SMTP: 25, Service.SUBMISSION: 587, Service.SUBMISSIONS: 465}
#: No client logs in at a peer.
_NO_SASL = "inet:127.0.0.1:1"
#: Servers that make no TLS handshake.
_WITHOUT_TLS = (ServerKind.PLAINTEXT, ServerKind.HANGS_UP)


@dataclass(frozen=True, slots=True)
class PeerServer:
    """A running peer. ``capable`` is False if its library does not support its pinned offer."""

    domain: str
    target: PostfixTarget
    capable: bool


@dataclass(frozen=True, slots=True)
class PeerNetwork:
    """The peers by name and offer, and the address of the name server that knows them."""

    servers: Mapping[tuple[str, str], PeerServer]
    resolver: str

    def server(self, peer: str, offer: Offer) -> PeerServer:
        """One peer pinned to an offer."""
        return self.servers[peer, str(offer)]


async def start_peer_network(
    lab: Lab, pins: Iterable[Pin], postfix: str, dns: str, number: int = 1
) -> PeerNetwork:
    """Start the servers that these peers need, all at once, then the name server.

    Args:
        pins: the peers, each with the offer that it is pinned to.
        postfix: the servers' image. dns: the name server's image.
        number: distinguishes the containers of several peer networks in one laboratory.

    Raises:
        InfrastructureError: a server does not start, or does not accept its pinned offer.
    """
    peer_pins = list(pins)
    kinds = dict.fromkeys((peer.server, offer) for peer, offer in peer_pins)
    started = await asyncio.gather(*(_start_peer(lab, *kind, postfix, number) for kind in kinds))
    by_kind = dict(zip(kinds, started, strict=True))
    addresses = []
    servers = {}
    digest = _key_digest(lab.pki)
    for peer, offer in peer_pins:
        target, capable = by_kind[peer.server, offer]
        servers[peer.name, str(offer)] = PeerServer(peer.domain_of(offer), target, capable)
        ip = lab.address(target.container)
        addresses.append(Address(peer, offer, ip, tlsa_data(peer.tlsa, digest)))
    resolver = await asyncio.to_thread(_start_dns, lab, addresses, dns, number)
    return PeerNetwork(servers, resolver)


async def _start_peer(
    lab: Lab, kind: ServerKind, offer: Offer, image: str, number: int
) -> tuple[PostfixTarget, bool]:
    label = hashlib.sha256(f"{kind} {offer}".encode()).hexdigest()[:8]
    loop = asyncio.get_running_loop()
    name = f"peer-{label}" + (f"-{number}" if number > 1 else "")
    return await asyncio.to_thread(_start_server, lab, kind, offer, image, name, loop)


def _start_server(
    lab: Lab,
    kind: ServerKind,
    offer: Offer,
    image: str,
    name: str,
    loop: asyncio.AbstractEventLoop,
) -> tuple[PostfixTarget, bool]:
    target = PostfixTarget.start(lab, name, image, loop)
    scenario = peer_scenario(kind, offer, f"{ROOT}/peer")
    instance = target.start_instance(scenario, _NO_SASL, _PORTS)
    if not instance.started:
        raise InfrastructureError(f"the peer for {offer} does not start: {instance.output}")
    if kind is ServerKind.UNKNOWN_CA:
        untrusted = Pki().pair("RSA")
        put_files(
            target.container,
            {
                OWN_CERTIFICATE: FileSpec(untrusted.certificate),
                OWN_KEY: FileSpec(untrusted.key, mode=0o600),
            },
        )
    put_files(target.container, {f"{PKI_DIR}/ca.pem": FileSpec(lab.pki.ca)})
    capable = kind in _WITHOUT_TLS or all(
        is_accepted(target.run(handshake_command(protocol, Service.SMTP)))
        for protocol in _pinned_versions(offer)
    )
    return target, capable


def _pinned_versions(offer: Offer) -> list[Protocol]:
    """The versions that a server pinned to an offer must accept; one if it is not pinned."""
    if offer.lowest is None or offer.highest is None:
        return [Protocol.TLSv1_2]
    ranks = range(offer.lowest.rank, offer.highest.rank + 1)
    return [protocol for protocol in Protocol if protocol.rank in ranks]


def _start_dns(lab: Lab, addresses: list[Address], image: str, number: int) -> str:
    """Start the name server with the peers' zones; return its address.

    Raises:
        InfrastructureError: it does not answer.
    """
    probe = addresses[0].peer.mx_of(addresses[0].offer)
    return start_resolver(
        lab,
        image,
        lambda dns_address: make_zones(addresses, dns_address),
        insecure=INSECURE,
        bogus=bogus_zones(addresses),
        probe=probe,
        name=f"dns-peers-{number}",
    )


def _key_digest(pki: Pki) -> str:
    """SHA-256 of the test certificate's public key, as a TLSA record has it (RFC 6698, 2.1)."""
    certificate = x509.load_pem_x509_certificate(pki.pair("RSA").certificate.encode())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).hexdigest()
