"""``postfix-matrix merge``: several run folders as one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from harness.cli.argument_checks import WholeNumber
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.output_paths import OutputFolder
from harness.cli.printing import print_text
from harness.cli.signals import handle_signals
from harness.counts import format_count
from harness.errors import ExitCode
from harness.observations.counting import count_outcomes
from harness.observations.merge_checks import shards_of, unfinished_runs
from harness.observations.merged_folder import FlakyCell
from harness.observations.run_folder import RunData, load_run
from harness.reports.labels import describe_result
from harness.reports.problems import describe_problems
from harness.run.merge_folders import MergeResult, merge_folders

#: Flaky cells that are printed with both results; the others are counted.
MOST_FLAKY = 10


@click.command(
    "merge",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix merge shard-* -o runs/merged --expect-shards 4",
        "postfix-matrix merge runs/monday runs/tuesday -o runs/both",
    ),
)
@click.argument("folders", metavar="DIR...", type=click.Path(path_type=Path), nargs=-1)
@grouped_option(
    OptionGroup.OUTPUT,
    "--output",
    "-o",
    "output",
    type=OutputFolder(),
    required=True,
    help="The new run folder; it must not be there yet.",
)
@grouped_option(
    OptionGroup.SELECTION,
    "--expect-shards",
    "expected",
    type=WholeNumber(1),
    metavar="N",
    help="Refuse anything but all of N shards of one plan, each finished.",
)
def merge_command(folders: tuple[Path, ...], output: Path, expected: int | None) -> int:
    """Merge run folders into one, with their evidence.

    DIR is a run folder, or a folder of them such as --runs names. All must be made by one version
    of postfix-matrix, from the same scenarios and images. A cell with the same result in several
    runs is kept once; with different results both are kept and the cell is flaky.

    The exit code is 0 where the runs were merged, 3 where a cell is flaky, and 4 where they cannot
    be merged: then nothing is written.
    """
    if not folders:
        raise click.UsageError("name at least one run folder")
    with handle_signals():
        result = merge_folders(folders, output, ["postfix-matrix", *sys.argv[1:]], expected)
    data = load_run(result.folder)
    for line in _describe_merge(result, data):
        print_text(line)
    if problems := describe_problems(data):
        print_text(problems, err=True)
    return ExitCode.INFRASTRUCTURE if result.flaky else ExitCode.OK


def _describe_merge(result: MergeResult, data: RunData) -> Iterator[str]:
    counts = count_outcomes(data.observations)
    planned = data.run.axes.planned()
    cells = f"{counts.measured} of {planned} cells, {counts.controls} control cells"
    yield f"{result.folder}: {format_count(len(result.runs), 'run')}, {cells}"
    shards = [shard for run in result.runs for shard in shards_of(run)]
    totals = {shard.count for shard in shards}
    if len(totals) == 1:
        indices = sorted({shard.index for shard in shards})
        yield f"shards {', '.join(map(str, indices))} of {totals.pop()}"
    yield from (f"not finished: {run.folder}" for run in unfinished_runs(result.runs))
    for cell in result.flaky[:MOST_FLAKY]:
        yield from _describe_flaky(cell)
    if len(result.flaky) > MOST_FLAKY:
        yield f"and {len(result.flaky) - MOST_FLAKY} more flaky cells: see flaky in run.json"


def _describe_flaky(cell: FlakyCell) -> Iterator[str]:
    yield f"flaky: {cell.cell}"
    for run, observation in cell.results:
        yield f"  {describe_result(observation)} in {run}"
