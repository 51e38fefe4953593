"""What is wrong with expectations as a whole, known before anything runs. Pure.

A selector that matches nothing would never fail, and two expectations that contradict each other
could never both hold.
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
from harness.scenarios.scenario import (
    TOML,
    Scenario,
    ScenarioErrors,
)
from harness.scenarios.services import services_of
from harness.tls import STANDARD_OFFERS


@dataclass(frozen=True, slots=True)
class Known:
    """The names that selectors may mean: every build and client, those of a run included."""

    builds: tuple[str, ...]
    clients: tuple[str, ...]


def check_claims(scenarios: Iterable[Scenario], known: Known) -> None:
    """Refuse expectations that select nothing, or that contradict each other.

    Raises:
        ScenarioErrors: with all of them, each with file, line and key.
    """
    errors = [error for one in scenarios for error in _errors(one, known)]
    if errors:
        raise ScenarioErrors(errors)


def _errors(scenario: Scenario, known: Known) -> Iterator[FileError]:
    path = scenario.path or Path(scenario.name) / TOML
    expectations = scenario.claims.expectations
    for one in expectations:
        for key, what, expected in _selecting_nothing(scenario, one, known):
            yield FileError(FileLocation(path, one.line, f"expect.{key}"), what, expected=expected)
    for first, second in combinations(expectations, 2):
        if (spot := _contradiction(scenario, first, second, known)) is not None:
            wanted, other = " or ".join(second.outcome), " or ".join(first.outcome)
            what = f"expects {wanted} of {spot}, where line {first.line} expects {other}"
            place = FileLocation(path, second.line, "expect.outcome")
            yield FileError(place, what, expected="one outcome of one cell")


def _selecting_nothing(
    scenario: Scenario, expectation: Expectation, known: Known
) -> Iterator[tuple[str, str, str]]:
    services = [str(one) for one in scenario.claims.services or services_of(scenario)]
    offers = [str(one) for one in scenario.claims.offers or STANDARD_OFFERS]
    pools = {
        "builds": known.builds,
        "services": services,
        "clients": scenario.claims.clients or known.clients,
        "offers": offers,
    }
    for where in expectation.where:
        for key, pool in pools.items():
            for glob in getattr(where, key):
                # A policy is about whatever there is of what it names.
                if expectation.policy is None and not _any(glob, pool):
                    yield key, f"{glob!r} selects nothing", _listed(pool)
    for key in ("postfix", "openssl"):
        parts = [getattr(where, key) for where in (scenario.claims.applies, *expectation.where)]
        if (together := _all(parts)) is not None and together.impossible:
            yield key, f"no version is {together}, with what [applies] says", "versions there are"


def _listed(pool: Sequence[str]) -> str:
    shown = ", ".join(pool[:8])
    return f"of {shown}, ..." if len(pool) > 8 else f"of {shown}"


def _any(glob: str, pool: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for name in pool)


def _all(parts: Iterable[Constraint | None]) -> Constraint | None:
    found: Constraint | None = None
    for part in parts:
        if part is not None:
            found = part if found is None else found & part
    return found


def _contradiction(
    scenario: Scenario, first: Expectation, second: Expectation, known: Known
) -> str | None:
    """A place of which two expectations want outcomes that cannot both be; None without one."""
    if not first.outcome or not second.outcome or set(first.outcome) & set(second.outcome):
        return None
    wheres = (*first.where, *second.where)
    if not _some_build(wheres, known):
        return None
    claims = scenario.claims
    places = product(
        map(str, claims.services or services_of(scenario)),
        claims.clients or known.clients,
        map(str, claims.offers or STANDARD_OFFERS),
    )
    both = (p for p in places if first.fits_place(*p) and second.fits_place(*p))
    return next((" ".join(place) for place in both), None)


def _some_build(wheres: Sequence[Where], known: Known) -> bool:
    """Whether any build could be one that all of these select."""
    for key in ("postfix", "openssl"):
        together = _all(getattr(where, key) for where in wheres)
        if together is not None and together.impossible:
            return False
    return any(
        all(
            not where.builds or any(fnmatchcase(build, g) for g in where.builds) for where in wheres
        )
        for build in known.builds
    )
