"""The ports of a container, which its instances take and give back."""

from __future__ import annotations

import threading

from harness.errors import InfrastructureError
from harness.tls import INBOUND, Service

FIRST_PORT = 20010
#: Below the ports that Linux uses for outgoing connections (ip_local_port_range).
LAST_PORT = 32767


class PortPool:
    """Blocks of consecutive ports, the lowest free block first. Safe for threads."""

    def __init__(self) -> None:
        self._blocks: dict[str, range] = {}
        self._lock = threading.Lock()

    def take(self, owner: str, count: int) -> dict[Service, int]:
        """The ports of the registered services; the rest of the block is the owner's as well.

        Args:
            owner: the instance that gives the block back; an owner has one block.
            count: how many consecutive ports, including those of the registered services.

        Raises:
            InfrastructureError: no such block is free.
        """
        with self._lock:
            first = FIRST_PORT
            for block in sorted(self._blocks.values(), key=lambda taken: taken.start):
                if block.start - first >= count:
                    break
                first = block.stop
            if first + count > LAST_PORT:
                raise InfrastructureError(
                    "a container has no ports left for one more instance",
                    next_step="measure fewer scenarios in one run",
                )
            self._blocks[owner] = range(first, first + count)
        return {service: first + number for number, service in enumerate(INBOUND)}

    def give_back(self, owner: str) -> None:
        """Free an owner's ports."""
        with self._lock:
            self._blocks.pop(owner, None)
