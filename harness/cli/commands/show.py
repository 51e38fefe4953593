"""``postfix-matrix show``: one cell's evidence, or the matrix of a run."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import click

from harness.catalog.cells import Cell
from harness.cli.output import output
from harness.errors import NothingSelectedError, UsageError
from harness.observations.record import Observation
from harness.observations.run_folder import (
    RunData,
    load_run,
)
from harness.reports.cell_detail import show_cell
from harness.reports.labels import build_note
from harness.reports.terminal import print_matrix
from harness.run.run_folders import run_folder

#: More cells than this are listed by id instead of shown.
MOST = 3


@click.command("show")
@click.argument("cell", required=False)
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="A run's folder (the latest)."
)
@click.option("--controls", is_flag=True, help="With no CELL: the control cells too.")
@click.option(
    "--full",
    is_flag=True,
    help="With no CELL: every scenario's whole table, not only what differs from 'defaults'.",
)
def show_command(cell: str | None, folder: Path | None, controls: bool, full: bool) -> None:
    """Print the evidence of CELL: what the client saw, what Postfix logged, what was delivered.

    CELL is build/scenario/service/client/offer and may be a glob; without it, the run's matrix is
    printed: the scenario 'defaults', and what differs from it under each other one.
    """
    data = load_run(run_folder(folder))
    console = output()
    if cell is None:
        print_matrix(data, console, controls=controls, full=full)
        return
    found = _find(data, cell)
    if len(found) > MOST:
        for seen in found:
            note = build_note(data.run.images.get(seen.build))
            click.echo(f"{seen.cell}  {seen.outcome}" + (f"  ({note})" if note else ""))
        return
    for seen in found:
        show_cell(data, seen, console)


def _find(data: RunData, pattern: str) -> list[Observation]:
    exact = data.find(pattern)
    if exact is not None:
        return [exact]
    found = [seen for seen in data.observations if fnmatchcase(seen.cell, pattern)]
    if found:
        return found
    if not any(mark in pattern for mark in "*?["):
        Cell.parse(pattern)
        raise UsageError(
            f"cell {pattern} was not measured in {data.folder}",
            cause="the run did not select it, or its build or client could not be had",
            next_step="'postfix-matrix show' shows the run's matrix and what is missing",
        )
    raise NothingSelectedError(f"no cell of {data.folder} matches {pattern}")
