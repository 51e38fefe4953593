"""The policies that ``--policy`` names, for the commands that have it."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import UsageError
from harness.scenarios.expectations import Expectation, ExpectationError, Where
from harness.scenarios.policies import Policy, read_policy
from harness.tls import Offer


def parse_policy(text: str, known: dict[str, Policy]) -> tuple[Policy, tuple[Expectation, ...]]:
    """The policy that an option names, and what it expects.

    Raises:
        UsageError: there is no such policy, or it needs a list of clients.
    """
    name, equals, clients = text.partition("=")
    value: object = {name: clients.split(",")} if equals else name
    try:
        expectations = read_policy(value, Where(), known)
    except ExpectationError as slip:
        raise UsageError(
            f"--policy {text}: {slip.what}", next_step=f"name one {slip.expected}"
        ) from None
    return known[name], expectations


def collect_offers(policies: Iterable[Policy]) -> tuple[Offer, ...]:
    """The offers that policies need, each once."""
    return tuple(dict.fromkeys(offer for policy in policies for offer in policy.offers))
