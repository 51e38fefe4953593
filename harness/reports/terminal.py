"""The matrix as tables in a terminal of 100 columns or more, printed to a given rich Console.

One table a scenario; in it a block a service, a line a build and client, a column an offer. Clients
that saw the same share a line. Everything printed may come from a log: no markup is interpreted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from harness.observations.record import Outcome
from harness.observations.rundir import RunData
from harness.reports.cell_detail import show_cell
from harness.reports.grid import Grid, GridCell, Row, ScenarioGrid, ServiceTable, build_grid
from harness.reports.plain import plain
from harness.reports.summary import Summary
from harness.reports.words import DISAGREE, NOT_MEASURED, SIGNS
from harness.tls import Service

__all__ = ["STYLES", "print_matrix", "print_summary", "short_names", "show_cell"]

STYLES: dict[str, str] = {
    Outcome.ACCEPTED: "green",
    Outcome.PLAINTEXT: "bold yellow",
    Outcome.REFUSED: "red",
    Outcome.NOT_OFFERED: "yellow",
    Outcome.CLIENT_INCAPABLE: "bright_black",
    Outcome.CONFIG_REJECTED: "magenta",
    Outcome.TIMEOUT: "bold red",
    Outcome.ERROR: "bold white on red",
    NOT_MEASURED: "bright_black",
}
_CELL_WIDTH = 9
_BUILD_WIDTH = 16
#: Width to assume where the output is no terminal: a file or a CI log has no edge to wrap at.
_FILE_WIDTH = 110


def print_matrix(data: RunData, console: Console, *, controls: bool = False) -> None:
    """Print every scenario's table, then the legend and the summary.

    ``controls`` adds the tables of the control servers.
    """
    grid = build_grid(data)
    for scenario in grid.all_scenarios if controls else grid.scenarios:
        _print_scenario(scenario, grid, console)
    _print_legend(grid, console)
    print_summary(data, console, grid.summary)


def print_summary(data: RunData, console: Console, summary: Summary) -> None:
    """Cells, outcomes, disagreements, speed; what is missing; what had to be dropped."""
    _heading(console, Text("summary", style="bold"))
    for lack in data.run.missing:
        line = Text(f"missing {lack.kind} ", style="bold yellow")
        _say(console, line.append(plain(f"{lack.name}: {lack.why}"), style="not bold default"))
    for note in data.notes:
        _say(console, Text(f"note: {plain(note)}", style="yellow"))
    _say(console, Text(_cells_line(summary)))
    _say(console, _outcomes_line(summary))
    style = "bold red" if summary.disagreements else ""
    agreement = Text(f"client and server: {summary.agreement}", style=style)
    if summary.unconfirmed:
        agreement.append(f"; {summary.unconfirmed} accepted cells have one side's view only")
    _say(console, agreement)


def _cells_line(summary: Summary) -> str:
    line = f"{summary.measured} of {summary.planned} cells measured"
    if summary.seconds is not None:
        line += f" in {summary.seconds:.1f} s"
    if summary.cells_per_second is not None:
        line += f", {summary.cells_per_second:.1f} cells per second"
    return f"{line} ({summary.controls} control cells besides)"


def _outcomes_line(summary: Summary) -> Text:
    parts = [
        Text(f"{SIGNS[name].glyph} {count} {SIGNS[name].title}", style=STYLES[name])
        for name, count in summary.outcomes.items()
    ]
    return Text(", ").join(parts) if parts else Text("no outcome")


def _print_scenario(scenario: ScenarioGrid, grid: Grid, console: Console) -> None:
    title = Text(scenario.id, style="bold").append(f"  {plain(scenario.info.title)}", "not bold")
    _heading(console, title)
    if scenario.info.claim:
        lead = "" if scenario in grid.controls else "Claim: "
        _say(console, Text(f"{lead}{plain(scenario.info.claim)}", style="italic"))
    if scenario.info.source:
        _say(console, Text(f"From: {plain(scenario.info.source)}", style="bright_black"))
    width = console.width if console.is_terminal else max(console.width, _FILE_WIDTH)
    console.print(_table(scenario, grid), width=width, crop=False)
    for build, why in _missing_rows(scenario):
        _say(console, Text(f"{build} not measured: {plain(why)}", style="yellow"))
    console.print()


def _missing_rows(scenario: ScenarioGrid) -> list[tuple[str, str]]:
    rows = scenario.tables[0].rows if scenario.tables else ()
    return [(row.build, row.missing) for row in rows if row.missing]


def _table(scenario: ScenarioGrid, grid: Grid) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("build", no_wrap=True)
    table.add_column("client", no_wrap=True)
    for offer in grid.offers:
        table.add_column(offer, no_wrap=True, min_width=_CELL_WIDTH)
    names = short_names(grid.clients)
    for block in scenario.tables:
        table.add_row(Text(_service_title(block), style="bold cyan"))
        _add_block(table, block, grid.clients, names)
    return table


def _service_title(block: ServiceTable) -> str:
    known = block.service in list(Service)
    return f"{block.service} :{Service(block.service).port}" if known else block.service


def _add_block(
    table: Table, block: ServiceTable, clients: Sequence[str], names: dict[str, str]
) -> None:
    for row in block.rows:
        if row.missing:
            continue
        lines = _lines(row, clients, names)
        for label, line in zip_longest(_label(row.build), lines):
            client, cells = line or ("", ())
            table.add_row(Text(label or ""), Text(client, "bright_black"), *map(_cell_text, cells))


def _lines(
    row: Row, clients: Sequence[str], names: dict[str, str]
) -> list[tuple[str, tuple[GridCell, ...]]]:
    """One line a client; one for all where they saw the same in every column."""
    by_client = [(names[client], row.of_client(client)) for client in clients]
    texts = {tuple(cell.text for cell in cells) for _, cells in by_client}
    if len(by_client) > 1 and len(texts) == 1:
        return [("both" if len(by_client) == 2 else "all", by_client[0][1])]
    return by_client


def _label(build: str) -> list[str]:
    """The build's name; the second half of a long one goes to a line of its own."""
    cut = build.find("+") if "+" in build else build.find("-") + 1
    if cut > 0 and len(build) > _BUILD_WIDTH:
        return [build[:cut], f" {build[cut:]}"]
    return [build]


