"""A map as JSON, version 1 (docs/schemas/scan.schema.json)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from harness.reports.stand_ins import StandIns
from harness.scan.result import (
    Accepted,
    Certificate,
    Map,
)
from harness.tls import Protocol

SCHEMA = 1


def render(server: str, found: Map, replaced: StandIns | None = None) -> str:
    """The map of a server, named as the command line named it; of a build with its stand-ins."""
    return json.dumps(document(server, found, replaced), indent=1)


def document(server: str, found: Map, replaced: StandIns | None = None) -> dict[str, Any]:
    """The same, as JSON's own types."""
    replaced = replaced or StandIns()
    marks = {protocol: found.weakest(protocol) for protocol in Protocol}
    return {
        "schema": SCHEMA,
        "server": server,
        "seconds": round(found.seconds, 3),
        "handshakes": found.handshakes,
        "accepted": [_suite(one, marks[one.protocol]) for one in found.accepted],
        "order": found.order,
        "weakest": {name: list(parts) for name, parts in found.weakest_of_all().items()},
        "groups": {protocol: list(names) for protocol, names in found.groups.items()},
        "dh_bits": {kind: list(bits) for kind, bits in found.dh_bits.items()},
        "certificates": [_certificate(one) for one in found.certificates],
        "not_measured": found.not_measured,
        "replaced": [dict(one) for one in replaced.replaced],
        "base": list(replaced.base),
    }


def _suite(one: Accepted, weakest: Mapping[str, Collection[str]]) -> dict[str, Any]:
    parts = one.parts
    return {
        "protocol": str(one.protocol),
        "cipher": one.cipher,
        "iana": one.suite.iana,
        "code": f"{one.suite.code:0{6 if one.suite.ssl2 else 4}x}",
        "bits": one.bits,
        "key_exchange": parts.key_exchange,
        "authentication": parts.authentication or None,
        "encryption": parts.encryption,
        "mac": parts.mac,
        "export": parts.export,
        "weakest_in": [name for name, suites in weakest.items() if one.cipher in suites],
    }


def _certificate(one: Certificate) -> dict[str, Any]:
    return {**asdict(one), "seen": [str(protocol) for protocol in one.seen]}
