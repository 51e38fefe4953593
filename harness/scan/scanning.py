"""A whole scan: the versions' suites first, then what takes them to ask for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from harness.scan.connections import Lanes
from harness.scan.dialogue import ScanTarget
from harness.scan.elimination import (
    VersionSuites,
    eliminate,
)
from harness.scan.result import (
    Accepted,
    Map,
)
from harness.tls import Protocol


def scan(
    place: ScanTarget,
    protocols: Sequence[Protocol] = tuple(Protocol),
    *,
    ciphers_only: bool = False,
) -> Map:
    """Scan a server; ``ciphers_only``: no groups, sizes of DH or certificates.

    Raises:
        InfrastructureError: nobody listens or answers, there is no STARTTLS, or no SMTP.
    """
    began = time.monotonic()
    versions = [VersionSuites(protocol) for protocol in protocols]
    with Lanes(place) as lanes:
        # The newest first: it has the most suites, and should not be what one waits for at the end.
        lanes.run(eliminate(version) for version in reversed(versions))
        found = Map(
            accepted=accepted(versions),
            order={v.protocol.value: v.order for v in versions if v.order and len(v.suites) > 1},
            not_measured={key: why for v in versions for key, why in v.not_measured.items()},
        )
        if not ciphers_only:
            found = _with_details(found, lanes, versions)
        handshakes = lanes.handshakes
    return replace(found, handshakes=handshakes, seconds=time.monotonic() - began)


def _with_details(found: Map, lanes: Lanes, versions: Sequence[VersionSuites]) -> Map:
    # What reads certificates takes as long to load as half a scan.
    from harness.scan import details as parts
    from harness.scan.certificates import read

    details = parts.Details()
    lanes.run([*parts.groups(details, versions), *parts.primes(details, versions)])
    lanes.run(parts.certificates(details, versions))
    certificates = []
    for der, seen in details.certificates.items():
        try:
            certificates.append(read(der, seen))
        except ValueError as error:
            details.not_measured[f"a certificate of {seen[0]}"] = f"it cannot be read: {error}"
    return replace(
        found,
        groups={protocol.value: tuple(names) for protocol, names in details.groups.items()},
        dh_bits={kind: tuple(sorted(bits)) for kind, bits in details.dh_bits.items()},
        certificates=tuple(sorted(certificates, key=lambda one: (one.key, one.sha256))),
        not_measured=found.not_measured | details.not_measured,
    )


def accepted(versions: Sequence[VersionSuites]) -> tuple[Accepted, ...]:
    """What was found, by version; where the server's preference counts, in its order."""
    return tuple(Accepted(v.protocol, suite) for v in versions for suite in v.in_order)
