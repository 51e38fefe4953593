"""Prints a comparison, of a snapshot or of two runs, in the form that ``--format`` names."""

from __future__ import annotations

from harness.cli.ci_output import CI_FORMS, GITLAB, as_text, print_annotations
from harness.cli.output_forms import JSON, MARKDOWN
from harness.cli.printing import print_json, print_text
from harness.reports.comparison_annotations import comparison_annotations
from harness.reports.comparison_json import comparison_data
from harness.reports.comparison_markdown import comparison_markdown
from harness.reports.comparison_report import ComparisonReport
from harness.reports.comparison_text import comparison_lines
from harness.reports.step_summary import check_summary


def print_comparison(report: ComparisonReport, form: str, *, verbose: bool) -> None:
    """Print the report to standard output; ``form`` is a choice of ``--format``."""
    if form == JSON:
        print_json(comparison_data(report))
    elif form == MARKDOWN:
        print_text(comparison_markdown(report), nl=False)
    elif form != GITLAB:
        with as_text(form):
            print_text("\n".join(comparison_lines(report, verbose=verbose)))
    if form in CI_FORMS:
        annotations = list(comparison_annotations(report))
        print_annotations(annotations, form, lambda most: check_summary(report, most))
