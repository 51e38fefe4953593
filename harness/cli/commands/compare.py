"""``postfix-matrix compare``: what differs between two runs."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.comparison_output import print_comparison
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.output_forms import format_option
from harness.errors import ExitCode
from harness.observations.run_folder import load_run
from harness.reports.comparison_report import report_of_runs
from harness.run.run_folders import run_folder
from harness.scenarios.policies import load_policies
from harness.snapshots.findings import Finding
from harness.snapshots.run_comparison import (
    DIFFERENT,
    RunComparison,
    compare_runs,
)
from harness.snapshots.values import EXACT, parse_level


@click.command(
    "compare",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix compare runs/20260101T120000Z-1a2b",
        "postfix-matrix compare runs/20260101T120000Z-1a2b runs/20260201T120000Z-3c4d",
    ),
)
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path), required=False)
@grouped_option(
    OptionGroup.SELECTION,
    "--level",
    "level_name",
    default=EXACT,
    show_default=True,
    metavar="LEVEL",
    help="What is compared of a cell: exact, behaviour (no cipher, no group), or 'policy NAME'.",
)
@format_option("Markdown is for a pull request's comment; JSON has every cell (docs/schemas).")
@grouped_option(OptionGroup.OUTPUT, "--verbose", "-v", is_flag=True, help="Name every cell.")
def compare_command(
    before: Path, after: Path | None, level_name: str, form: str, verbose: bool
) -> int:
    """Compare two runs: which cells and verdicts differ.

    BEFORE and AFTER (default: the latest) are their folders. The findings are those of 'check':
    broken, changed, fixed, added, gone, not checked. A cell that differs under the same
    configuration and image is flaky. A time-out or an error of the harness is not compared.

    The exit code is 1 where a cell or a verdict differs, and 3 where cells are only flaky or none
    could be compared. A cell that only one of the runs has is no difference, unless the
    configuration lost its service.
    """
    level = parse_level(level_name, load_policies())
    first, second = load_run(run_folder(before)), load_run(run_folder(after))
    comparison = compare_runs(first, second, level)
    report = report_of_runs(comparison, first, second, level.name)
    print_comparison(report, form, verbose=verbose)
    return _exit_code_of(comparison)


def _exit_code_of(comparison: RunComparison) -> int:
    if comparison.having(*DIFFERENT) or comparison.changed_verdicts:
        return ExitCode.DIFFERS
    if comparison.having(Finding.FLAKY) or not comparison.having(Finding.SAME):
        return ExitCode.INFRASTRUCTURE
    return ExitCode.OK
