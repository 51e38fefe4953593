"""``postfix-matrix report``: make a run's reports anew, without Docker."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.folders import run_folder
from harness.reports import write_reports


@click.command("report")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
def report_command(folder: Path | None) -> None:
    """Make matrix.md, matrix.csv and index.html of the run in FOLDER (the latest) anew."""
    for path in write_reports(run_folder(folder)):
        click.echo(path)
