"""What ``index.html`` says for a run that is too large for one page."""

from __future__ import annotations

from html import escape
from shlex import quote

from harness.catalog.cells import is_control
from harness.observations.run_folder import RunData

PAGE = "index.html"
#: Cells, control cells included, that one page can show: of 5,000 it has about 5 MB, and a browser
#: takes seconds to lay out more.
MOST_CELLS_OF_PAGE = 5000


def large_run_message(data: RunData) -> str:
    """What a command prints of a run without a page, with the run's folder as it is here."""
    folder = quote(str(data.folder))
    return f"{PAGE} has no tables: {_large_run_sentence(data, folder)}"


def _large_run_sentence(data: RunData, folder: str) -> str:
    """Why the run has no page of its own, and what to do instead; ``folder`` is the run's."""
    cells = sum(not is_control(cell.build) for cell in data.observations)
    controls = len(data.observations) - cells
    return (
        f"{cells:,} cells and {controls:,} of controls are too many for one page (at most "
        f"{MOST_CELLS_OF_PAGE:,}): make a site of the run with "
        f"'postfix-matrix publish {folder} --into SITE'"
    )


def render_large_run(data: RunData) -> str:
    """A page without tables, in place of one that no browser would show in time."""
    title = f"Run {escape(data.run.id)}: too large for one page"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{escape(_large_run_sentence(data, "RUN"), quote=False)}, where RUN is this page's folder.</p>
<p>All cells are in <a href="matrix.csv">matrix.csv</a> and <a href="matrix.md">matrix.md</a>.</p>
</main>
</body>
</html>
"""
