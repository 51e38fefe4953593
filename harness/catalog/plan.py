"""Which cells a run measures; the same axes give the same cells in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.catalog.cells import Cell
from harness.catalog.peers import has_cells_of
from harness.errors import NothingSelectedError
from harness.tls import NEVER_PLAINTEXT, Offer, Service, in_table_order


@dataclass(frozen=True, slots=True)
class Scope:
    """The services, clients and offers of one scenario, where they are fewer than the run's.

    ``builds`` are its builds, where these are fewer than the run's; () are all.
    """

    services: tuple[Service, ...]
    clients: tuple[str, ...]
    offers: tuple[Offer, ...]
    builds: tuple[str, ...] = ()

    def axes(self) -> dict[str, list[str]]:
        """The scope as JSON values."""
        return {
            **({"builds": list(self.builds)} if self.builds else {}),
            "services": [str(service) for service in self.services],
            "clients": list(self.clients),
            "offers": [str(offer) for offer in self.offers],
        }

    @classmethod
    def from_axes(cls, axes: Mapping[str, Sequence[str]]) -> Scope:
        """Read :meth:`axes` back."""
        return cls(
            services=tuple(Service(name) for name in axes["services"]),
            clients=tuple(axes["clients"]),
            offers=tuple(Offer.parse(text) for text in axes["offers"]),
            builds=tuple(axes.get("builds", ())),
        )

    @classmethod
    def of_cells(cls, cells: Sequence[Cell]) -> Scope:
        """The smallest scope that has all of these cells."""
        return cls(
            services=in_table_order({cell.service for cell in cells}),
            clients=tuple(dict.fromkeys(cell.client for cell in cells)),
            offers=tuple(dict.fromkeys(cell.offer for cell in cells)),
            builds=tuple(dict.fromkeys(cell.build for cell in cells)),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The axes of a run; its cells are their product, with three exceptions.

    The offer of ``unpinned`` clients cannot be set: they only have cells of the offer ``default``.
    There are no plaintext cells on a service with implicit TLS. A scenario in ``scopes`` only has
    the cells of its scope, which is a subset of the axes.
    """

    builds: tuple[str, ...]
    scenarios: tuple[str, ...]
    services: tuple[Service, ...]
    clients: tuple[str, ...]
    offers: tuple[Offer, ...]
    unpinned: frozenset[str] = frozenset()
    scopes: Mapping[str, Scope] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for axis in ("builds", "scenarios", "services", "clients", "offers"):
            if not getattr(self, axis):
                raise NothingSelectedError(
                    f"no {axis} are selected, so there is no cell to measure",
                    next_step="'postfix-matrix list' shows what can be selected",
                )

        if not any(True for _ in self.cells()):
            raise NothingSelectedError(
                f"{' '.join(self.clients)}: the offer of the selected clients cannot be set",
                next_step="also select the offer default: the client as its user would run it",
            )

    def __len__(self) -> int:
        return sum(
            len(scope.builds or self.builds) * len(self._offers_of_client(client, service, scope))
            for scope in map(self.scope, self.scenarios)
            for service in scope.services
            for client in scope.clients
        )

    def scope(self, scenario: str) -> Scope:
        """The services, clients and offers with which a scenario of the plan is measured."""
        whole = Scope(self.services, self.clients, self.offers)
        return self.scopes.get(scenario, whole)

    def _offers_of_client(self, client: str, service: Service, scope: Scope) -> tuple[Offer, ...]:
        """The offers of a scope that a client makes to a service, in order.

        A service with implicit TLS has no plaintext offer. In mail that Postfix sends, peers take
        the place of clients, and extras only apply to clients.
        """
        return tuple(
            offer
            for offer in scope.offers
            if has_cells_of(client, service)
            and (offer.is_default or client not in self.unpinned)
            and not (offer.plaintext and service in NEVER_PLAINTEXT)
            and not (offer.extras and service is Service.OUTBOUND)
        )

    def cells_of(self, build: str) -> Iterator[Cell]:
        """One build's cells, scenario by scenario."""
        for scenario in self.scenarios:
            scope = self.scope(scenario)
            if scope.builds and build not in scope.builds:
                continue
            for service in scope.services:
                for client in scope.clients:
                    for offer in self._offers_of_client(client, service, scope):
                        yield Cell(build, scenario, service, client, offer)

    def cells(self) -> Iterator[Cell]:
        """All cells, build by build."""
        for build in self.builds:
            yield from self.cells_of(build)

    def axes(self) -> dict[str, Any]:
        """The axes as JSON values, as recorded in ``run.json``."""
        return {
            "builds": list(self.builds),
            "scenarios": list(self.scenarios),
            **Scope(self.services, self.clients, self.offers).axes(),
            "unpinned": [name for name in self.clients if name in self.unpinned],
            "scopes": {name: scope.axes() for name, scope in self.scopes.items()},
        }

    @classmethod
    def from_axes(cls, axes: Mapping[str, Any]) -> Plan:
        """Read :meth:`axes` back."""
        whole = Scope.from_axes(axes)
        return cls(
            builds=tuple(axes["builds"]),
            scenarios=tuple(axes["scenarios"]),
            services=whole.services,
            clients=whole.clients,
            offers=whole.offers,
            unpinned=frozenset(axes.get("unpinned", ())),
            scopes={name: Scope.from_axes(scope) for name, scope in axes.get("scopes", {}).items()},
        )


def plan_of_cells(cells: Iterable[Cell]) -> Plan:
    """The smallest plan that has all of these cells: each scenario with axes of its own."""
    cells = list(cells)
    whole = replace(Scope.of_cells(cells), builds=())
    builds = tuple(dict.fromkeys(cell.build for cell in cells))
    names = dict.fromkeys(cell.scenario for cell in cells)
    scopes = {
        name: Scope.of_cells([cell for cell in cells if cell.scenario == name]) for name in names
    }
    scopes = {
        name: replace(scope, builds=()) if set(scope.builds) == set(builds) else scope
        for name, scope in scopes.items()
    }
    return Plan(
        builds=builds,
        scenarios=tuple(names),
        services=whole.services,
        clients=whole.clients,
        offers=whole.offers,
        scopes={name: scope for name, scope in scopes.items() if scope != whole},
    )
