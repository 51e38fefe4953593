"""Pivot a run into tables: one a scenario and service, a row a build, a column a client × offer.

Pure. Rows and columns keep the order of the run's axes; of the scenarios, ``defaults`` comes first.
What was planned and not measured keeps its place and says why, so that no report can lose a cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.catalog.cells import is_control
from harness.observations.record import Observation
from harness.observations.run_folder import (
    Axes,
    ImageInfo,
    RunData,
    ScenarioInfo,
)
from harness.reports.labels import (
    BUILD_NOTES,
    DISAGREE,
    SIGNS,
    build_notes,
    outcome_of,
    sentence,
    short_word,
)
from harness.reports.missing import first_line
from harness.reports.summary import Summary, summarise

#: The scenario that follows no advice. It comes first, and the others are read beside it.
BASELINE = "defaults"
CONTROLS = ScenarioInfo(
    title="Controls",
    claim="Servers of ours that accept every version. An offer that fails here fails for the "
    "client's own reasons; only one that succeeds here makes a refusal elsewhere believable.",
)
OPENED = ScenarioInfo(
    title="A build's own controls: itself with everything open",
    claim="What is refused under a candidate and granted here was refused by the candidate's "
    "settings; what is refused here too, no setting of Postfix's can bring about.",
)
PERMISSIVE, FORBIDDING = "permissive", "forbidding"
FORBIDS = ScenarioInfo(
    title="The control that forbids",
    claim="A server of ours that refuses every handshake. A client that reports TLS from here "
    "is not believed when it reports a refusal.",
)


@dataclass(frozen=True, slots=True)
class Column:
    """One client told to make one offer."""

    client: str
    offer: str


@dataclass(frozen=True, slots=True)
class GridCell:
    """One place of a table: an observation, or None and ``why`` it was not measured.

    ``planned`` is False where a control server was never to be asked, or where the client cannot be
    told to make the offer: the place stays empty.
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
        """What stands after the glyph: protocol or reason; may be empty."""
        return short_word(self.observation)

    @property
    def text(self) -> str:
        """Glyph, word, and the mark of a disagreement: ``✓ TLSv1.2``, ``✗ version``."""
        if not self.planned:
            return ""
        return f"{self.glyph} {self.word}".rstrip() + (DISAGREE if self.disagrees else "")

    @property
    def sentence(self) -> str:
        """The same spelt out."""
        return sentence(self.observation, self.why)

    @property
    def disagrees(self) -> bool:
        """Whether client and server say different things were negotiated."""
        return self.observation is not None and self.observation.agree is False


@dataclass(frozen=True, slots=True)
class Row:
    """One build; ``missing`` says why it could not be had at all.

    ``notes`` are what is to stand beside its name wherever it owns a result (words.BUILD_NOTES).
    """

    build: str
    cells: tuple[GridCell, ...]
    missing: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def missing_brief(self) -> str:
        """The first line of ``missing``; a compiler's words go on for many."""
        return first_line(self.missing or "")

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
    """All tables of one scenario; its columns are those that it was to be measured with."""

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
        """What stands beside the name of a build of any table, for the legend."""
        held = {
            note
            for scenario in self.all_scenarios
            for table in scenario.tables
            for row in table.rows
            for note in row.notes
        }
        return tuple(note for note in BUILD_NOTES if note in held)

    @property
    def all_scenarios(self) -> tuple[ScenarioGrid, ...]:
        """Those under test, then the controls."""
        return self.scenarios + self.controls


@dataclass(frozen=True, slots=True)
class _Pivot:
    """What every cell's lookup needs; ``missing`` is by kind and name."""

    seen: Mapping[str, Observation]
    missing: Mapping[tuple[str, str], str]
    images: Mapping[str, ImageInfo]
    columns: tuple[Column, ...]
    unseen: str
    planned: bool = True
    axes: Axes = field(default_factory=Axes)

    def table(self, scenario: str, service: str, builds: Sequence[str]) -> ServiceTable:
        return ServiceTable(service, tuple(self._row(b, scenario, service) for b in builds))

    def _row(self, build: str, scenario: str, service: str) -> Row:
        missing = self.missing.get(("build", build))
        place = (build, scenario, service)
        cells = tuple(self._cell(place, column, missing) for column in self.columns)
        measured = any(cell.observation for cell in cells)
        notes = build_notes(self.images.get(build))
        return Row(build, cells, None if measured else missing, notes)

    def _cell(self, place: tuple[str, str, str], column: Column, missing: str | None) -> GridCell:
        cell_id = "/".join((*place, column.client, column.offer))
        observation = self.seen.get(cell_id)
        if observation:
            return GridCell(cell_id, column, observation)
        unplanned = self.axes.unplanned(*place[1:], column.client, column.offer)
        if self.planned and unplanned:
            return GridCell(cell_id, column, None, unplanned, planned=False)
        why = missing or self.missing.get(("client", column.client)) or self.unseen
        return GridCell(cell_id, column, None, why, self.planned)


