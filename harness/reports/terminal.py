"""The matrix as tables no wider than the terminal, printed to a given rich Console.

The scenario ``defaults`` is printed in full; each other scenario only where it differs from it, in
a run that has it. Everything printed may come from a log: no markup is interpreted.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from harness.counts import format_count
from harness.observations.run_folder import RunData
from harness.plain_text import escape_controls
from harness.reports.cell_detail import show_cell
from harness.reports.differences import DIFFERS, UNCOMPARED, Differences, differences
from harness.reports.grid import BASELINE, Grid, ScenarioGrid, build_grid
from harness.reports.labels import (
    ANONYMOUS,
    ANONYMOUS_MEANING,
    BUILD_NOTES,
    DISAGREE,
    SIGNS,
    WARNINGS,
)
from harness.reports.problems import brief_reason, group_unavailable, missing_configurations
from harness.reports.summary import Summary
from harness.reports.terminal_answer import answer_lines
from harness.reports.terminal_table import STYLES, scenario_table
from harness.reports.verdicts_text import verdict_lines
from harness.reports.wrapping import wrap_text
from harness.widths import MOST_TEXT_WIDTH

__all__ = ["print_matrix", "print_summary", "show_cell"]


def print_matrix(
    data: RunData, console: Console, *, controls: bool = False, full: bool = False
) -> None:
    """Print the answer, then every scenario's table, the legend and the summary.

    In a run that has the scenario ``defaults``, the others' tables show only what differs from it;
    ``full`` prints all. ``controls`` adds the tables of the control servers.
    """
    grid = build_grid(data)
    comparisons, verdicts = differences(grid), verdict_lines(data)
    if answer := list(answer_lines(data, grid, verdicts, _paragraph_width(console))):
        _print_rule(console, Text("answer", style="bold"))
        for line in answer:
            _print_line(console, Text(line))
        console.print()
    for scenario in grid.all_scenarios if controls else grid.scenarios:
        _print_heading(scenario, grid, console, verdicts.get(scenario.id))
        _print_scenario(scenario, grid, comparisons.get(scenario.id), console, full=full)
    _print_legend(grid, {} if full else comparisons, console)
    print_summary(data, console, grid.summary)


def print_summary(data: RunData, console: Console, summary: Summary) -> None:
    """Print cells, outcomes, disagreements, speed; what was unavailable; what was dropped."""
    _print_rule(console, Text("summary", style="bold"))
    _print_unavailable(data, console)
    for note in (*data.notes, *missing_configurations(data)):
        _print_text(console, Text(f"note: {escape_controls(note)}", style="yellow"))
    _print_text(console, Text(_format_cells(summary)))
    if summary.taken_over:
        _print_text(console, Text(f"taken over: {escape_controls(summary.taken_over)}", "bold"))
    _print_text(console, _format_outcomes(summary))
    if summary.obstacles:
        _print_text(console, Text(f"refused by: {summary.obstacles}"))
    style = "bold red" if summary.counts.disagreements else ""
    agreement = Text(f"client and server: {summary.agreement}", style=style)
    if summary.counts.unconfirmed:
        agreement.append(f"; {summary.counts.unconfirmed} accepted cells have one side's view only")
    _print_text(console, agreement)


def _print_unavailable(data: RunData, console: Console) -> None:
    """Group by group, with the first line of each reason; matrix.md and the page have all of it."""
    for group in group_unavailable(data.run.missing):
        _print_text(console, Text(f"unavailable, {group.title}:", style="bold yellow"))
        for entry in group.entries:
            line = f"  {entry.kind} {entry.name}: {brief_reason(entry)}"
            _print_text(console, Text(escape_controls(line)))
        for step in group.advice:
            _print_text(console, Text(escape_controls(f"  next step: {step}")))
    if any("\n" in entry.why.strip() for entry in data.run.missing):
        text = "  matrix.md and the page have the reasons in full"
        _print_text(console, Text(text, "bright_black"))


def _format_cells(summary: Summary) -> str:
    line = f"{summary.counts.measured} of {summary.planned} cells measured"
    if summary.seconds is not None:
        line += f" in {summary.seconds:.1f} s"
    if summary.cells_per_second is not None:
        line += f", {summary.cells_per_second:.1f} cells per second"
    return f"{line} (and {summary.counts.controls} control cells)"


def _format_outcomes(summary: Summary) -> Text:
    parts = [
        Text(f"{SIGNS[name].glyph} {count} {SIGNS[name].title}", style=STYLES[name])
        for name, count in summary.counts.outcomes.items()
    ]
    return Text(", ").join(parts) if parts else Text("no outcome")


def _print_scenario(
    scenario: ScenarioGrid,
    grid: Grid,
    comparison: Differences | None,
    console: Console,
    *,
    full: bool,
) -> None:
    if comparison is not None:
        _print_text(console, Text(comparison.statement, style="bold"))
    table = scenario_table(scenario, grid, None if full else comparison, console.width)
    for line in table.lines:
        _print_line(console, line)
    for text in table.legend:
        _print_line(console, Text(text, "bright_black"))
    if comparison is not None and not full:
        _print_cipher_changes(comparison, console)
    for build, why in _unavailable_rows(scenario):
        _print_text(console, Text(f"{build} not measured: {escape_controls(why)}", style="yellow"))
    console.print()


def _print_heading(
    scenario: ScenarioGrid, grid: Grid, console: Console, verdict: str | None
) -> None:
    title = Text(scenario.id, style="bold").append(
        f"  {escape_controls(scenario.info.title)}", "not bold"
    )
    _print_rule(console, title)
    if scenario.info.claim:
        lead = "" if scenario in grid.controls else "Claim: "
        _print_text(console, Text(f"{lead}{escape_controls(scenario.info.claim)}", style="italic"))
    if scenario.info.source:
        _print_text(
            console, Text(f"From: {escape_controls(scenario.info.source)}", style="bright_black")
        )
    if verdict is not None:
        _print_text(console, Text(f"Verdict: {escape_controls(verdict)}", style="bold"))


def _print_cipher_changes(comparison: Differences, console: Console) -> None:
    for (before, after), times in comparison.cipher_changes.items():
        where = format_count(times, "cell")
        _print_text(
            console,
            Text(escape_controls(f"{DIFFERS}cipher: {after} instead of {before}, in {where}")),
        )


def _unavailable_rows(scenario: ScenarioGrid) -> list[tuple[str, str]]:
    """Builds that were unavailable, each with the first line of the reason."""
    rows = scenario.tables[0].rows if scenario.tables else ()
    return [(row.build, row.missing_brief) for row in rows if row.missing]


def _print_legend(grid: Grid, comparisons: Mapping[str, Differences], console: Console) -> None:
    _print_rule(console, Text("how to read a cell", style="bold"))
    table = Table.grid(padding=(0, 2, 0, 0))
    for name in _outcomes_in_tables(grid):
        sign = SIGNS[name]
        mark = Text(f"{sign.glyph} {sign.word}", STYLES[name])
        table.add_row(mark, Text(f"{sign.title}. ", "bold").append(sign.meaning, "not bold"))
    table.add_row(Text(DISAGREE, "bold red"), "Client and server report different results.")
    table.add_row(Text(f"✓ {ANONYMOUS}", STYLES["accepted"]), ANONYMOUS_MEANING)
    if comparisons:
        _explain_marks(table)
    for at, note in enumerate(grid.notes):
        style = "bold yellow" if note in WARNINGS else "bold"
        table.add_row("" if at else "build", Text.assemble((f"{note}. ", style), BUILD_NOTES[note]))
    table.add_row(
        "default", "The client as its user would run it. Other columns: that version only."
    )
    console.print(table, width=_paragraph_width(console))
    console.print()


def _explain_marks(table: Table) -> None:
    table.add_row(
        Text(f"✗{DIFFERS}version", "bold underline"),
        f"{DIFFERS} differs from the same cell of {BASELINE}: in outcome, reason, negotiated "
        "protocol or cipher, or in whether client and server agree. Lines without a difference are "
        "left out; --full of 'postfix-matrix show' prints them.",
    )
    table.add_row(
        Text(f"✓{DIFFERS}cipher", "bold underline"),
        f"Only the cipher differs from {BASELINE}; ✗{DIFFERS}reason: only the reason.",
    )
    table.add_row(
        f"✓{UNCOMPARED}", f"Not compared: one of the two, here or under {BASELINE}, is unknown."
    )


def _outcomes_in_tables(grid: Grid) -> list[str]:
    """Outcomes that occur in a printed line (an unavailable build has none), in legend order."""
    rows = (row for s in grid.scenarios for table in s.tables for row in table.rows)
    cells = (cell for row in rows if not row.missing for cell in row.cells)
    shown = {cell.outcome for cell in cells if cell.planned}
    return [name for name in SIGNS if name in shown]


def _print_rule(console: Console, title: Text) -> None:
    """A heading; a line to the right of it where there is room."""
    if title.cell_len + 2 > console.width:
        _print_text(console, title)
    else:
        console.print(Rule(title, align="left", style="bright_black"))


def _print_text(console: Console, text: Text) -> None:
    """A paragraph, wrapped at words; text of one style with a hanging indent."""
    width = _paragraph_width(console)
    if text.spans:
        console.print(text, highlight=False, width=width)
        return
    indent = " " * (len(text.plain) - len(text.plain.lstrip()))
    for line in wrap_text(text.plain.strip(), indent, f"{indent}  " if indent else "", width):
        _print_line(console, Text(line, text.style))


def _print_line(console: Console, line: Text) -> None:
    """One line as it is."""
    console.print(line, highlight=False, soft_wrap=True)


def _paragraph_width(console: Console) -> int:
    return min(console.width, MOST_TEXT_WIDTH)
