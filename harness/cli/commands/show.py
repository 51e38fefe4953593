"""``postfix-matrix show``: a cell's evidence, or the matrix of a run."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import click

from harness.catalog.cells import Cell
from harness.cli.entry_list import print_entries
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.next_steps import print_next_steps
from harness.cli.output import output_console
from harness.cli.output_forms import JSON, TEXT, format_option
from harness.cli.printing import print_json
from harness.errors import NothingSelectedError, UsageError
from harness.observations.record import Observation
from harness.observations.run_folder import RunData, load_run
from harness.reports.cell_detail import show_cell
from harness.reports.labels import build_note
from harness.reports.show_json import cells_data, matrix_data
from harness.reports.terminal import print_matrix
from harness.run.run_folders import run_folder

#: More cells than this are listed by their ids, without their evidence.
MOST = 3


@click.command(
    "show",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix show debian-12/defaults/smtp/openssl-1.0.2h/TLSv1",
        "postfix-matrix show --full",
    ),
)
@click.argument("cell", required=False)
@grouped_option(
    OptionGroup.SOURCES,
    "--run",
    "folder",
    type=click.Path(path_type=Path),
    help="The run's folder (default: the latest).",
)
@grouped_option(
    OptionGroup.OUTPUT, "--controls", is_flag=True, help="Without CELL: show the control cells too."
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--full",
    is_flag=True,
    help="Without CELL: every scenario's whole table, not only what differs from 'defaults'.",
)
@format_option(
    "JSON has the cells' observations, of at most 3 cells the evidence too (docs/schemas).",
    (TEXT, JSON),
)
def show_command(
    cell: str | None, folder: Path | None, controls: bool, full: bool, form: str
) -> None:
    """Print the evidence of a cell, or the matrix of a run.

    The evidence is what the client saw, what Postfix logged and what was delivered. CELL is
    build/scenario/service/client/offer, and may be a glob. Without it, the run's matrix is printed:
    the scenario 'defaults', and what differs from it in each other scenario.
    """
    data = load_run(run_folder(folder))
    console = output_console()
    if cell is None:
        if form == JSON:
            print_json(matrix_data(data, controls=controls))
        else:
            print_matrix(data, console, controls=controls, full=full)
            print_next_steps(data)
        return
    matches = _find_observations(data, cell)
    if form == JSON:
        print_json(cells_data(data, matches, with_evidence=len(matches) <= MOST))
        return
    if len(matches) > MOST:
        print_entries([(match.cell, _describe_match(data, match)) for match in matches])
        return
    for observation in matches:
        show_cell(data, observation, console)


def _describe_match(data: RunData, observation: Observation) -> str:
    note = build_note(data.run.images.get(observation.build))
    return f"{observation.outcome}  ({note})" if note else str(observation.outcome)


def _find_observations(data: RunData, pattern: str) -> list[Observation]:
    exact = data.find(pattern)
    if exact is not None:
        return [exact]
    matches = [
        observation for observation in data.observations if fnmatchcase(observation.cell, pattern)
    ]
    if matches:
        return matches
    if not any(mark in pattern for mark in "*?["):
        Cell.parse(pattern)
        raise UsageError(
            f"cell {pattern} was not measured in {data.folder}",
            cause="the run did not select it, or its build or client was unavailable",
            next_step="'postfix-matrix show' prints the run's matrix and what is unmeasured",
        )
    raise NothingSelectedError(f"no cell of {data.folder} matches {pattern}")
