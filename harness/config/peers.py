"""What a peer's server is configured with, and the zones that lead to the peers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.catalog.peers import Peer, ServerKind, Tlsa
from harness.config.scenario import Scenario
from harness.tls import Offer, Protocol

#: Zones that are not signed, and have no trust anchor.
INSECURE = ("unsigned.test",)
#: The zones there are, the longest names first, so that a name finds its own.
ZONES = ("unsigned.test", "example.com", "partner.net", "mx.test")
#: Where the test certificates of a peer's server lie.
CERTIFICATE, KEY = "/etc/postfix-matrix/peer.pem", "/etc/postfix-matrix/peer.key"
OWN_CERTIFICATE, OWN_KEY = "/etc/postfix-matrix/own.pem", "/etc/postfix-matrix/own.key"

_MASTER = "submissions inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n"
_ALL = "virtual_mailbox_domains = static:all\nvirtual_mailbox_maps = static:sink/\n"


def peer_scenario(server: ServerKind, offer: Offer) -> Scenario:
    """The configuration of a server that mail is sent to: takes all mail, pinned to the offer."""
    lines = [_ALL.rstrip()]
    if server is ServerKind.PLAINTEXT:
        lines.append("smtpd_tls_security_level = none")
    else:
        own = server is ServerKind.UNKNOWN_CA
        lines.append(f"smtpd_tls_cert_file = {OWN_CERTIFICATE if own else CERTIFICATE}")
        lines.append(f"smtpd_tls_key_file = {OWN_KEY if own else KEY}")
        lines += _pinned(offer)
    return Scenario(
        id="peer",
        title="A server that mail is sent to",
        source="postfix-matrix",
        claim="",
        main_cf="\n".join(lines) + "\n",
        master_cf=_MASTER,
    )


def _pinned(offer: Offer) -> list[str]:
    if offer.lowest is None or offer.highest is None:
        return []
    inside = range(offer.lowest.rank, offer.highest.rank + 1)
    excluded = ", ".join(f"!{one}" for one in Protocol if one.rank not in inside)
    lines = [f"smtpd_tls_{kind}protocols = {excluded}" for kind in ("", "mandatory_")]
    if offer.ciphers:
        lines.append(f"tls_medium_cipherlist = {':'.join(offer.ciphers)}:@SECLEVEL=0")
        lines += [f"smtpd_tls_{kind}ciphers = medium" for kind in ("", "mandatory_")]
    if offer.groups:
        lines.append(f"tls_eecdh_auto_curves = {' '.join(offer.groups)}")
    return lines


@dataclass(frozen=True, slots=True)
class Address:
    """Where one peer's mail exchanger is, for the zones; ``tlsa`` is the record's data or None."""

    peer: Peer
    offer: Offer
    ip: str
    tlsa: str | None


def tlsa_data(kind: Tlsa, digest: str) -> str | None:
    """A TLSA record's data: DANE-EE(3) SPKI(1) SHA2-256(1) of a public key (RFC 7671, 5.1)."""
    if kind is Tlsa.NONE:
        return None
    return f"3 1 1 {digest if kind is Tlsa.RIGHT else '0' * 64}"


def zones(addresses: Iterable[Address], name_server: str) -> Mapping[str, str]:
    """The zones by name, as master files (RFC 1035, section 5); ``name_server`` is an address."""
    records: dict[str, dict[str, None]] = {zone: {} for zone in ZONES}
    for one in addresses:
        domain, mx = one.peer.domain_of(one.offer), one.peer.mx_of(one.offer)
        records[_zone_of(domain)][f"{domain}. IN MX 10 {mx}."] = None
        records[_zone_of(mx)][f"{mx}. IN A {one.ip}"] = None
        if one.tlsa is not None:
            for port in (25, 465):
                records[_zone_of(mx)][f"_{port}._tcp.{mx}. IN TLSA {one.tlsa}"] = None
        if domain == "example.com":
            # What smarthost recipes call it.
            records["example.com"][f"relay.example.com. IN A {one.ip}"] = None
    return {zone: _text(zone, lines, name_server) for zone, lines in records.items()}


def _zone_of(name: str) -> str:
    return next(zone for zone in ZONES if name == zone or name.endswith(f".{zone}"))


def _text(zone: str, lines: Iterable[str], name_server: str) -> str:
    head = (
        f"$ORIGIN {zone}.",
        "$TTL 300",
        f"@ IN SOA ns.{zone}. hostmaster.{zone}. 1 3600 900 604800 300",
        f"@ IN NS ns.{zone}.",
        f"ns.{zone}. IN A {name_server}",
    )
    return "\n".join([*head, *lines]) + "\n"
