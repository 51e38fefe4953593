"""Cells, and their ids ``build/scenario/service/client/offer``, which are stable and readable."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import UsageError
from harness.tls import NAMED_SERVICES, Offer, Service

#: The "build" of control cells starts with this; the id of a real build must not.
CONTROL_PREFIX = "control-"


#: The names of clients that send a recorded first flight and complete no handshake begin with this.
SIMULATED_PREFIX = "hello-"


def is_simulated(client: str) -> bool:
    """Whether a client only sends a recorded hello: its cells show what a server would choose."""
    return client.startswith(SIMULATED_PREFIX)


def is_control(build: str) -> bool:
    """Whether a cell's "build" is a control instead of a build under test."""
    return build.startswith(CONTROL_PREFIX)


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement: a client with an offer against a service of a scenario on a build."""

    build: str
    scenario: str
    service: Service
    client: str
    offer: Offer

    @property
    def id(self) -> str:
        """``debian-12/answer-2-smtp-line/submission/openssl-1.0.2h/TLSv1``."""
        return f"{self.build}/{self.scenario}/{self.service}/{self.client}/{self.offer}"

    @property
    def is_control(self) -> bool:
        """Whether it measures a control instead of a build under test."""
        return is_control(self.build)

    @classmethod
    def parse(cls, text: str) -> Cell:
        """Read an id.

        Raises:
            UsageError: not five parts, or an unknown service or offer.
        """
        parts = text.split("/")
        if len(parts) != 5:
            raise UsageError(
                f"{text!r} is not a cell's id",
                next_step="a cell is build/scenario/service/client/offer; "
                "'postfix-matrix show' without an id lists some",
            )
        build, scenario, service, client, offer = parts
        try:
            return cls(build, scenario, Service(service), client, Offer.parse(offer))
        except ValueError:
            raise UsageError(
                f"unknown service {service!r} in {text!r}",
                next_step=f"use one of {' '.join(NAMED_SERVICES)}, or a port",
            ) from None
