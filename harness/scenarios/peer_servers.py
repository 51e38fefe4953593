"""What a peer's server is configured with, and the zones that lead to the peers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.catalog.peers import Peer, ServerKind, Tlsa
from harness.postfix_config.key_files import FileKind
from harness.scenarios.scenario import Scenario
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


#: What the certificate of a server is, where it is no usual one.
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
#: No setting makes smtpd(8) close the connection after STARTTLS, so spawn(8) runs this in its
#: place. In the clear it takes mail.
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
    """The configuration of a server that mail is sent to: takes all mail, pinned to the offer.

    ``folder`` is that of its instance, for a server that runs a script of its own.
    """
    hangs_up = server is ServerKind.HANGS_UP
    own = server is ServerKind.UNKNOWN_CA
    lines = [_ALL.rstrip(), *_LINES.get(server, ())]
    if server is not ServerKind.PLAINTEXT:
        lines.append(f"smtpd_tls_cert_file = {OWN_CERTIFICATE if own else CERTIFICATE}")
        lines.append(f"smtpd_tls_key_file = {OWN_KEY if own else KEY}")
        lines += _pinned(offer)
    return Scenario(
        id="peer",
        title="A server that mail is sent to",
        source="postfix-matrix",
        claim="",
        main_cf="\n".join(lines) + "\n",
        master_cf=_MASTER + (_SPAWNED.format(folder=folder) if hangs_up else ""),
        files={_SCRIPT: _HANGS_UP} if hangs_up else {},
        kinds={CERTIFICATE: _CERTIFICATES[server]} if server in _CERTIFICATES else {},
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
    return f"3 1 1 {'0' * 64 if kind is Tlsa.WRONG else digest}"


def bogus(addresses: Iterable[Address]) -> tuple[str, ...]:
    """The zones whose signatures are no good: each has the TLSA records of one mail exchanger."""
    broken = (one for one in addresses if one.peer.tlsa is Tlsa.BROKEN)
    return tuple(dict.fromkeys(f"_tcp.{one.peer.mx_of(one.offer)}" for one in broken))


def zones(addresses: Iterable[Address], name_server: str) -> Mapping[str, str]:
    """The zones by name, as master files (RFC 1035, section 5); ``name_server`` is an address."""
    addresses = list(addresses)
    records: dict[str, dict[str, None]] = {zone: {} for zone in (*ZONES, *bogus(addresses))}
    for one in addresses:
        domain, mx = one.peer.domain_of(one.offer), one.peer.mx_of(one.offer)
        records[_zone_of(domain)][f"{domain}. IN MX 10 {mx}."] = None
        records[_zone_of(mx)][f"{mx}. IN A {one.ip}"] = None
        if one.tlsa is not None:
            apart = f"_tcp.{mx}"
            zone = apart if apart in records else _zone_of(mx)
            for port in (25, 465):
                records[zone][f"_{port}._tcp.{mx}. IN TLSA {one.tlsa}"] = None
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
