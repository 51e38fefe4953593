"""Reports made from a run folder alone: terminal, Markdown, CSV, HTML."""

from __future__ import annotations

from pathlib import Path

from harness.files import write_atomically
from harness.observations.run_folder import load_run
from harness.reports.html import render_html
from harness.reports.markdown import render_markdown
from harness.reports.table_csv import render_csv

#: File name and renderer of each report that :func:`write_reports` writes.
REPORTS = {"matrix.md": render_markdown, "matrix.csv": render_csv, "index.html": render_html}


def write_reports(folder: Path) -> list[Path]:
    """Make ``matrix.md``, ``matrix.csv`` and ``index.html`` in a run folder, each atomically.

    Raises:
        UsageError: the folder is no run.
        InfrastructureError: the folder cannot be written.
    """
    data = load_run(folder)
    return [write_atomically(folder / name, render(data)) for name, render in REPORTS.items()]
