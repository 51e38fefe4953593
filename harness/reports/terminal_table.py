"""One scenario's tables as lines of styled text, none wider than the reader's terminal.

One line per build and client below the name of each service, one column per offer. Where the
columns do not fit, a table has several blocks, each with the builds and clients again. Services
with the same lines are one, and so are clients with the same results. With a baseline, only the
lines that differ from it, with the differing cells marked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.text import Text

from harness.observations.record import Outcome
from harness.plain_text import escape_controls
from harness.reports.differences import Differences, DifferenceStanding
from harness.reports.grid import Grid, GridCell, Row, ScenarioGrid, ServiceTable
from harness.reports.labels import (
    NOT_MEASURED,
    WARNINGS,
)
from harness.reports.offer_titles import OfferTitle, offer_titles
from harness.reports.wrapping import entry_lines, group_columns
from harness.tls import INBOUND, Service

STYLES: dict[str, str] = {
    Outcome.ACCEPTED: "green",
    Outcome.PLAINTEXT: "bold yellow",
    Outcome.REFUSED: "red",
    Outcome.NOT_OFFERED: "yellow",
    Outcome.CLIENT_INCAPABLE: "bright_black",
    Outcome.CONFIG_REJECTED: "magenta",
    Outcome.HUNG_UP: "cyan",
    Outcome.WOULD_NEGOTIATE: "bright_cyan",
    Outcome.WOULD_BE_REFUSED: "bright_magenta",
    Outcome.TIMEOUT: "bold red",
    Outcome.ERROR: "bold white on red",
    NOT_MEASURED: "bright_black",
}
_BUILD_WIDTH = 16
_PART_WIDTH = 30
#: In place of the clients that a line is for: two, or more than two.
_BOTH, _ALL = "both", "all"
# A part of a build's name that stays on one line, after a space.
_PART = re.compile(rf"[+-]?[^+-]{{1,{_PART_WIDTH}}}|[+-]")


@dataclass(frozen=True, slots=True)
class ScenarioTable:
    """One scenario's lines; ``legend`` has what each short name in them stands for.

    Both are empty where no line is left to show.
    """

    lines: tuple[Text, ...]
    legend: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _BuildLines:
    """A build in a service's table: the lines of its label; its clients, with a text per offer."""

    label: tuple[Text, ...]
    clients: tuple[tuple[str, tuple[Text, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The heads and widths of the columns, and which of them stand beside each other."""

    heads: tuple[tuple[str, ...], ...]
    labels: tuple[int, int]
    widths: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...]


def scenario_table(
    scenario: ScenarioGrid, grid: Grid, comparison: Differences | None, width: int
) -> ScenarioTable:
    """The tables in ``width`` columns; with a ``comparison`` only what differs."""
    names = short_names(grid.clients)
    maker = _LineMaker(scenario.clients, names, comparison)
    services = [(_service_title(table), _build_lines(table, maker)) for table in scenario.tables]
    builds = [build for _, lines in services for build in lines]
    if not builds:
        return ScenarioTable((), ())
    every_title = offer_titles(grid.offers)
    titles = [every_title[offer] for offer in scenario.offers]
    layout = _plan_columns(titles, builds, width)
    shown = {client for build in builds for client, _ in build.clients}
    filled = [titles[at] for block in layout.blocks for at in block]
    legend = entry_lines(_short_name_meanings(scenario, filled, names, shown), "  ", width)
    return ScenarioTable(tuple(_format_services(services, layout)), tuple(legend))


def short_names(clients: Sequence[str]) -> dict[str, str]:
    """``openssl-1.0.2h`` becomes ``openssl`` where no other client's name has that start."""
    heads = [client.partition("-")[0] for client in clients]
    return {
        client: head if heads.count(head) == 1 else client
        for client, head in zip(clients, heads, strict=True)
    }


def _short_name_meanings(
    scenario: ScenarioGrid,
    titles: Iterable[OfferTitle],
    names: dict[str, str],
    shown: Collection[str],
) -> list[tuple[str, str]]:
    """What the short names of the clients ``shown``, and of offers, stand for."""
    clients = [(names[client], client) for client in scenario.clients if names[client] in shown]
    several = [
        (name, f"{name} clients that these offers were planned for had the same results")
        for name in (_BOTH, _ALL)
        if name in shown
    ]
    offers = [(title.text, title.meaning) for title in titles if title.is_short]
    return [entry for entry in [*clients, *several, *offers] if entry[0] != entry[1]]


@dataclass(frozen=True, slots=True)
class _LineMaker:
    """The lines of a build: client by client, one for all where they had the same results."""

    clients: Sequence[str]
    names: dict[str, str]
    comparison: Differences | None

    def lines_of(self, row: Row) -> list[tuple[str, list[Text]]]:
        """The client or clients, and the cells; only what is worth showing besides the baseline."""
        if row.missing:
            return []
        kept = [(client, row.of_client(client)) for client in self.clients]
        planned = [(name, cells) for name, cells in kept if any(cell.planned for cell in cells)]
        kept = planned
        if self.comparison is not None:
            kept = [(name, cells) for name, cells in kept if self.comparison.worth_showing(cells)]
        texts = [[self._cell_text(cell) for cell in cells] for _, cells in kept]
        same = len({tuple(text.plain for text in line) for line in texts}) == 1
        if same and len(kept) == len(planned) > 1:
            return [(_BOTH if len(kept) == 2 else _ALL, texts[0])]
        return [(self.names[name], line) for (name, _), line in zip(kept, texts, strict=True)]

    def _cell_text(self, cell: GridCell) -> Text:
        text, style = cell.text, STYLES[cell.outcome]
        if self.comparison is not None and cell.planned:
            compared = self.comparison.cells[cell.id]
            text = compared.text
            style += " bold underline" if compared.standing is DifferenceStanding.DIFFERS else ""
        return Text(escape_controls(text), style="bold red" if cell.disagrees else style)


def _build_lines(table: ServiceTable, maker: _LineMaker) -> list[_BuildLines]:
    """A service's builds; none where nothing is left to show."""
    builds = []
    for row in table.rows:
        if clients := maker.lines_of(row):
            label = (*map(Text, build_label(row.build)), *map(_note_text, row.notes))
            builds.append(_BuildLines(label, tuple((name, tuple(t)) for name, t in clients)))
    return builds


def _plan_columns(
    titles: Sequence[OfferTitle], builds: Sequence[_BuildLines], width: int
) -> _Layout:
    """The columns as wide as what is in them, without those in which there is nothing.

    Those with short names are in blocks of their own; they share one with the others where that
    saves one.
    """
    heads = tuple(tuple(title.text.split()) for title in titles)
    lines = [cells for build in builds for _, cells in build.clients]
    widths = [
        max([*map(len, head), *(cells[at].cell_len for cells in lines)])
        for at, head in enumerate(heads)
    ]
    names = [cell_len(client) for build in builds for client, _ in build.clients]
    labels = [text.cell_len for build in builds for text in build.label]
    build, client = max([5, *labels]), max([6, *names])
    filled = [at for at in range(len(heads)) if any(cells[at] for cells in lines)]

    def group(columns: list[int]) -> list[tuple[int, ...]]:
        room = [widths[at] for at in columns]
        blocks = group_columns((build, client), room, width, 1) if columns else []
        return [tuple(columns[number] for number in block) for block in blocks]

    together = group(filled)
    plain = [at for at in filled if not titles[at].is_short]
    apart = group(plain) + group([at for at in filled if titles[at].is_short])
    blocks = apart if len(apart) == len(together) else together
    return _Layout(heads, (build, client), tuple(widths), tuple(blocks))


def _format_services(
    services: Sequence[tuple[str, Sequence[_BuildLines]]], layout: _Layout
) -> Iterator[Text]:
    """Block by block: its head, then each service; services with the same lines are one."""
    for number, block in enumerate(layout.blocks):
        if number:
            yield Text()
        yield from _head_lines(layout, block)
        same: dict[tuple[str, ...], tuple[list[str], list[Text]]] = {}
        for service, builds in services:
            texts = [text for build in builds for text in _format_build(build, layout, block)]
            if texts:
                key = tuple(text.plain for text in texts)
                same.setdefault(key, ([], texts))[0].append(service)
        for titles, texts in same.values():
            yield Text(", ".join(titles), "bold cyan")
            yield from texts


def _format_build(build: _BuildLines, layout: _Layout, block: Sequence[int]) -> Iterator[Text]:
    """A build's lines in a block; none where no client was to make any of its offers."""
    lines = [(name, cells) for name, cells in build.clients if any(cells[at] for at in block)]
    if lines:
        for label, line in zip_longest(build.label, lines):
            name, cells = line or ("", ())
            labels = (label or Text(), Text(name, "bright_black"))
            yield _join_cells(labels, cells, layout, block)


def _head_lines(layout: _Layout, block: Sequence[int]) -> Iterator[Text]:
    """The words of each head one below the other, the last of each in the last line."""
    height = max(len(layout.heads[at]) for at in block)
    for row in range(height):
        parts = tuple(
            Text(head[row - height + len(head)] if row >= height - len(head) else "", "bold")
            for head in layout.heads
        )
        labels = ("build", "client") if row == height - 1 else ("", "")
        yield _join_cells((Text(labels[0], "bold"), Text(labels[1], "bold")), parts, layout, block)


def _join_cells(
    labels: Sequence[Text], cells: Sequence[Text], layout: _Layout, block: Sequence[int]
) -> Text:
    """A line without blanks at its end."""
    shown = [(cells[at], layout.widths[at]) for at in block] if cells else []
    line = Text()
    for text, width in [*zip(labels, layout.labels, strict=True), *shown]:
        line.append_text(text).append(" " * (width - text.cell_len + 1))
    line.rstrip()
    return line


def _service_title(block: ServiceTable) -> str:
    known = block.service in list(INBOUND)
    return f"{block.service} :{Service(block.service).port}" if known else block.service


def _note_text(note: str) -> Text:
    """A note on a build, below its name."""
    return Text(f"({note})", "bold yellow" if note in WARNINGS else "bright_black")


def build_label(build: str) -> list[str]:
    """The build's name; a long one on several lines, cut before ``+`` and ``-``, else anywhere."""
    if len(build) <= _BUILD_WIDTH:
        return [build]
    lines = [""]
    for part in _PART.findall(build):
        if len(lines[-1]) + len(part) > _BUILD_WIDTH:
            lines.append(" ")
        lines[-1] += part
    return lines
