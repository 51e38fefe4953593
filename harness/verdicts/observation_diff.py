"""What differs between a cell and the same cell under another configuration. Pure."""

from __future__ import annotations

import re

from harness.observations.record import Observation

#: OpenSSL's names of groups that others call otherwise (RFC 8446, section 4.2.7; FIPS 186).
_ALIASES = {
    "p-256": "prime256v1",
    "secp256r1": "prime256v1",
    "p-384": "secp384r1",
    "p-521": "secp521r1",
}


def protocol_of(seen: Observation | None) -> str | None:
    """The protocol as the client saw it, else as Postfix logged it."""
    return _said(seen, "protocol")


def cipher_of(seen: Observation | None) -> str | None:
    """The cipher as the client saw it, else as Postfix logged it."""
    return _said(seen, "cipher")


def without_certificate(seen: Observation | None) -> bool:
    """Whether the negotiated suite has no certificate: whoever answers is taken for the server.

    Such are OpenSSL's ADH- and AECDH- (ciphers(1): aNULL), and the registry's "anon" (RFC 5246,
    appendix A.5; RFC 8422, section 6).
    """
    return bool(re.match(r"(?:EXP-)?(?:ADH|AECDH)-|.*[_-]anon[_-]", cipher_of(seen) or "", re.I))


def group_of(seen: Observation | None) -> str | None:
    """The key exchange group as either side says, by OpenSSL's name in small letters."""
    group = _said(seen, "group")
    return _ALIASES.get(group.lower(), group.lower()) if group else None


def bits_of(seen: Observation | None) -> int | None:
    """The cipher's strength in bits, as either side says."""
    views = (seen.client_saw, seen.server_saw) if seen else ()
    return next((view.bits for view in views if view and view.bits is not None), None)


def _said(seen: Observation | None, what: str) -> str | None:
    views = (seen.client_saw, seen.server_saw) if seen else ()
    return next((said for view in views if view and (said := getattr(view, what))), None)


def changes(seen: Observation, other: Observation) -> tuple[str, ...]:
    """What differs, by name; of what one side need not tell, only where both cells have it."""
    mine, theirs = _traits(seen), _traits(other)
    found = [name for name, value in mine.items() if value != theirs[name]]
    groups = {group_of(seen), group_of(other)}
    if len(groups) == 2 and None not in groups:
        found.append("group")
    for name, values in _seen_in_both(seen, other).items():
        if len(values) == 2 and None not in values:
            found.append(name)
    return tuple(found)


def _seen_in_both(seen: Observation, other: Observation) -> dict[str, set[object]]:
    certificates = {one.certificate.names if one.certificate else None for one in (seen, other)}
    return {"certificate": {*certificates}, "resumed": {seen.resumed, other.resumed}}


def _traits(seen: Observation) -> dict[str, object]:
    return {
        "outcome": seen.outcome,
        "reason": seen.reason,
        "protocol": protocol_of(seen),
        "cipher": cipher_of(seen),
        "agreement": seen.agree is not False,
        "trust": seen.trust,
    }
