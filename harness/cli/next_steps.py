"""What to type after a matrix was printed: a cell's evidence, the whole tables, the verdicts."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from harness.catalog.cells import is_control
from harness.cli.printing import print_text
from harness.cli.terminal import terminal_columns
from harness.observations.run_folder import RunData
from harness.outcomes import Outcome
from harness.reports.wrapping import entry_lines
from harness.run.run_folders import LATEST, RUNS
from harness.widths import FILE_WIDTH


def print_next_steps(data: RunData) -> None:
    """Print the commands for a matrix on standard error."""
    option = _name_run(data, "--run")
    commands = [(["show", "--full", *option], "every table whole")]
    if any(info.claim for info in data.run.scenarios.values()):
        verdicts = ["verdicts", *_name_run(data)]
        commands.append((verdicts, "each verdict, with the cells that show it"))
    if cell := _choose_cell(data):
        commands.append((["show", cell, *option], "what both sides saw and logged in this cell"))
    _print_commands(commands)


def print_steps_of_answer(data: RunData, cell: str, names: Sequence[str]) -> None:
    """Print the commands after an answer of ``verify`` on standard error.

    ``cell`` is one on which the answer rests, ``names`` the arguments that name the configuration.
    """
    commands = []
    if cell:
        show = ["show", cell, *_name_run(data, "--run")]
        commands.append((show, "what both sides saw and logged in this cell"))
    if names:
        commands.append((["explain", *names], "which line does what"))
    _print_commands(commands)


def _name_run(data: RunData, *option: str) -> list[str]:
    """The arguments that name a run; none for the latest, which commands read by default."""
    latest = (RUNS / LATEST).resolve() == data.folder.resolve()
    return [] if latest else [*option, str(data.folder)]


def _print_commands(commands: Sequence[tuple[list[str], str]]) -> None:
    if not commands:
        return
    print_text("\nNext:", err=True)
    entries = [(shlex.join(["postfix-matrix", *command]), text) for command, text in commands]
    width = (terminal_columns() if sys.stderr.isatty() else None) or FILE_WIDTH
    for line in entry_lines(entries, "  ", width):
        print_text(line, err=True)


def _choose_cell(data: RunData) -> str | None:
    """A refused cell, which raises the most questions; else the first; None: there is none."""
    cells = [cell for cell in data.observations if not is_control(cell.build)]
    refused = (cell for cell in cells if cell.outcome is Outcome.REFUSED)
    chosen = next(refused, next(iter(cells), None))
    return chosen.cell if chosen else None