def build_grid(data: RunData) -> Grid:
    """Pivot a run. Names that only observations or ``missing`` know are appended to the axes."""
    axes = data.run.axes
    tested = [seen for seen in data.observations if not is_control(seen.build)]
    clients = _in_order(axes.clients, _missing(data, "client"), [s.client for s in tested])
    offers = _in_order(axes.offers, [s.offer for s in tested])
    builds = _in_order(axes.builds, _missing(data, "build"), [s.build for s in tested])
    services = _in_order(axes.services, [s.service for s in tested])
    whole = Grid(clients, offers, (), (), summarise(data))
    by_scenario: dict[str, list[Observation]] = {}
    for seen in tested:
        by_scenario.setdefault(seen.scenario, []).append(seen)
    grids = tuple(
        _scenario(data, name, by_scenario.get(name, []), whole, services, builds)
        for name in _baseline_first(_in_order(axes.scenarios, list(by_scenario)))
    )
    pivot = _pivot(data, clients, offers)
    return replace(whole, scenarios=grids, controls=_controls(data, pivot, whole, services))


def _scenario(
    data: RunData,
    name: str,
    seen: Sequence[Observation],
    whole: Grid,
    services: Sequence[str],
    builds: Sequence[str],
) -> ScenarioGrid:
    """One scenario's tables, of the services, clients and offers that it is about."""
    axes = data.run.axes
    narrow = axes.scopes.get(name)
    asked = set(narrow.services if narrow else services) | {one.service for one in seen}
    theirs = set(narrow.clients if narrow else whole.clients) | {one.client for one in seen}
    offered = set(narrow.offers if narrow else whole.offers) | {one.offer for one in seen}
    clients = tuple(one for one in whole.clients if one in theirs)
    offers = tuple(one for one in whole.offers if one in offered)
    pivot = _pivot(data, clients, offers)
    tables = tuple(pivot.table(name, one, builds) for one in services if one in asked)
    info = data.run.scenarios.get(name) or ScenarioInfo(title=name)
    return ScenarioGrid(name, info, tables, clients, offers)


def _pivot(data: RunData, clients: Sequence[str], offers: Sequence[str]) -> _Pivot:
    return _Pivot(
        seen={observation.cell: observation for observation in data.observations},
        missing={(lack.kind, lack.name): lack.why for lack in data.run.missing},
        images=data.run.images,
        columns=tuple(Column(client, offer) for client in clients for offer in offers),
        unseen="no observation was recorded"
        if data.run.finished
        else "the run ended before this cell was measured",
        axes=data.run.axes,
    )


def _controls(
    data: RunData, pivot: _Pivot, whole: Grid, services: Sequence[str]
) -> tuple[ScenarioGrid, ...]:
    """The control servers that were asked, as scenarios of their own."""
    seen = [observation for observation in data.observations if is_control(observation.build)]
    builds = _in_order([s.build for s in seen])
    services = _in_order([s for s in services if any(o.service == s for o in seen)])
    why = "not asked of this control server"
    idle = _Pivot(pivot.seen, {}, pivot.images, pivot.columns, why, planned=False)
    grids = []
    for name in _in_order([s.scenario for s in seen]):
        info = {FORBIDDING: FORBIDS, PERMISSIVE: CONTROLS}.get(name, OPENED)
        asked = [build for build in builds if any(_of(one, build, name) for one in seen)]
        tables = tuple(idle.table(name, service, asked) for service in services)
        grids.append(ScenarioGrid(name, info, tables, whole.clients, whole.offers))
    return tuple(grids)


def _of(seen: Observation, build: str, scenario: str) -> bool:
    return (seen.build, seen.scenario) == (build, scenario)


def _baseline_first(scenarios: Sequence[str]) -> list[str]:
    return sorted(scenarios, key=lambda name: name != BASELINE)


def _missing(data: RunData, kind: str) -> list[str]:
    return [lack.name for lack in data.run.missing if lack.kind == kind]


def _in_order(*groups: Sequence[str]) -> tuple[str, ...]:
    """Each name once, in the order of its first appearance."""
    return tuple(dict.fromkeys(name for group in groups for name in group))