def _cell_text(cell: GridCell) -> Text:
    text = cell.text
    if len(text) > _CELL_WIDTH and not cell.disagrees:
        text = text[: _CELL_WIDTH - 1] + "…"
    return Text(plain(text), style="bold red" if cell.disagrees else STYLES[cell.outcome])


def short_names(clients: Sequence[str]) -> dict[str, str]:
    """``openssl-1.0.2h`` becomes ``openssl`` where no other client's name begins so."""
    heads = [client.partition("-")[0] for client in clients]
    return {
        client: head if heads.count(head) == 1 else client
        for client, head in zip(clients, heads, strict=True)
    }


def _print_legend(grid: Grid, console: Console) -> None:
    _heading(console, Text("how to read a cell", style="bold"))
    table = Table.grid(padding=(0, 1))
    for name in _outcomes_in_tables(grid):
        sign = SIGNS[name]
        mark = Text(f"{sign.glyph} {sign.word}", STYLES[name])
        table.add_row(mark, Text(f"{sign.title}. ", "bold").append(sign.meaning, "not bold"))
    table.add_row(Text(DISAGREE, "bold red"), "Client and server saw different things.")
    short = short_names(grid.clients)
    names = ", ".join(f"{short[client]} is {client}" for client in grid.clients)
    table.add_row("client", Text(f"{names}. A line for both or all: they saw the same."))
    table.add_row(
        "default", "The client as its user would run it. Other columns: that version only."
    )
    console.print(table)
    console.print()


def _outcomes_in_tables(grid: Grid) -> list[str]:
    """Outcomes that stand in a printed line (a missing build has none), in the legend's order."""
    rows = (row for s in grid.scenarios for table in s.tables for row in table.rows)
    shown = {cell.outcome for row in rows if not row.missing for cell in row.cells}
    return [name for name in SIGNS if name in shown]


def _heading(console: Console, title: Text) -> None:
    console.print(Rule(title, align="left", style="bright_black"))


def _say(console: Console, text: Text) -> None:
    console.print(text, highlight=False)
