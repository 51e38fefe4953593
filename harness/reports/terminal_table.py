"""One scenario's table in a terminal of 100 columns or more.

A block a service, a line a build and client, a column an offer. Clients that saw the same share a
line. Beside the baseline, only the lines that differ from it, with the differing cells marked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.table import Table
from rich.text import Text

from harness.observations.record import Outcome
from harness.reports.differences import Differences, DifferenceStanding
from harness.reports.grid import Grid, GridCell, Row, ScenarioGrid, ServiceTable
from harness.reports.labels import (
    NOT_MEASURED,
    WARNINGS,
)
from harness.reports.plain_text import plain
from harness.tls import INBOUND, Service

STYLES: dict[str, str] = {
    Outcome.ACCEPTED: "green",
    Outcome.PLAINTEXT: "bold yellow",
    Outcome.REFUSED: "red",
    Outcome.NOT_OFFERED: "yellow",
    Outcome.CLIENT_INCAPABLE: "bright_black",
    Outcome.CONFIG_REJECTED: "magenta",
    Outcome.HUNG_UP: "cyan",
    Outcome.TIMEOUT: "bold red",
    Outcome.ERROR: "bold white on red",
    NOT_MEASURED: "bright_black",
}
_CELL_WIDTH = 9
_BUILD_WIDTH = 16
# A part of a build's name that stays on one line, behind a blank.
_PART = re.compile(rf"[+-]?[^+-]{{1,{_BUILD_WIDTH - 2}}}|[+-]")


def scenario_table(scenario: ScenarioGrid, grid: Grid, beside: Differences | None) -> Table:
    """The table; with ``beside`` only what differs. It may have no row then."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("build", no_wrap=True)
    table.add_column("client", no_wrap=True)
    labels = short_offers(grid.offers)
    for offer in scenario.offers:
        table.add_column(labels[offer], no_wrap=True, min_width=_CELL_WIDTH)
    lines = _Lines(scenario.clients, short_names(grid.clients), beside)
    for block in scenario.tables:
        _add_block(table, block, lines)
    return table


def short_names(clients: Sequence[str]) -> dict[str, str]:
    """``openssl-1.0.2h`` becomes ``openssl`` where no other client's name begins so."""
    heads = [client.partition("-")[0] for client in clients]
    return {
        client: head if heads.count(head) == 1 else client
        for client, head in zip(clients, heads, strict=True)
    }


def short_offers(offers: Sequence[str]) -> dict[str, str]:
    """``TLSv1.2 a`` for an offer that names ciphers or groups; others are short enough."""
    labels: dict[str, str] = {}
    for offer in offers:
        versions, plus, _ = offer.partition("+")
        named = sum(label.startswith(f"{versions} ") for label in labels.values())
        labels[offer] = f"{versions} {_letter(named)}" if plus else offer
    return labels


def _letter(number: int) -> str:
    """a to z, then aa, ab and so on."""
    rest, last = divmod(number, 26)
    return (_letter(rest - 1) if rest else "") + chr(ord("a") + last)


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of a build: client by client, one for all where they saw the same."""

    clients: Sequence[str]
    names: dict[str, str]
    beside: Differences | None

    def of(self, row: Row) -> list[tuple[str, list[Text]]]:
        """Who saw it, and the cells; only what is worth showing beside the baseline."""
        if row.missing:
            return []
        kept = [(client, row.of_client(client)) for client in self.clients]
        planned = [(who, cells) for who, cells in kept if any(cell.planned for cell in cells)]
        kept = planned
        if self.beside is not None:
            kept = [(who, cells) for who, cells in kept if self.beside.worth_showing(cells)]
        texts = [[self._text(cell) for cell in cells] for _, cells in kept]
        same = len({tuple(text.plain for text in line) for line in texts}) == 1
        if same and len(kept) == len(planned) > 1:
            return [("both" if len(kept) == 2 else "all", texts[0])]
        return [(self.names[who], line) for (who, _), line in zip(kept, texts, strict=True)]

    def _text(self, cell: GridCell) -> Text:
        text, style = cell.text, STYLES[cell.outcome]
        if self.beside is not None and cell.planned:
            beside = self.beside.cells[cell.id]
            text = beside.text
            style += " bold underline" if beside.standing is DifferenceStanding.DIFFERS else ""
        if len(text) > _CELL_WIDTH and not cell.disagrees:
            text = text[: _CELL_WIDTH - 1] + "…"
        return Text(plain(text), style="bold red" if cell.disagrees else style)


def _add_block(table: Table, block: ServiceTable, lines: _Lines) -> None:
    """A service's rows below its title; nothing where no line is left."""
    rows = [(row, lines.of(row)) for row in block.rows]
    if not any(shown for _, shown in rows):
        return
    table.add_row(Text(_service_title(block), style="bold cyan"))
    for row, shown in rows:
        label = [*map(Text, build_label(row.build)), *map(_mark, row.notes)] if shown else []
        for name, line in zip_longest(label, shown):
            client, cells = line or ("", [])
            table.add_row(name or Text(), Text(client, "bright_black"), *cells)


def _service_title(block: ServiceTable) -> str:
    known = block.service in list(INBOUND)
    return f"{block.service} :{Service(block.service).port}" if known else block.service


def _mark(note: str) -> Text:
    """What is to be known of a build, below its name."""
    return Text(f"({note})", "bold yellow" if note in WARNINGS else "bright_black")


def build_label(build: str) -> list[str]:
    """The build's name, a long one on several lines: cut before ``+`` and ``-``, else hard."""
    if len(build) <= _BUILD_WIDTH:
        return [build]
    lines = [""]
    for part in _PART.findall(build):
        if len(lines[-1]) + len(part) > _BUILD_WIDTH:
            lines.append(" ")
        lines[-1] += part
    return lines
