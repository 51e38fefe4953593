"""``postfix-matrix verdicts``: the verdicts on a run's advice, from its folder alone."""

from __future__ import annotations

from pathlib import Path

import click

from harness.catalog.selectors import select_names
from harness.cli.ci_output import CI_FORMS, GITLAB, as_text, print_annotations
from harness.cli.completion import complete_scenarios
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.printing import print_json, print_text
from harness.cli.verdict_exit import (
    exit_code_of,
    exit_code_option,
)
from harness.errors import ExitCode, NothingSelectedError
from harness.observations.run_folder import RunData, load_run
from harness.reports.step_summary import run_summary
from harness.reports.verdict_annotations import verdict_annotations
from harness.reports.verdicts_json import verdicts_data
from harness.reports.verdicts_text import finding_paragraphs, render_verdicts
from harness.run.run_folders import run_folder
from harness.verdicts.verdict import ScenarioVerdict, judge_run

TEXT, MARKDOWN, JSON = "text", "markdown", "json"


@click.command(
    "verdicts",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix verdicts -s 'answer-*'",
        "postfix-matrix verdicts --format markdown --exit-code",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@grouped_option(
    OptionGroup.SELECTION,
    "--scenarios",
    "-s",
    multiple=True,
    metavar="GLOBS",
    help="Only these scenarios.",
    shell_complete=complete_scenarios,
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--format",
    "form",
    type=click.Choice((TEXT, MARKDOWN, JSON, *CI_FORMS)),
    default=TEXT,
    show_default=True,
    help="Text names a few cells of each finding, JSON all of them (docs/schemas); github and "
    "gitlab are for a CI (docs/ci.md).",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--all-cells",
    is_flag=True,
    help="Name every cell of a finding, in text too.",
)
@exit_code_option
def verdicts_command(
    folder: Path | None,
    scenarios: tuple[str, ...],
    form: str,
    all_cells: bool,
    by_verdict: bool,
) -> int:
    """Judge the advice of a run's scenarios, without Docker.

    The run's FOLDER (default: the latest) has what each scenario expects, so the verdicts are the
    same on every machine.
    """
    data = load_run(run_folder(folder))
    # A CI's job judges whatever was measured, and advice need not be among it.
    verdicts = _choose_verdicts(data, scenarios, required=form not in CI_FORMS)
    if form == JSON:
        print_json(verdicts_data(data, verdicts))
    elif form == MARKDOWN:
        print_text(render_verdicts(data, verdicts), nl=False)
    elif form != GITLAB:
        with as_text(form):
            for verdict in verdicts:
                lines = finding_paragraphs(data, verdict, every_cell=all_cells)
                print_text("\n".join(lines) + "\n")
    if form in CI_FORMS:
        annotations = verdict_annotations(verdicts, {}, failing=by_verdict)
        print_annotations(list(annotations), form, lambda most: run_summary(data, most))
    return exit_code_of(verdicts) if by_verdict else ExitCode.OK


def _choose_verdicts(
    data: RunData, patterns: tuple[str, ...], *, required: bool
) -> tuple[ScenarioVerdict, ...]:
    verdicts = {verdict.scenario: verdict for verdict in judge_run(data)}
    if not verdicts and not required:
        return ()
    if not verdicts:
        raise NothingSelectedError(
            f"no scenario of {data.folder} expects anything",
            cause="expectations are [[expect]] tables, and this run's scenarios have none",
            next_step="see docs/writing-a-scenario.md on how to write one; then run again",
        )
    return tuple(verdicts[name] for name in select_names("scenario", list(verdicts), patterns))
