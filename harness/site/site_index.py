"""What the pages need of all cells: per client and server, per scenario and server.

Made in one pass over the cells, so that a page does not look through a million of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.catalog.cells import is_control
from harness.catalog.peers import is_peer
from harness.observations.record import Observation
from harness.scenarios.claims import BASELINE
from harness.site.cells import CellRow
from harness.site.facts import ScenarioCells, order_names
from harness.site.nights import SiteContent
from harness.tls import DEFAULT

Pair = tuple[str, str]


@dataclass(slots=True)
class PairCells:
    """The cells of a client with a server under one scenario.

    ``defaults`` are the results of the client as its user runs it, by service.
    """

    count: int = 0
    differs: int = 0
    defaults: dict[str, CellRow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShownCell:
    """A cell in a table: class, text, and whether it differs from the baseline."""

    outcome: str
    label: str
    differs: bool = False
    href: str = ""
    who: str = ""


class SiteIndex:
    """All cells of a site by client and server."""

    def __init__(self, content: SiteContent) -> None:
        self.content = content
        #: By client and build, then by scenario.
        self.pairs: dict[Pair, dict[str, PairCells]] = defaultdict(dict)
        #: By scenario and build: cells, and those that differ from the baseline.
        self.counts: dict[Pair, tuple[int, int]] = {}
        self._names = content.tables
        self._rows: dict[Pair, Mapping[str, list[CellRow]]] = {}

    def add_scenario(self, collected: ScenarioCells) -> None:
        """Take a scenario's cells in."""
        comparer = self.content.comparer
        names = self._names
        default = names.offer.numbers.get(DEFAULT, -1)
        for build, rows in collected.rows.items():
            beside = collected.baseline.get(build, {})
            total = 0
            for spot, row in rows.items():
                client = names.client.names[row.client]
                by_scenario = self.pairs[client, build]
                cells = by_scenario.get(collected.name)
                if cells is None:
                    cells = by_scenario[collected.name] = PairCells()
                cells.count += 1
                other = beside.get(spot)
                if other is not None and row.result != other.result:
                    differs = comparer.standing_sign(row.result, other.result) == "*"
                    cells.differs += differs
                    total += differs
                if row.offer == default:
                    cells.defaults[names.service.names[row.service]] = row
            self.counts[collected.name, build] = (len(rows), total)

    @cached_property
    def scenarios(self) -> list[str]:
        """The scenarios that have cells or a verdict, the baseline first."""
        measured = {scenario for scenario, _ in self.counts}
        return order_names(measured, self.content.order.scenarios)

    @cached_property
    def builds(self) -> list[str]:
        """The servers under test."""
        names = {build for _, build in self.counts} | {
            name for name in self.content.state.axes["builds"] if not is_control(name)
        }
        return order_names(names, self.content.order.builds)

    @cached_property
    def clients(self) -> list[str]:
        """The clients, without the peers to which Postfix sends."""
        return [name for name in self._all_clients if not is_peer(name)]

    @cached_property
    def measured_clients(self) -> frozenset[str]:
        """The clients and peers that have cells."""
        return frozenset(client for client, _ in self.pairs)

    @cached_property
    def peers(self) -> list[str]:
        """The peers to which Postfix sends."""
        return [name for name in self._all_clients if is_peer(name)]

    @cached_property
    def services(self) -> list[str]:
        """The services that have cells."""
        used = {
            self._names.service.names[number] for number in self.content.cells.column("service")
        }
        return order_names(used, self.content.order.services)

    @cached_property
    def _all_clients(self) -> list[str]:
        names = self.measured_clients.union(self.content.state.axes["clients"])
        return order_names(names, self.content.order.clients)

    def measured_builds(self, client: str) -> list[str]:
        """The servers with which a client was measured."""
        return [build for build in self.builds if (client, build) in self.pairs]

    def baseline_cells(self, client: str, build: str) -> PairCells | None:
        """A pair's cells under the server's defaults."""
        return self.pairs.get((client, build), {}).get(BASELINE)

    def rows(self, client: str, build: str, scenario: str) -> Sequence[CellRow]:
        """All cells of a pair under a scenario."""
        return self._rows_by_client(build, scenario).get(client, [])

    def _rows_by_client(self, build: str, scenario: str) -> Mapping[str, list[CellRow]]:
        """The cells of a scenario on a build; made once, since each client's page needs a part."""
        key = (scenario, build)
        if key not in self._rows:
            names, by_client = self._names, defaultdict[str, list[CellRow]](list)
            numbers = (names.scenario.numbers.get(scenario, -1), names.build.numbers.get(build, -1))
            for row in self.content.cells.group(*numbers):
                by_client[names.client.names[row.client]].append(row)
            self._rows[key] = by_client
        return self._rows[key]

    def observation(self, row: CellRow) -> Observation:
        """A row's result."""
        return self.content.comparer.observation(row.offer, row.result)

    def show(self, row: CellRow, *, differs: bool = False, href: str = "") -> ShownCell:
        """A row for a table."""
        label = self.content.comparer.label(row.offer, row.result)
        return ShownCell(self.observation(row).outcome.value, label, differs, href)
