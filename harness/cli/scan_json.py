"""A map as JSON, version 1 (docs/schemas/scan.schema.json)."""

from __future__ import annotations

import json
from typing import Any

from harness.clients.scan.found import Accepted, Map
from harness.tls import Protocol

SCHEMA = 1


def render(server: str, found: Map) -> str:
    """The map of a server, named as the command line named it."""
    return json.dumps(document(server, found), indent=1)


def document(server: str, found: Map) -> dict[str, Any]:
    """The same, as JSON's own types."""
    return {
        "schema": SCHEMA,
        "server": server,
        "seconds": round(found.seconds, 3),
        "handshakes": found.handshakes,
        "accepted": [_suite(one) for one in found.accepted],
        "order": found.order,
        "weakest": {
            str(protocol): {name: sorted(suites) for name, suites in classes.items()}
            for protocol in Protocol
            if (classes := found.weakest(protocol))
        },
        "not_measured": found.not_measured,
    }


def _suite(one: Accepted) -> dict[str, Any]:
    parts = one.parts
    return {
        "protocol": str(one.protocol),
        "cipher": one.cipher,
        "iana": one.suite.iana,
        "code": f"{one.suite.code:0{6 if one.suite.ssl2 else 4}x}",
        "bits": one.bits,
        "key_exchange": parts.key_exchange,
        "authentication": parts.authentication,
        "encryption": parts.encryption,
        "mac": parts.mac,
        "export": parts.export,
    }
