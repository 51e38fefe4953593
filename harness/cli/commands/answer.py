"""``postfix-matrix answer``: a scenario's verdict, to be pasted where the advice was given."""

from __future__ import annotations

from pathlib import Path

import click

from harness.catalog.selectors import select_names
from harness.cli.completion import complete_scenarios
from harness.cli.grouped_help import GroupedCommand, format_examples
from harness.cli.printing import print_text
from harness.observations.run_folder import load_run
from harness.reports.answer_text import render_answer
from harness.run.run_folders import run_folder
from harness.verdicts.verdict import judge_run


@click.command(
    "answer",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix answer answer-2-smtp-line",
        "postfix-matrix answer netways-enforce runs/20260101T120000Z-1a2b",
    ),
)
@click.argument("scenario", shell_complete=complete_scenarios)
@click.argument("folder", type=click.Path(path_type=Path), required=False)
def answer_command(scenario: str, folder: Path | None) -> None:
    """Print a verdict to paste under SCENARIO's advice.

    It rests on the run in FOLDER (default: the latest), and has three sentences, the settings, a
    table of builds, and the command that repeats the measurement.
    """
    data = load_run(run_folder(folder))
    verdicts = {verdict.scenario: verdict for verdict in judge_run(data)}
    (name, *_) = select_names("scenario", list(verdicts), [scenario])
    print_text(render_answer(data, verdicts[name]), nl=False)
