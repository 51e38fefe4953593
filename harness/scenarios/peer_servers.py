"""The configuration of a peer's server, and the zones of the peers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.catalog.peers import Peer, ServerKind, Tlsa
from harness.postfix_config.key_files import FileKind
from harness.scenarios.scenario import Scenario
from harness.tls import Offer, Protocol

#: Zones that are not signed, and have no trust anchor.
INSECURE = ("unsigned.test",)
#: All zones, those with more specific names first, so that a name is assigned to the right one.
ZONES = ("unsigned.test", "example.com", "partner.net", "mx.test")
#: The paths of the test certificates of a peer's server.
CERTIFICATE, KEY = "/etc/postfix-matrix/peer.pem", "/etc/postfix-matrix/peer.key"
OWN_CERTIFICATE, OWN_KEY = "/etc/postfix-matrix/own.pem", "/etc/postfix-matrix/own.key"

_MASTER = "submissions inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n"
_ALL = "virtual_mailbox_domains = static:all\nvirtual_mailbox_maps = static:sink/\n"


#: The kinds of the servers' certificates that are not valid ones.
_CERTIFICATES = {
    ServerKind.EXPIRED: FileKind.EXPIRED,
    ServerKind.SELF_SIGNED: FileKind.SELF_SIGNED,
    ServerKind.BELOW_INTERMEDIATE: FileKind.BELOW_INTERMEDIATE,
    ServerKind.WITH_INTERMEDIATE: FileKind.WITH_INTERMEDIATE,
}
_LINES = {
    ServerKind.PLAINTEXT: ("smtpd_tls_security_level = none",),
    ServerKind.WANTS_CERTIFICATE: (
        "smtpd_tls_security_level = encrypt",
        "smtpd_tls_req_ccert = yes",
        "smtpd_tls_CAfile = /etc/postfix-matrix/clients-ca.pem",
    ),
    # smtpd(8) ends the connection after a 421 (RFC 5321, section 3.8).
    ServerKind.HANGS_UP_AT_DATA: (
        "smtpd_data_restrictions = check_client_access static:{421 4.3.2 The peer hangs up}",
    ),
}
_SCRIPT = "config_directory/hang-up"
#: No setting makes smtpd(8) close the connection after STARTTLS, so spawn(8) runs this script
#: instead. It accepts mail in plaintext.
_HANGS_UP = """printf '220 peer.test ESMTP\\r\\n'
while read -r line; do
    case $line in
    EHLO*) printf '250-peer.test\\r\\n250 STARTTLS\\r\\n' ;;
    STARTTLS*) printf '220 2.0.0 Ready to start TLS\\r\\n'; exit 0 ;;
    DATA*) printf '354 Go on\\r\\n'
        while read -r line && [ "${line%?}" != . ]; do :; done
        printf '250 2.0.0 Ok: taken\\r\\n' ;;
    QUIT*) printf '221 2.0.0 Bye\\r\\n'; exit 0 ;;
    *) printf '250 2.0.0 Ok\\r\\n' ;;
    esac
done
"""
_SPAWNED = "smtp inet n n n - 0 spawn user=nobody argv=/bin/sh {folder}/etc/hang-up\n"


def peer_scenario(server: ServerKind, offer: Offer, folder: str = "") -> Scenario:
    """The configuration of a server to which mail is sent: it accepts all mail, with one offer.

    ``folder`` is that of its instance, for a server that runs a script.
    """
    hangs_up = server is ServerKind.HANGS_UP
    of_unknown_ca = server is ServerKind.UNKNOWN_CA
    lines = [_ALL.rstrip(), *_LINES.get(server, ())]
    if server is not ServerKind.PLAINTEXT:
        lines.append(f"smtpd_tls_cert_file = {OWN_CERTIFICATE if of_unknown_ca else CERTIFICATE}")
        lines.append(f"smtpd_tls_key_file = {OWN_KEY if of_unknown_ca else KEY}")
        lines += _pin_offer(offer)
    return Scenario(
        id="peer",
        title="A server to which mail is sent",
        source="postfix-matrix",
        claim="",
        main_cf="\n".join(lines) + "\n",
        master_cf=_MASTER + (_SPAWNED.format(folder=folder) if hangs_up else ""),
        files={_SCRIPT: _HANGS_UP} if hangs_up else {},
        kinds={CERTIFICATE: _CERTIFICATES[server]} if server in _CERTIFICATES else {},
    )


def _pin_offer(offer: Offer) -> list[str]:
    if offer.lowest is None or offer.highest is None:
        return []
    inside = range(offer.lowest.rank, offer.highest.rank + 1)
    excluded = ", ".join(f"!{protocol}" for protocol in Protocol if protocol.rank not in inside)
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
    return f"3 1 1 {'0' * 64 if kind is Tlsa.WRONG else digest}"


def bogus_zones(addresses: Iterable[Address]) -> tuple[str, ...]:
    """The zones with invalid signatures: each has the TLSA records of one mail exchanger."""
    broken = (address for address in addresses if address.peer.tlsa is Tlsa.BROKEN)
    return tuple(dict.fromkeys(f"_tcp.{address.peer.mx_of(address.offer)}" for address in broken))


def make_zones(addresses: Iterable[Address], name_server: str) -> Mapping[str, str]:
    """The zones by name, as master files (RFC 1035, section 5); ``name_server`` is an address."""
    addresses = list(addresses)
    records: dict[str, dict[str, None]] = {zone: {} for zone in (*ZONES, *bogus_zones(addresses))}
    for address in addresses:
        domain, mx = address.peer.domain_of(address.offer), address.peer.mx_of(address.offer)
        records[_zone_of(domain)][f"{domain}. IN MX 10 {mx}."] = None
        records[_zone_of(mx)][f"{mx}. IN A {address.ip}"] = None
        if address.tlsa is not None:
            tlsa_zone = f"_tcp.{mx}"
            zone = tlsa_zone if tlsa_zone in records else _zone_of(mx)
            for port in (25, 465):
                records[zone][f"_{port}._tcp.{mx}. IN TLSA {address.tlsa}"] = None
        if domain == "example.com":
            # The name that smarthost recipes use.
            records["example.com"][f"relay.example.com. IN A {address.ip}"] = None
    return {zone: _format_zone(zone, lines, name_server) for zone, lines in records.items()}


def _zone_of(name: str) -> str:
    return next(zone for zone in ZONES if name == zone or name.endswith(f".{zone}"))


def _format_zone(zone: str, lines: Iterable[str], name_server: str) -> str:
    head = (
        f"$ORIGIN {zone}.",
        "$TTL 300",
        f"@ IN SOA ns.{zone}. hostmaster.{zone}. 1 3600 900 604800 300",
        f"@ IN NS ns.{zone}.",
        f"ns.{zone}. IN A {name_server}",
    )
    return "\n".join([*head, *lines]) + "\n"
