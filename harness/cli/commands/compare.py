"""``postfix-matrix compare``: what differs between two runs."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.grouped_help import GroupedCommand, format_examples
from harness.errors import ExitCode
from harness.observations.record import Observation
from harness.observations.run_folder import load_run
from harness.reports.labels import describe_result
from harness.reports.plain_text import escape_controls
from harness.run.run_folders import run_folder
from harness.verdicts.comparison import (
    DifferingCell,
    RunComparison,
    compare_runs,
)
from harness.verdicts.observation_diff import cipher_of


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
def compare_command(before: Path, after: Path | None) -> int:
    """Compare two runs: which cells and verdicts differ.

    BEFORE and AFTER (default: the latest) are their folders. Cells are compared by outcome, reason,
    protocol, cipher and group, verdicts by name. A cell that differs under the same configuration
    and image is flaky. The exit code is 1 where anything differs.
    """
    comparison = compare_runs(load_run(run_folder(before)), load_run(run_folder(after)))
    for line in _describe_comparison(comparison):
        click.echo(escape_controls(line))
    return ExitCode.DIFFERS if comparison.differing or comparison.changed_verdicts else ExitCode.OK


def _describe_comparison(comparison: RunComparison) -> list[str]:
    lines = [
        line for difference in comparison.differing for line in _describe_difference(difference)
    ]
    lines += [
        f"{t.scenario} on {t.build}: {t.before}, then {t.after}"
        for t in comparison.changed_verdicts
    ]
    both = comparison.same + len(comparison.differing)
    lines.append(f"{len(comparison.differing)} of {both} cells differ")
    lines.append(f"{len(comparison.changed_verdicts)} of {comparison.verdicts} verdicts differ")
    for cells, which in ((comparison.only_before, "first"), (comparison.only_after, "second")):
        if cells:
            lines.append(f"{len(cells)} cells are in the {which} run only, such as {cells[0]}")
    return lines


def _describe_difference(difference: DifferingCell) -> list[str]:
    kind = "flaky" if difference.flaky else "another configuration or image"
    return [
        f"{difference.before.cell}: {', '.join(difference.names)} ({kind})",
        f"  first:  {_describe_observation(difference.before)}",
        f"  second: {_describe_observation(difference.after)}",
    ]


def _describe_observation(observation: Observation) -> str:
    cipher = cipher_of(observation)
    return describe_result(observation) + (f", {cipher}" if cipher else "")
