"""``postfix-matrix report``: make a run's reports anew, or print one table; without Docker."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.output import output
from harness.errors import UsageError
from harness.observations.run_folder import load_run
from harness.reports import write_reports
from harness.reports.clients_table import render_clients
from harness.reports.protocols_text import print_protocols, render_protocols
from harness.run.run_folders import run_folder

TABLES = ("protocols", "clients")
MARKDOWN, TEXT = "markdown", "text"


@click.command("report")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "--table",
    type=click.Choice(TABLES),
    help="Print a table instead, and write nothing: 'protocols' has the TLS versions that each "
    "build accepts, 'clients' what each client can do with each build (Markdown only).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice((MARKDOWN, TEXT)),
    help=f"How --table prints.  [default: {MARKDOWN}]",
)
def report_command(folder: Path | None, table: str | None, form: str | None) -> None:
    """Make matrix.md, matrix.csv and index.html of the run in FOLDER (the latest) anew."""
    if form and not table:
        raise UsageError(
            "--format is of a table that is printed", next_step="name one with --table protocols"
        )
    where = run_folder(folder)
    if table is None:
        for path in write_reports(where):
            click.echo(path)
    elif table == "clients":
        if form == TEXT:
            raise UsageError("the table of clients is Markdown", next_step="leave out --format")
        click.echo(render_clients(load_run(where)), nl=False)
    elif form == TEXT:
        print_protocols(load_run(where), output())
    else:
        click.echo(render_protocols(load_run(where)), nl=False)
