"""Which cells a run measures. Pure: the same axes give the same cells in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.catalog.cells import Cell
from harness.errors import NothingSelectedError
from harness.tls import Offer, Service


@dataclass(frozen=True, slots=True)
class Plan:
    """The axes of a run; its cells are their product, but for what a client cannot be told.

    Clients of ``unpinned`` cannot be told what to offer: they have cells of the offer ``default``
    only.
    """

    builds: tuple[str, ...]
    scenarios: tuple[str, ...]
    services: tuple[Service, ...]
    clients: tuple[str, ...]
    offers: tuple[Offer, ...]
    unpinned: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for axis in ("builds", "scenarios", "services", "clients", "offers"):
            if not getattr(self, axis):
                raise NothingSelectedError(
                    f"no {axis} are selected, so there is no cell to measure",
                    next_step="'postfix-matrix list' shows what there is",
                )

        if not any(True for _ in self.cells()):
            raise NothingSelectedError(
                f"{' '.join(self.clients)}: no client that is selected can be told what to offer",
                next_step="select the offer default too: the client as its user would run it",
            )

    def __len__(self) -> int:
        places = len(self.builds) * len(self.scenarios) * len(self.services)
        return places * sum(len(self.offers_to(client)) for client in self.clients)

    def offers_to(self, client: str) -> tuple[Offer, ...]:
        """The offers that a client is told to make, in order."""
        if client in self.unpinned:
            return tuple(offer for offer in self.offers if offer.is_default)
        return self.offers

    def cells_of(self, build: str) -> Iterator[Cell]:
        """One build's cells, scenario by scenario."""
        for scenario in self.scenarios:
            for service in self.services:
                for client in self.clients:
                    for offer in self.offers_to(client):
                        yield Cell(build, scenario, service, client, offer)

    def cells(self) -> Iterator[Cell]:
        """All cells, build by build."""
        for build in self.builds:
            yield from self.cells_of(build)

    def axes(self) -> dict[str, list[str]]:
        """The axes in JSON's terms, as ``run.json`` has them."""
        return {
            "builds": list(self.builds),
            "scenarios": list(self.scenarios),
            "services": [str(service) for service in self.services],
            "clients": list(self.clients),
            "offers": [str(offer) for offer in self.offers],
            "unpinned": [name for name in self.clients if name in self.unpinned],
        }

    @classmethod
    def from_axes(cls, axes: Mapping[str, Sequence[str]]) -> Plan:
        """Read :meth:`axes` back."""
        return cls(
            builds=tuple(axes["builds"]),
            scenarios=tuple(axes["scenarios"]),
            services=tuple(Service(name) for name in axes["services"]),
            clients=tuple(axes["clients"]),
            offers=tuple(Offer.parse(text) for text in axes["offers"]),
            unpinned=frozenset(axes.get("unpinned", ())),
        )
