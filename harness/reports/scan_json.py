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
    ScanResult,
)
from harness.tls import Protocol

SCHEMA = 1


def render_scan(server: str, result: ScanResult, replaced: StandIns | None = None) -> str:
    """The map of a server as JSON, with the name that the command line used, and its stand-ins."""
    return json.dumps(scan_data(server, result, replaced), indent=1)


def scan_data(server: str, result: ScanResult, replaced: StandIns | None = None) -> dict[str, Any]:
    """The same, as JSON's own types."""
    replaced = replaced or StandIns()
    marks = {protocol: result.weakest(protocol) for protocol in Protocol}
    return {
        "schema": SCHEMA,
        "server": server,
        "seconds": round(result.seconds, 3),
        "handshakes": result.handshakes,
        "accepted": [_suite_data(suite, marks[suite.protocol]) for suite in result.accepted],
        "order": result.order,
        "weakest": {name: list(parts) for name, parts in result.weakest_of_all().items()},
        "groups": {protocol: list(names) for protocol, names in result.groups.items()},
        "dh_bits": {kind: list(bits) for kind, bits in result.dh_bits.items()},
        "certificates": [_certificate_data(certificate) for certificate in result.certificates],
        "not_measured": result.not_measured,
        "replaced": [dict(replacement) for replacement in replaced.replaced],
        "base": list(replaced.base),
    }


def _suite_data(accepted: Accepted, weakest: Mapping[str, Collection[str]]) -> dict[str, Any]:
    parts = accepted.parts
    return {
        "protocol": str(accepted.protocol),
        "cipher": accepted.cipher,
        "iana": accepted.suite.iana,
        "code": f"{accepted.suite.code:0{6 if accepted.suite.ssl2 else 4}x}",
        "bits": accepted.bits,
        "key_exchange": parts.key_exchange,
        "authentication": parts.authentication or None,
        "encryption": parts.encryption,
        "mac": parts.mac,
        "export": parts.export,
        "weakest_in": [name for name, suites in weakest.items() if accepted.cipher in suites],
    }


def _certificate_data(certificate: Certificate) -> dict[str, Any]:
    protocols = [str(protocol) for protocol in certificate.seen]
    return {**asdict(certificate), "seen": protocols}
