"""A server that cannot be reached: the likely cause is that of the failure."""

from __future__ import annotations

import socket

import pytest

from harness.errors import InfrastructureError
from harness.scan.connections import Connections
from harness.scan.dialogue import ScanTarget


def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(
    ("target", "cause", "next_step"),
    [
        (ScanTarget("no..name", 25), "DNS has no address for this name", "check the name"),
        (ScanTarget("127.0.0.1", closed_port()), "no server listens there", "the port"),
    ],
    ids=["name", "port"],
)
def test_the_cause_is_that_of_the_failure(target: ScanTarget, cause: str, next_step: str) -> None:
    """Protects a user with a misspelt name from looking for a fault of the server."""
    with pytest.raises(InfrastructureError) as caught, Connections(target):
        pass
    assert cause in str(caught.value.cause)
    assert next_step in str(caught.value.next_step)
