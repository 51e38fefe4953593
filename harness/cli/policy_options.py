"""The policies that ``--policy`` names, for the commands that have it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.errors import UsageError
from harness.scenarios.claims import Claims
from harness.scenarios.expectations import Expectation, ExpectationError, Where
from harness.scenarios.policies import Policy, read_policy


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


def claim_policies(
    claims: Claims, named: Iterable[tuple[Policy, tuple[Expectation, ...]]]
) -> Claims:
    """The claims with the offers that policies need, each once, and what the policies expect."""
    pairs = list(named)
    return replace(
        claims,
        offers=tuple(dict.fromkeys(offer for policy, _ in pairs for offer in policy.offers)),
        expectations=tuple(expectation for _, expected in pairs for expectation in expected),
    )
