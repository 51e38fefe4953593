"""Which cells a run measures. Pure: the same axes give the same cells in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.catalog.cells import Cell
from harness.errors import NothingSelectedError
from harness.tls import Offer, Service


@dataclass(frozen=True, slots=True)
class Plan:
    """The axes of a run; its cells are their product."""

    builds: tuple[str, ...]
    scenarios: tuple[str, ...]
    services: tuple[Service, ...]
    clients: tuple[str, ...]
    offers: tuple[Offer, ...]

    def __post_init__(self) -> None:
        for axis in ("builds", "scenarios", "services", "clients", "offers"):
            if not getattr(self, axis):
                raise NothingSelectedError(
                    f"no {axis} are selected, so there is no cell to measure",
                    next_step="'postfix-matrix list' shows what there is",
                )

    def __len__(self) -> int:
        axes = (self.builds, self.scenarios, self.services, self.clients, self.offers)
        count = 1
        for axis in axes:
            count *= len(axis)
        return count

    def cells_of(self, build: str) -> Iterator[Cell]:
        """One build's cells, scenario by scenario."""
        for scenario in self.scenarios:
            for service in self.services:
                for client in self.clients:
                    for offer in self.offers:
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
        )
