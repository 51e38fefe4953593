"""The plan of a selection: which scenarios are measured with which cells."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.catalog.builds import known_builds
from harness.catalog.clients import Client, recorded_clients
from harness.catalog.plan import Plan, Scope
from harness.catalog.selectors import select_names, split_globs
from harness.errors import NothingSelectedError
from harness.run.choosing import (
    Pool,
    Selection,
    choose_clients,
    choose_offers,
    choose_scenarios,
    measurable_clients,
)
from harness.scenarios.scenario import Scenario
from harness.scenarios.services import services_of
from harness.scenarios.validation import (
    Known,
    check_claims,
)
from harness.tls import NAMED_SERVICES, STANDARD_OFFERS, Service, in_table_order, read_service


def make_plan(
    selection: Selection,
    scenarios: dict[str, Scenario],
    builds: Iterable[str],
    user_clients: Sequence[Client] = (),
    *,
    keeps_defaults: bool = False,
) -> Plan:
    """The cells that a selection has, with the builds that were chosen before.

    A scenario that says what it is about is measured with that: with its services among those that
    are selected, and with its clients and offers unless the selection names others. The scenario
    that it is compared with comes with it, and has the cells of all that are compared with it.
    ``user_clients`` are clients beside the catalog's. Where no client is named, they are measured
    alone, and with ``keeps_defaults`` beside the catalog's default clients.

    Raises:
        UsageError: a pattern that matches nothing.
        NothingSelectedError: no cell is left.
    """
    pool = measurable_clients(user_clients)
    chosen = choose_scenarios(selection.scenarios, scenarios)
    selection = _with_service_names(selection, [scenarios[name] for name in chosen])
    scopes = {
        name: scope
        for name in chosen
        if (scope := _find_scope(scenarios[name], selection, pool, keeps_defaults)) is not None
    }
    if not scopes:
        raise _no_such_service([scenarios[name] for name in chosen], selection.services)
    added = dict.fromkeys(
        against
        for name in scopes
        if scenarios[name].claims.expectations
        and (against := scenarios[name].claims.against) in scenarios
        and against not in scopes
    )
    builds = tuple(builds)
    _check_expectations(scenarios, scopes, builds, pool)
    whole = _unite_scopes(scopes.values(), pool)
    scopes = {**dict.fromkeys(added, whole), **scopes}
    for name in scopes:
        if any(scenarios[other].claims.against == name and other != name for other in scopes):
            union = _unite_scopes(
                [scopes[name], *_scopes_compared_with(name, scopes, scenarios)], pool
            )
            scopes[name] = _without_absent_services(union, scenarios[name])
    scopes = {name: scope for name, scope in scopes.items() if scope.services}
    return Plan(
        builds=tuple(builds),
        scenarios=tuple(scopes),
        services=whole.services,
        clients=whole.clients,
        offers=whole.offers,
        unpinned=frozenset(
            candidate.name for candidate in (*pool, *recorded_clients()) if not candidate.pins
        ),
        scopes={name: scope for name, scope in scopes.items() if scope != whole},
    )


def check_selection(selection: Selection) -> None:
    """Refuse globs for clients, offers and services that match nothing, whatever is measured.

    A service that only a candidate's own master.cf can have is taken as it is.

    Raises:
        UsageError: a glob matches nothing.
        NothingSelectedError: no client is left.
    """
    choose_clients(selection.clients)
    choose_offers(selection.offers)
    for pattern in split_globs(selection.services):
        word = pattern.removeprefix("!")
        if not any(mark in word for mark in "*?["):
            known = _known_service(word) or pattern
            select_names("service", list(NAMED_SERVICES), [known])


def _known_service(name: str) -> str:
    """A service's name as tables have it, and ``smtp`` for what has a port of its own."""
    try:
        service = read_service(name)
    except ValueError:
        return name
    return str(service) if service in NAMED_SERVICES else str(NAMED_SERVICES[0])


