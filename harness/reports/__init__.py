"""Reports made from a run folder alone: terminal, Markdown, CSV, HTML."""

from __future__ import annotations

from pathlib import Path

from harness.files import write_atomically
from harness.observations.run_folder import RunData, load_run
from harness.reports.html import render_html
from harness.reports.large_run import MOST_CELLS_OF_PAGE, render_large_run
from harness.reports.markdown import render_markdown
from harness.reports.table_csv import render_csv

PAGE = "index.html"


def render_page(data: RunData) -> str:
    """The whole matrix as one page; of a large run, a page that says where its results are."""
    return render_large_run(data) if is_large(data) else render_html(data)


#: File name and renderer of each report that :func:`write_reports` writes.
REPORTS = {"matrix.md": render_markdown, "matrix.csv": render_csv, PAGE: render_page}


def is_large(data: RunData) -> bool:
    """Whether a run has more cells than one page can show."""
    return len(data.observations) > MOST_CELLS_OF_PAGE


def write_reports(folder: Path) -> list[Path]:
    """Make ``matrix.md``, ``matrix.csv`` and ``index.html`` in a run folder, each atomically.

    Raises:
        UsageError: the folder is no run.
        InfrastructureError: the folder cannot be written.
    """
    data = load_run(folder)
    return [write_atomically(folder / name, render(data)) for name, render in REPORTS.items()]
