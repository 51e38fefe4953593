"""Names of services, offers, servers, clients and verdicts as readers see them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from harness.catalog.clients import all_clients
from harness.catalog.peers import all_peers
from harness.errors import UsageError
from harness.observations.run_json import ImageInfo
from harness.reports.labels import SIGNS
from harness.reports.versions import openssl_version, postfix_version
from harness.tls import DEFAULT, INBOUND, PLAINTEXT, Offer, Protocol, Service
from harness.verdicts.verdict import Verdict

_LONGEST_TITLE = 66
#: Glyph, title and meaning of each verdict.
VERDICT_SIGNS: Mapping[Verdict, tuple[str, str, str]] = {
    Verdict.CONFIRMED: ("✓", "confirmed", "It does what it promises."),
    Verdict.REFUTED: ("✗", "refuted", "It does not do what it promises."),
    Verdict.DEPENDS: ("±", "depends", "Servers have different verdicts: versions decide."),
    Verdict.NO_EFFECT: ("○", "no effect", "No cell changes."),
    Verdict.HARMFUL: ("▼", "harmful", "Something becomes worse than without it."),
    Verdict.NOT_APPLICABLE: ("–", "not applicable", "It is for other versions than this one."),
    Verdict.UNMEASURED: ("?", "unmeasured", "It could not be measured."),
}


def outcome_titles() -> dict[str, dict[str, str]]:
    """The signs of outcomes as JSON."""
    return {
        name: {"glyph": sign.glyph, "title": sign.title, "meaning": sign.meaning}
        for name, sign in SIGNS.items()
    }


def verdict_titles() -> dict[str, dict[str, str]]:
    """The signs of verdicts as JSON."""
    return {
        verdict.value: {"glyph": glyph, "title": title, "meaning": meaning}
        for verdict, (glyph, title, meaning) in VERDICT_SIGNS.items()
    }


def page_title(text: str) -> str:
    """A page's title: a search engine shows about sixty characters of it."""
    return text if len(text) <= _LONGEST_TITLE else f"{text[:_LONGEST_TITLE].rpartition(' ')[0]} …"


def port_title(service: str) -> str:
    """``port 587 (submission)``; for a service without a registered port its name."""
    if service == Service.OUTBOUND:
        return "mail that Postfix sends"
    if service in INBOUND:
        known = Service(service)
        kind = "TLS from the start" if known.implicit_tls else "STARTTLS"
        return f"port {known.port} ({service}, {kind})"
    return f"service {service}"


def short_port(service: str) -> str:
    """``:587``, for a narrow column."""
    return f":{Service(service).port} {service}" if service in INBOUND else service


def offer_title(offer: str) -> str:
    """An offer in words: ``TLSv1.2 alone, with these ciphers: RC4-SHA, RC4-MD5``."""
    if offer == DEFAULT:
        return "what it offers by default"
    if offer == PLAINTEXT:
        return "no TLS (plaintext)"
    try:
        read = Offer.parse(offer)
    except UsageError:
        return offer
    parts = []
    if read.lowest is None:
        parts.append("its default")
    elif read.lowest is read.highest:
        parts.append(f"{read.lowest} alone")
    else:
        parts.append(f"{read.lowest} to {read.highest}")
    if read.ciphers:
        parts.append(f"with the ciphers {', '.join(read.ciphers)}")
    if read.groups:
        parts.append(f"with the groups {', '.join(read.groups)}")
    if read.extras:
        parts.append(str(read.extras).lstrip("+").replace("+", ", "))
    return ", ".join(parts)


def build_title(name: str, image: ImageInfo | None) -> str:
    """``debian-12 (Postfix 3.7.11 with OpenSSL 3.0.22)``."""
    versions = build_versions_text(image)
    return f"{name} ({versions})" if versions else name


def build_versions_text(image: ImageInfo | None) -> str:
    """``Postfix 3.7.11 with OpenSSL 3.0.22``; "" where nothing is known."""
    if image is None:
        return ""
    postfix, openssl = postfix_version(image).number, openssl_version(image).number
    if not postfix:
        return ""
    return f"Postfix {postfix} with OpenSSL {openssl}" if openssl else f"Postfix {postfix}"


def client_about(name: str, image: ImageInfo | None) -> str:
    """What a client is, in a sentence; of one outside the catalog, what it says of itself."""
    if name in _catalog_texts():
        return _catalog_texts()[name]
    described = described_by(image)
    if described.get("simulated"):
        return f"{described.get('tls_version') or 'a recorded hello'}, simulated"
    parts = [str(described.get(key) or "") for key in ("client", "version", "tls_version")]
    return " ".join(part for part in parts if part)


@cache
def _catalog_texts() -> Mapping[str, str]:
    clients = {client.name: client.about for client in all_clients()}
    return clients | {peer.name: peer.about for peer in all_peers()}


def client_versions(image: ImageInfo | None) -> tuple[str, ...]:
    """The TLS versions that a client can be told to offer alone, oldest first."""
    offers = described_by(image).get("offers") or ()
    return tuple(protocol.value for protocol in Protocol if protocol.value in offers)


def described_by(image: ImageInfo | None) -> Mapping[str, Any]:
    """A client's description of itself; {} where there is none."""
    return image.describe if image is not None and image.describe else {}


def sends_mail(image: ImageInfo | None) -> bool:
    """Whether a client sends mail, not only shakes hands; unknown counts as yes."""
    return described_by(image).get("sends_mail") is not False
