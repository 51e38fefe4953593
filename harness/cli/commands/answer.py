"""``postfix-matrix answer``: one scenario's verdict, to be pasted where the advice was given."""

from __future__ import annotations

from pathlib import Path

import click

from harness.catalog.selectors import select
from harness.observations.run_folder import load_run
from harness.reports.answer_text import render_answer
from harness.run.run_folders import run_folder
from harness.verdicts.verdict import judge_run


@click.command("answer")
@click.argument("scenario")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
def answer_command(scenario: str, folder: Path | None) -> None:
    """Print what to paste under SCENARIO's advice, by the run in FOLDER (the latest).

    Three sentences, the settings, a table of builds, and the command that does it again.
    """
    data = load_run(run_folder(folder))
    verdicts = {one.scenario: one for one in judge_run(data)}
    (name, *_) = select("scenario", list(verdicts), [scenario])
    click.echo(render_answer(data, verdicts[name]), nl=False)
