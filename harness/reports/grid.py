"""Pivot a run into tables: one per scenario and service; rows are builds, columns client × offer.

Rows and columns keep the order of the run's axes; of the scenarios, ``defaults`` comes first. A
cell that was planned and not measured keeps its place and says why, so that no report loses a cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.catalog.cells import is_control
from harness.clients.controls import FORBIDDING, PERMISSIVE
from harness.observations.record import Observation
from harness.observations.run_folder import RunData
from harness.observations.run_json import Axes, ImageInfo, ScenarioInfo, ScopeAxes
from harness.reports.labels import (
    BUILD_NOTES,
    DISAGREE,
    SIGNS,
    build_notes,
    describe_result,
    outcome_of,
    short_word,
)
from harness.reports.problems import first_line
from harness.reports.summary import Summary, summarise_run

#: The scenario that follows no advice. It comes first; the others are compared with it.
BASELINE = "defaults"
CONTROLS = ScenarioInfo(
    title="Controls",
    claim="Servers of the harness that accept every version. An offer that fails here fails "
    "because of the client; only one that succeeds here makes a refusal elsewhere believable.",
)
PERMISSIVE_COPY = ScenarioInfo(
    title="The permissive copy of a build",
    claim="What is refused under a candidate and granted here was refused by the candidate's "
    "settings; what is refused here as well, no setting of Postfix can permit.",
)
#: What the permissive copies keep of the candidate, by the beginnings of their ids.
_KEPT_BY_COPY = {
    "open-but-level": "every restriction lifted but its library's security level",
    "open-but-keys": "every restriction lifted, with the candidate's certificates and keys",
    "open-with-files": "every restriction lifted, with the candidate's files for the whole system",
}
FORBIDS = ScenarioInfo(
    title="The control that refuses",
    claim="A server of the harness that refuses every handshake. A client that reports TLS here "
    "is not believed when it reports a refusal.",
)


@dataclass(frozen=True, slots=True)
class Column:
    """One client told to make one offer."""

    client: str
    offer: str


@dataclass(frozen=True, slots=True)
class GridCell:
    """One place in a table: an observation, or None and ``why`` it was not measured.

    ``planned`` is False where no cell of a control server was planned, or where the client cannot
    be told to make the offer: the place stays empty.
    """

    id: str
    column: Column
    observation: Observation | None
    why: str | None = None
    planned: bool = True

    @property
    def outcome(self) -> str:
        """The outcome's name, or ``not-measured``."""
        return outcome_of(self.observation)

    @property
    def glyph(self) -> str:
        """One character that differs in shape for each outcome."""
        return SIGNS[self.outcome].glyph

    @property
    def word(self) -> str:
        """What follows the glyph: protocol or reason; may be empty."""
        return short_word(self.observation)

    @property
    def text(self) -> str:
        """Glyph, label, and the mark of a disagreement: ``✓ TLSv1.2``, ``✗ version``."""
        if not self.planned:
            return ""
        return f"{self.glyph} {self.word}".rstrip() + (DISAGREE if self.disagrees else "")

    @property
    def sentence(self) -> str:
        """The same in a sentence."""
        return describe_result(self.observation, self.why)

    @property
    def disagrees(self) -> bool:
        """Whether client and server report different results."""
        return self.observation is not None and self.observation.agree is False


