"""How long the parts of a plan take, measured once; only the proportions matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from harness.catalog.plan import Plan
from harness.catalog.releases import load_data

#: What the cells of each scenario on each build take, in milliseconds: by build, then by scenario,
#: in the plan's order. Only pairs with cells are there.
PartCosts = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Costs:
    """Milliseconds: to make a build ready, to start an instance, and of one cell by its client.

    ``cell`` is for clients that ``clients`` does not have.
    """

    build: int
    instance: int
    cell: int
    clients: Mapping[str, int] = field(default_factory=dict)

    def weigh_parts(self, plan: Plan) -> PartCosts:
        """What each scenario on each build takes; the first one also makes the build ready."""
        parts: PartCosts = {}
        for build in plan.builds:
            scenarios: dict[str, int] = {}
            for cell in plan.cells_of(build):
                start = self.instance + (0 if scenarios else self.build)
                before = scenarios.get(cell.scenario, start)
                scenarios[cell.scenario] = before + self.clients.get(cell.client, self.cell)
            if scenarios:
                parts[build] = scenarios
        return parts


@cache
def measured_costs() -> Costs:
    """The table ``data/costs.toml``."""
    data = load_data("costs")
    return Costs(
        build=data["build"],
        instance=data["instance"],
        cell=data["cell"],
        clients=data["clients"],
    )
