"""What differs between a cell and the same cell under another configuration."""

from __future__ import annotations

import re

from harness.observations.groups import canonical_group
from harness.observations.record import Observation, Outcome
from harness.tls import Protocol

#: Outcomes of cells in which nothing was observed: such a cell differs from no other, and is never
#: the same as another. This is the one place that says so; all reports and verdicts ask it.
UNOBSERVED = frozenset({Outcome.ERROR, Outcome.TIMEOUT})
#: Outcomes that show nothing about the server: those, and a client that cannot make its offer.
INCONCLUSIVE = UNOBSERVED | {Outcome.CLIENT_INCAPABLE}
#: Suites whose key exchange is ephemeral, by OpenSSL's names and the registry's. TLSv1.3's suites
#: (RFC 8446, appendix B.4) name no key exchange, which always is.
_EPHEMERAL = re.compile(
    r"(?:EXP(?:1024)?-)?(?:ECDHE|DHE|EDH|AECDH|ADH)-"
    r"|TLS_(?:ECDHE_|DHE_|ECDH_anon_|DH_anon_|(?!\w*_WITH_))"
)


def why_unobserved(observation: Observation) -> str:
    """Why nothing was observed in a cell, so that it cannot be compared; "" where it can."""
    if observation.outcome not in UNOBSERVED:
        return ""
    if observation.outcome is Outcome.TIMEOUT:
        return "no answer in the cell's time"
    return f"the harness failed there ({observation.reason or 'no reason was recorded'})"


def protocol_of(observation: Observation | None) -> str | None:
    """The protocol as the client saw it, else as Postfix logged it."""
    return _first_reported(observation, "protocol")


def cipher_of(observation: Observation | None) -> str | None:
    """The cipher as the client saw it, else as Postfix logged it."""
    return _first_reported(observation, "cipher")


def without_certificate(observation: Observation | None) -> bool:
    """Whether the negotiated suite has no certificate: any server that answers is trusted.

    These are OpenSSL's ADH- and AECDH- (ciphers(1): aNULL), and the registry's "anon" (RFC 5246,
    appendix A.5; RFC 8422, section 6).
    """
    cipher = cipher_of(observation) or ""
    return bool(re.match(r"(?:EXP-)?(?:ADH|AECDH)-|.*[_-]anon[_-]", cipher, re.I))


def has_forward_secrecy(protocol: str | None, cipher: str | None) -> bool | None:
    """Whether the session keys are ephemeral (RFC 9325, section 6.3); None: that is not known."""
    if protocol == Protocol.TLSv1_3:
        return True
    return None if cipher is None else _EPHEMERAL.match(cipher) is not None


def group_of(observation: Observation | None) -> str | None:
    """The key exchange group as either side reports it, by OpenSSL's name in lower case."""
    group = _first_reported(observation, "group")
    return canonical_group(group) if group else None


def bits_of(observation: Observation | None) -> int | None:
    """The cipher's strength in bits, as either side reports it."""
    views = (observation.client_saw, observation.server_saw) if observation else ()
    return next((view.bits for view in views if view and view.bits is not None), None)


def _first_reported(observation: Observation | None, field: str) -> str | None:
    views = (observation.client_saw, observation.server_saw) if observation else ()
    return next((value for view in views if view and (value := getattr(view, field))), None)


def changed_fields(observation: Observation, other: Observation) -> tuple[str, ...]:
    """The names of what differs; optional values only where both cells have them.

    Of two cells of which one is :data:`UNOBSERVED` nothing differs; they are not the same either.
    """
    if observation.outcome in UNOBSERVED or other.outcome in UNOBSERVED:
        return ()
    values, other_values = _compared_values(observation), _compared_values(other)
    differing = [name for name, value in values.items() if value != other_values[name]]
    for name, pair in _optional_values(observation, other).items():
        if len(pair) == 2 and None not in pair:
            differing.append(name)
    return tuple(differing)


def _optional_values(observation: Observation, other: Observation) -> dict[str, set[object]]:
    """What a side need not report, in both cells."""
    pair = (observation, other)
    return {
        "group": {group_of(cell) for cell in pair},
        "certificate": {cell.certificate.names if cell.certificate else None for cell in pair},
        "resumed": {cell.resumed for cell in pair},
    }


def _compared_values(observation: Observation) -> dict[str, object]:
    return {
        "outcome": observation.outcome,
        "reason": observation.reason,
        "protocol": protocol_of(observation),
        "cipher": cipher_of(observation),
        "agreement": observation.agree is not False,
        "trust": observation.trust,
    }