@dataclass(frozen=True, slots=True)
class ClientLine:
    """The cells of one client on one build, by offer."""

    client: str
    cells: tuple[GridCell, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One build; ``missing`` says why it was unavailable.

    ``notes`` are shown beside its name wherever it has a result (labels.BUILD_NOTES).
    """

    build: str
    cells: tuple[GridCell, ...]
    missing: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def missing_brief(self) -> str:
        """The first line of ``missing``; a compiler's output has many."""
        return first_line(self.missing or "")

    @property
    def lines(self) -> tuple[ClientLine, ...]:
        """Its cells client by client; a client without a planned cell has no line."""
        if self.missing:
            return ()
        by_client: dict[str, list[GridCell]] = {}
        for cell in self.cells:
            by_client.setdefault(cell.column.client, []).append(cell)
        return tuple(
            ClientLine(client, tuple(cells))
            for client, cells in by_client.items()
            if any(cell.planned for cell in cells)
        )

    def of_client(self, client: str) -> tuple[GridCell, ...]:
        """The cells of one client, by offer."""
        return tuple(cell for cell in self.cells if cell.column.client == client)


@dataclass(frozen=True, slots=True)
class ServiceTable:
    """Builds × (clients × offers) for one service of one scenario."""

    service: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ScenarioGrid:
    """All tables of one scenario; its columns are those that it was planned with."""

    id: str
    info: ScenarioInfo
    tables: tuple[ServiceTable, ...]
    clients: tuple[str, ...]
    offers: tuple[str, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Client by client, each with every offer."""
        return tuple(Column(client, offer) for client in self.clients for offer in self.offers)

    @property
    def cells(self) -> Iterator[GridCell]:
        """Every cell, row by row."""
        return (cell for table in self.tables for row in table.rows for cell in row.cells)


@dataclass(frozen=True, slots=True)
class Grid:
    """A whole run as tables; ``controls`` are those of the permissive control servers."""

    clients: tuple[str, ...]
    offers: tuple[str, ...]
    scenarios: tuple[ScenarioGrid, ...]
    controls: tuple[ScenarioGrid, ...]
    summary: Summary

    @property
    def columns(self) -> tuple[Column, ...]:
        """Client by client, each with every offer."""
        return tuple(Column(client, offer) for client in self.clients for offer in self.offers)

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes beside the name of a build in any table, for the legend."""
        used = {
            note
            for scenario in self.all_scenarios
            for table in scenario.tables
            for row in table.rows
            for note in row.notes
        }
        return tuple(note for note in BUILD_NOTES if note in used)

    @property
    def contents(self) -> dict[str, str]:
        """The title of each scenario by its id, for a list of them: with the id where titles recur.

        The ids of scenarios are unique.
        """
        recurring = Counter(scenario.info.title for scenario in self.all_scenarios)
        return {
            scenario.id: scenario.info.title
            if recurring[scenario.info.title] == 1
            else f"{scenario.info.title} ({scenario.id})"
            for scenario in self.all_scenarios
        }

    @property
    def all_scenarios(self) -> tuple[ScenarioGrid, ...]:
        """Those under test, then the controls."""
        return self.scenarios + self.controls


@dataclass(frozen=True, slots=True)
class _Pivot:
    """What every cell's lookup needs; ``missing`` is by kind and name."""

    by_cell: Mapping[str, Observation]
    missing: Mapping[tuple[str, str], str]
    images: Mapping[str, ImageInfo]
    columns: tuple[Column, ...]
    reason: str
    planned: bool = True
    axes: Axes = field(default_factory=Axes)

    def service_table(self, scenario: str, service: str, builds: Sequence[str]) -> ServiceTable:
        rows = tuple(self._build_row(build, scenario, service) for build in builds)
        return ServiceTable(service, rows)

    def _build_row(self, build: str, scenario: str, service: str) -> Row:
        missing = self.missing.get(("build", build))
        place = (build, scenario, service)
        cells = tuple(self._find_cell(place, column, missing) for column in self.columns)
        measured = any(cell.observation for cell in cells)
        notes = build_notes(self.images.get(build))
        return Row(build, cells, None if measured else missing, notes)

    def _find_cell(
        self, place: tuple[str, str, str], column: Column, missing: str | None
    ) -> GridCell:
        cell_id = "/".join((*place, column.client, column.offer))
        observation = self.by_cell.get(cell_id)
        if observation:
            return GridCell(cell_id, column, observation)
        unplanned = self.axes.unplanned(*place[1:], column.client, column.offer)
        if self.planned and unplanned:
            return GridCell(cell_id, column, None, unplanned, planned=False)
        why = missing or self.missing.get(("client", column.client)) or self.reason
        return GridCell(cell_id, column, None, why, self.planned)


def build_grid(data: RunData) -> Grid:
    """Pivot a run. Names that are only in observations or ``missing`` are appended to the axes."""
    axes = data.run.axes
    tested = [cell for cell in data.observations if not is_control(cell.build)]
    clients = _merge_names(
        axes.clients, _unavailable_names(data, "client"), [cell.client for cell in tested]
    )
    offers = _merge_names(axes.offers, [cell.offer for cell in tested])
    builds = _merge_names(
        axes.builds, _unavailable_names(data, "build"), [cell.build for cell in tested]
    )
    services = _merge_names(axes.services, [cell.service for cell in tested])
    whole = Grid(clients, offers, (), (), summarise_run(data))
    by_scenario: dict[str, list[Observation]] = {}
    for cell in tested:
        by_scenario.setdefault(cell.scenario, []).append(cell)
    grids = tuple(
        _scenario_grid(data, name, by_scenario.get(name, []), whole, services, builds)
        for name in _baseline_first(_merge_names(axes.scenarios, list(by_scenario)))
    )
    pivot = _make_pivot(data, clients, offers)
    controls = _control_grids(data, pivot, whole, services)
    return replace(whole, scenarios=grids, controls=controls)


def _scenario_grid(
    data: RunData,
    name: str,
    cells: Sequence[Observation],
    whole: Grid,
    services: Sequence[str],
    builds: Sequence[str],
) -> ScenarioGrid:
    """One scenario's tables, with the services, clients and offers that it is about."""
    axes = data.run.axes
    everything = ScopeAxes(tuple(services), whole.clients, whole.offers)
    scope = axes.scopes.get(name) or everything
    used_services = {*scope.services, *(cell.service for cell in cells)}
    used_clients = {*scope.clients, *(cell.client for cell in cells)}
    used_offers = {*scope.offers, *(cell.offer for cell in cells)}
    clients = tuple(client for client in whole.clients if client in used_clients)
    offers = tuple(offer for offer in whole.offers if offer in used_offers)
    pivot = _make_pivot(data, clients, offers)
    if scope.builds:
        builds = _merge_names(scope.builds, [cell.build for cell in cells])
    tables = tuple(
        pivot.service_table(name, service, builds)
        for service in services
        if service in used_services
    )
    info = data.run.scenarios.get(name) or ScenarioInfo(title=name)
    return ScenarioGrid(name, info, tables, clients, offers)


def _make_pivot(data: RunData, clients: Sequence[str], offers: Sequence[str]) -> _Pivot:
    return _Pivot(
        by_cell={observation.cell: observation for observation in data.observations},
        missing={(missing.kind, missing.name): missing.why for missing in data.run.missing},
        images=data.run.images,
        columns=tuple(Column(client, offer) for client in clients for offer in offers),
        reason="no observation was recorded"
        if data.run.finished
        else "the run ended before this cell was measured",
        axes=data.run.axes,
    )


def _control_grids(
    data: RunData, pivot: _Pivot, whole: Grid, services: Sequence[str]
) -> tuple[ScenarioGrid, ...]:
    """The control servers that were used, as scenarios."""
    cells = [observation for observation in data.observations if is_control(observation.build)]
    builds = _merge_names([cell.build for cell in cells])
    used = {cell.service for cell in cells}
    services = _merge_names([service for service in services if service in used])
    why = "this offer was not made to this control server"
    unplanned = _Pivot(pivot.by_cell, {}, pivot.images, pivot.columns, why, planned=False)
    grids = []
    for name in _merge_names([cell.scenario for cell in cells]):
        info = {FORBIDDING: FORBIDS, PERMISSIVE: CONTROLS}.get(name) or _describe_copy(name)
        servers = {cell.build for cell in cells if cell.scenario == name}
        names = [build for build in builds if build in servers]
        tables = tuple(unplanned.service_table(name, service, names) for service in services)
        grids.append(ScenarioGrid(name, info, tables, whole.clients, whole.offers))
    return tuple(grids)


def _describe_copy(name: str) -> ScenarioInfo:
    kept = next(
        (text for start, text in _KEPT_BY_COPY.items() if name.startswith(start)),
        "itself with every restriction lifted",
    )
    return replace(PERMISSIVE_COPY, title=f"{PERMISSIVE_COPY.title}: {kept}")


def _baseline_first(scenarios: Sequence[str]) -> list[str]:
    return sorted(scenarios, key=lambda name: name != BASELINE)


def _unavailable_names(data: RunData, kind: str) -> list[str]:
    return [missing.name for missing in data.run.missing if missing.kind == kind]


def _merge_names(*groups: Sequence[str]) -> tuple[str, ...]:
    """Each name once, in the order of its first appearance."""
    return tuple(dict.fromkeys(name for group in groups for name in group))
