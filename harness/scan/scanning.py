"""A whole scan: the suites of each version, then the details that depend on them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from harness.scan.connections import Connections
from harness.scan.dialogue import ScanTarget
from harness.scan.elimination import (
    VersionSuites,
    find_suites,
)
from harness.scan.result import (
    Accepted,
    ScanResult,
)
from harness.tls import Protocol


def scan_server(
    target: ScanTarget,
    protocols: Sequence[Protocol] = tuple(Protocol),
    *,
    ciphers_only: bool = False,
) -> ScanResult:
    """Scan a server; ``ciphers_only``: no groups, sizes of DH or certificates.

    Raises:
        InfrastructureError: no server answers, it has no STARTTLS, or is not an SMTP server.
    """
    began = time.monotonic()
    versions = [VersionSuites(protocol) for protocol in protocols]
    with Connections(target) as connections:
        # The newest first: it has the most suites, so it should not be started last.
        connections.run(find_suites(version) for version in reversed(versions))
        result = ScanResult(
            accepted=list_accepted(versions),
            order={v.protocol.value: v.order for v in versions if v.order and len(v.suites) > 1},
            not_measured={key: why for v in versions for key, why in v.not_measured.items()},
        )
        if not ciphers_only:
            result = _with_details(result, connections, versions)
        handshakes = connections.handshakes
    return replace(result, handshakes=handshakes, seconds=time.monotonic() - began)


def _with_details(
    result: ScanResult, connections: Connections, versions: Sequence[VersionSuites]
) -> ScanResult:
    # The library that reads certificates takes as long to load as half a scan.
    from harness.scan import details as parts
    from harness.scan.certificates import read_certificate

    details = parts.Details()
    connections.run([*parts.find_groups(details, versions), *parts.find_primes(details, versions)])
    connections.run(parts.find_certificates(details, versions))
    certificates = []
    for der, protocols in details.certificates.items():
        try:
            certificates.append(read_certificate(der, protocols))
        except ValueError as error:
            details.not_measured[f"a certificate of {protocols[0]}"] = f"it cannot be read: {error}"
    return replace(
        result,
        groups={protocol.value: tuple(names) for protocol, names in details.groups.items()},
        dh_bits={kind: tuple(sorted(bits)) for kind, bits in details.dh_bits.items()},
        certificates=tuple(
            sorted(certificates, key=lambda certificate: (certificate.key, certificate.sha256))
        ),
        not_measured=result.not_measured | details.not_measured,
    )


def list_accepted(versions: Sequence[VersionSuites]) -> tuple[Accepted, ...]:
    """The accepted suites by version; in the server's order where its preference counts."""
    return tuple(Accepted(v.protocol, suite) for v in versions for suite in v.in_order)
