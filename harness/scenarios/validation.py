"""Errors in a scenario's expectations as a whole, found before anything runs.

An expectation whose selector matches nothing could never fail, and two that contradict each other
could never both be met.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations, product
from pathlib import Path

from harness.catalog.versions import Constraint
from harness.errors import FileError, FileLocation
from harness.scenarios.expectations import (
    Expectation,
    Where,
)
from harness.scenarios.scenario import Scenario, ScenarioErrors
from harness.scenarios.scenario_folders import TOML
from harness.scenarios.services import services_of
from harness.tls import STANDARD_OFFERS


@dataclass(frozen=True, slots=True)
class Known:
    """The names that selectors may match: every build and client, including those of the run."""

    builds: tuple[str, ...]
    clients: tuple[str, ...]


def check_claims(scenarios: Iterable[Scenario], known: Known) -> None:
    """Refuse expectations that select nothing, or that contradict each other.

    Raises:
        ScenarioErrors: with all of them, each with file, line and key.
    """
    errors = [error for scenario in scenarios for error in _find_errors(scenario, known)]
    if errors:
        raise ScenarioErrors(errors)


def _find_errors(scenario: Scenario, known: Known) -> Iterator[FileError]:
    path = scenario.path or Path(scenario.name) / TOML
    expectations = scenario.claims.expectations
    for expectation in expectations:
        for key, what, expected in _find_empty_selectors(scenario, expectation, known):
            yield FileError(
                FileLocation(path, expectation.line, f"expect.{key}"), what, expected=expected
            )
    for first, second in combinations(expectations, 2):
        if (spot := _find_contradiction(scenario, first, second, known)) is not None:
            here, other = " or ".join(second.outcome), " or ".join(first.outcome)
            what = f"expects {here} of {spot}, but line {first.line} expects {other}"
            place = FileLocation(path, second.line, "expect.outcome")
            yield FileError(place, what, expected="one outcome of one cell")


def _find_empty_selectors(
    scenario: Scenario, expectation: Expectation, known: Known
) -> Iterator[tuple[str, str, str]]:
    services = [str(service) for service in scenario.claims.services or services_of(scenario)]
    offers = [str(offer) for offer in scenario.claims.offers or STANDARD_OFFERS]
    pools = {
        "builds": known.builds,
        "services": services,
        "clients": scenario.claims.clients or known.clients,
        "offers": offers,
    }
    for where in expectation.where:
        for key, pool in pools.items():
            for glob in getattr(where, key):
                # A policy applies to as many of the named services and clients as there are.
                if expectation.policy is None and not _matches_any(glob, pool):
                    yield key, f"{glob!r} selects nothing", _list_names(pool)
    for key in ("postfix", "openssl"):
        parts = [getattr(where, key) for where in (scenario.claims.applies, *expectation.where)]
        if (combined := _combine_constraints(parts)) is not None and combined.impossible:
            what = f"no version is {combined}, combined with [applies]"
            yield key, what, "versions that exist"


def _list_names(pool: Sequence[str]) -> str:
    shown = ", ".join(pool[:8])
    return f"of {shown}, ..." if len(pool) > 8 else f"of {shown}"


def _matches_any(glob: str, pool: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for name in pool)


def _combine_constraints(parts: Iterable[Constraint | None]) -> Constraint | None:
    combined: Constraint | None = None
    for part in parts:
        if part is not None:
            combined = part if combined is None else combined & part
    return combined


def _find_contradiction(
    scenario: Scenario, first: Expectation, second: Expectation, known: Known
) -> str | None:
    """A place for which two expectations expect outcomes that exclude each other, or None."""
    if not first.outcome or not second.outcome or set(first.outcome) & set(second.outcome):
        return None
    wheres = (*first.where, *second.where)
    if not _selects_a_build(wheres, known):
        return None
    claims = scenario.claims
    places = product(
        map(str, claims.services or services_of(scenario)),
        claims.clients or known.clients,
        map(str, claims.offers or STANDARD_OFFERS),
    )
    both = (p for p in places if first.fits_place(*p) and second.fits_place(*p))
    return next((" ".join(place) for place in both), None)


def _selects_a_build(wheres: Sequence[Where], known: Known) -> bool:
    """Whether there may be a build that all of these select."""
    for key in ("postfix", "openssl"):
        combined = _combine_constraints(getattr(where, key) for where in wheres)
        if combined is not None and combined.impossible:
            return False
    return any(
        all(
            not where.builds or any(fnmatchcase(build, g) for g in where.builds) for where in wheres
        )
        for build in known.builds
    )
