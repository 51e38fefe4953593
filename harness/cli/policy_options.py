"""The policies that ``--policy`` names, for the commands that have it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.catalog.selectors import split_globs
from harness.errors import HarnessError, UsageError, suggest_names
from harness.run.choosing import choose_clients
from harness.scenarios.claims import Claims
from harness.scenarios.expectation_tables import ExpectationError
from harness.scenarios.expectations import Expectation, Where
from harness.scenarios.policies import Policy, read_policy


def parse_policy(text: str, known: dict[str, Policy]) -> tuple[Policy, tuple[Expectation, ...]]:
    """The policy that an option names, and what it expects.

    Raises:
        UsageError: there is no such policy, or it needs a list of clients.
    """
    name, equals, clients = text.partition("=")
    if name not in known:
        close = suggest_names(name, known)
        raise UsageError(
            f"--policy {text}: there is no policy {name!r}" + (f": {close}" if close else ""),
            next_step="'postfix-matrix list policies' shows each there is",
        )
    value: object = {name: _split_clients(text, clients)} if equals else name
    try:
        expectations = read_policy(value, Where(), known)
    except ExpectationError as slip:
        raise UsageError(
            f"--policy {text}: {slip.what}", next_step=f"name one {slip.expected}"
        ) from None
    return known[name], expectations


def _split_clients(text: str, clients: str) -> list[str]:
    """The globs for clients after ``=``, each of which matches a client.

    Raises:
        UsageError: there is none, or one that matches nothing.
    """
    try:
        globs = split_globs([clients]) if clients else []
        for glob in globs:
            choose_clients([glob])
    except HarnessError as error:
        raise UsageError(f"--policy {text}: {error.what}", next_step=error.next_step) from error
    return globs


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
