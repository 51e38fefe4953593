"""``postfix-matrix report``: writes a run's reports again, or prints one table; without Docker."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.output import output_console
from harness.cli.printing import print_text
from harness.errors import UsageError
from harness.files import write_atomically
from harness.observations.run_folder import load_run
from harness.reports import is_large, write_reports
from harness.reports.clients_table import render_clients
from harness.reports.junit import JUNIT_FILE, render_junit
from harness.reports.large_run import large_run_message
from harness.reports.protocols_text import print_protocols, render_protocols
from harness.run.run_folders import run_folder

TABLES = ("protocols", "clients")
MARKDOWN, TEXT = "markdown", "text"


@click.command(
    "report",
    cls=GroupedCommand,
    epilog=format_examples("postfix-matrix report", "postfix-matrix report --table protocols"),
)
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@grouped_option(
    OptionGroup.OUTPUT,
    "--table",
    type=click.Choice(TABLES),
    help="Print a table and write nothing: 'protocols' has the TLS versions that each build "
    "accepts, 'clients' what each client can do with each build (Markdown only).",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--format",
    "form",
    type=click.Choice((MARKDOWN, TEXT)),
    help=f"The format of --table.  [default: {MARKDOWN}]",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--junit",
    is_flag=True,
    help=f"Write {JUNIT_FILE} instead: expectations, and what a check found, for a CI.",
)
def report_command(folder: Path | None, table: str | None, form: str | None, junit: bool) -> None:
    """Write the reports of a run again, or print a table.

    The reports are matrix.md, matrix.csv and index.html in FOLDER (default: the latest run).
    """
    if junit and table:
        raise UsageError("--junit and --table exclude each other", next_step="give one")
    if form and not table:
        raise UsageError(
            "--format needs a table to print", next_step="name one, such as --table protocols"
        )
    where = run_folder(folder)
    if junit:
        print_text(write_atomically(where / JUNIT_FILE, render_junit(load_run(where))))
    elif table is None:
        for path in write_reports(where):
            print_text(path)
        if is_large(data := load_run(where)):
            print_text(large_run_message(data), err=True)
    elif table == "clients":
        if form == TEXT:
            raise UsageError("the table of clients is Markdown", next_step="leave out --format")
        print_text(render_clients(load_run(where)), nl=False)
    elif form == TEXT:
        print_protocols(load_run(where), output_console())
    else:
        print_text(render_protocols(load_run(where)), nl=False)
