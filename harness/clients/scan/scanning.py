"""A whole scan: the versions' suites first, then what takes them to ask for."""

from __future__ import annotations

import time
from collections.abc import Sequence

from harness.clients.scan.dialogue import Place
from harness.clients.scan.elimination import Version, eliminate
from harness.clients.scan.found import Accepted, Map
from harness.clients.scan.lanes import Lanes
from harness.tls import Protocol


def scan(place: Place, protocols: Sequence[Protocol] = tuple(Protocol)) -> Map:
    """Scan a server.

    Raises:
        InfrastructureError: nobody listens or answers, there is no STARTTLS, or no SMTP.
    """
    began = time.monotonic()
    versions = [Version(protocol) for protocol in protocols]
    with Lanes(place) as lanes:
        # The newest first: it has the most suites, and should not be what one waits for at the end.
        lanes.run(eliminate(version) for version in reversed(versions))
    return Map(
        accepted=accepted(versions),
        order={v.protocol.value: v.order for v in versions if v.order and len(v.suites) > 1},
        not_measured={key: why for v in versions for key, why in v.not_measured.items()},
        handshakes=lanes.handshakes,
        seconds=time.monotonic() - began,
    )


def accepted(versions: Sequence[Version]) -> tuple[Accepted, ...]:
    """What was found, by version; where the server's preference counts, in its order."""
    return tuple(Accepted(v.protocol, suite) for v in versions for suite in v.in_order)
