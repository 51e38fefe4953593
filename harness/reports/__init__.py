"""Reports made from a run folder alone: terminal, Markdown, CSV, HTML."""

from __future__ import annotations

from pathlib import Path

from harness.files import write_atomically
from harness.observations.run_folder import RunData, load_run
from harness.reports.large_run import MOST_CELLS_OF_PAGE, PAGE, render_large_run


def is_large(data: RunData) -> bool:
    """Whether a run has more cells than one page can show."""
    return len(data.observations) > MOST_CELLS_OF_PAGE


def write_reports(folder: Path) -> list[Path]:
    """Make ``matrix.md``, ``matrix.csv`` and ``index.html`` in a run folder, each atomically.

    Raises:
        UsageError: the folder is no run.
        InfrastructureError: the folder cannot be written.
    """
    # The page's templates take a quarter of a second to load, and no answer needs them.
    from harness.reports.html import render_html
    from harness.reports.markdown import render_markdown
    from harness.reports.table_csv import render_csv

    data = load_run(folder)
    # The page of a large run says where its results are.
    render_page = render_large_run if is_large(data) else render_html
    renderers = {"matrix.md": render_markdown, "matrix.csv": render_csv, PAGE: render_page}
    # Evidence that cannot be read is found while rendering; then nothing is written.
    texts = {name: render(data) for name, render in renderers.items()}
    return [write_atomically(folder / name, text) for name, text in texts.items()]
