"""One scenario's table in a terminal of 100 columns or more.

One block per service, one line per build and client, one column per offer. Clients with the same
results share a line. With a baseline, only the lines that differ from it, with the differing cells
marked.
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
from harness.reports.offer_titles import offer_titles
from harness.reports.plain_text import escape_controls
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
_CELL_WIDTH = 9
_BUILD_WIDTH = 16
# A part of a build's name that stays on one line, after a space.
_PART = re.compile(rf"[+-]?[^+-]{{1,{_BUILD_WIDTH - 2}}}|[+-]")


def scenario_table(scenario: ScenarioGrid, grid: Grid, comparison: Differences | None) -> Table:
    """The table; with a ``comparison`` only what differs. It may have no row then."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("build", no_wrap=True)
    table.add_column("client", no_wrap=True)
    titles = offer_titles(grid.offers)
    for offer in scenario.offers:
        # A short name of several words has one below the other.
        head = Text("\n".join(titles[offer].text.split()))
        table.add_column(head, no_wrap=True, min_width=_CELL_WIDTH)
    lines = _Lines(scenario.clients, short_names(grid.clients), comparison)
    for block in scenario.tables:
        _add_block(table, block, lines)
    return table


def short_names(clients: Sequence[str]) -> dict[str, str]:
    """``openssl-1.0.2h`` becomes ``openssl`` where no other client's name has that start."""
    heads = [client.partition("-")[0] for client in clients]
    return {
        client: head if heads.count(head) == 1 else client
        for client, head in zip(clients, heads, strict=True)
    }


@dataclass(frozen=True, slots=True)
class _Lines:
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
            return [("both" if len(kept) == 2 else "all", texts[0])]
        return [(self.names[name], line) for (name, _), line in zip(kept, texts, strict=True)]

    def _cell_text(self, cell: GridCell) -> Text:
        text, style = cell.text, STYLES[cell.outcome]
        if self.comparison is not None and cell.planned:
            compared = self.comparison.cells[cell.id]
            text = compared.text
            style += " bold underline" if compared.standing is DifferenceStanding.DIFFERS else ""
        if len(text) > _CELL_WIDTH and not cell.disagrees:
            text = text[: _CELL_WIDTH - 1] + "…"
        return Text(escape_controls(text), style="bold red" if cell.disagrees else style)


def _add_block(table: Table, block: ServiceTable, lines: _Lines) -> None:
    """Add a service's rows below its title; nothing where no line is left."""
    rows = [(row, lines.lines_of(row)) for row in block.rows]
    if not any(shown for _, shown in rows):
        return
    table.add_row(Text(_service_title(block), style="bold cyan"))
    for row, shown in rows:
        label = [*map(Text, build_label(row.build)), *map(_note_text, row.notes)] if shown else []
        for name, line in zip_longest(label, shown):
            client, cells = line or ("", [])
            table.add_row(name or Text(), Text(client, "bright_black"), *cells)


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