def _no_such_service(chosen: Sequence[Scenario], selected: Sequence[str]) -> NothingSelectedError:
    """The error where services were selected that no scenario has, or is about."""
    named = " or ".join(selected)
    if len(chosen) == 1 and chosen[0].whole and not chosen[0].claims.services:
        return NothingSelectedError(
            f"your master.cf has no {named} entry",
            cause=f"its services are {', '.join(services_of(chosen[0])) or 'none that takes mail'}",
            next_step="select one of these, or leave out -S",
        )
    return NothingSelectedError(
        f"no cell is left: {' '.join(scenario.id for scenario in chosen)} are not about {named}",
        next_step="leave out -S, or select a service that the advice is about",
    )


def _check_expectations(
    scenarios: Mapping[str, Scenario],
    chosen: Iterable[str],
    builds: tuple[str, ...],
    pool: Pool,
) -> None:
    """Refuse what the chosen scenarios expect where it could not be judged."""
    known = Known(
        builds=(*builds, *(build.id for build in known_builds())),
        clients=tuple(candidate.name for candidate in pool),
    )
    check_claims([scenarios[name] for name in chosen], known)


def _with_service_names(selection: Selection, scenarios: Sequence[Scenario]) -> Selection:
    """The selection with the names of the services that its patterns match, of these scenarios.

    Raises:
        UsageError: a pattern matches no service that there is.
    """
    if not selection.services:
        return selection
    services = (
        service
        for scenario in scenarios
        for service in (*scenario.claims.services, *services_of(scenario))
    )
    patterns = [_normalize_pattern(pattern) for pattern in split_globs(selection.services)]
    known = list(in_table_order((*NAMED_SERVICES, *services)))
    return replace(selection, services=select_names("service", known, patterns))


def _normalize_pattern(pattern: str) -> str:
    """A pattern for services, with a registered service's port or older name as its name.

    The brackets of an address (``[::1]:10025``) are no set of characters.
    """
    sign = "!" if pattern.startswith("!") else ""
    try:
        return sign + glob.escape(Service(pattern.removeprefix("!")))
    except ValueError:
        return pattern


def _scopes_compared_with(
    control: str, scopes: Mapping[str, Scope], scenarios: Mapping[str, Scenario]
) -> list[Scope]:
    """The scopes of the scenarios that are compared with one."""
    return [
        scope
        for name, scope in scopes.items()
        if name != control and scenarios[name].claims.against == control
    ]


def _find_scope(
    scenario: Scenario, selection: Selection, pool: Pool, keeps_defaults: bool
) -> Scope | None:
    """What a scenario is measured with; None where it is about none of the services selected."""
    claims = scenario.claims
    about = claims.services or services_of(scenario)
    services = tuple(about)
    if selection.services:
        services = tuple(service for service in about if service in selection.services)
    if not services:
        return None
    clients = () if selection.clients else claims.clients
    offers = () if selection.offers else claims.offers
    return Scope(
        services=in_table_order(services),
        clients=choose_clients(
            clients or selection.clients, services, pool, keeps_defaults=keeps_defaults
        ),
        offers=offers or choose_offers(selection.offers),
    )


def _without_absent_services(scope: Scope, scenario: Scenario) -> Scope:
    """A scope without the services that others have and the scenario has not."""
    services = (*NAMED_SERVICES, *services_of(scenario))
    return replace(
        scope, services=tuple(service for service in scope.services if service in services)
    )


def _unite_scopes(scopes: Iterable[Scope], pool: Pool) -> Scope:
    """A scope that has all that some have, each axis in its own order."""
    scopes = list(scopes)
    clients = dict.fromkeys(name for scope in scopes for name in scope.clients)
    listed = [candidate.name for candidate in pool if candidate.name in clients]
    offers = dict.fromkeys(offer for scope in scopes for offer in scope.offers)
    standard = [offer for offer in STANDARD_OFFERS if offer in offers]
    return Scope(
        services=in_table_order(service for scope in scopes for service in scope.services),
        clients=(*listed, *(name for name in clients if name not in listed)),
        offers=(*standard, *(offer for offer in offers if offer not in standard)),
    )
