"""``postfix-matrix tool``: what a hardening tool changes, for files and for clients."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from harness.catalog.builds import known_builds
from harness.cli.argument_checks import AnyText
from harness.cli.ci_output import CI_FORMS, GITLAB, as_text, print_annotations
from harness.cli.completion import complete_policies
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.measure_options import MeasureOptions, measuring_options
from harness.cli.output_forms import JSON, MARKDOWN, TEXT, format_option
from harness.cli.output_paths import OutputFile
from harness.cli.policy_options import claim_policies, parse_policy
from harness.cli.printing import print_json, print_text
from harness.cli.run_place import print_run_place
from harness.cli.signals import handle_signals
from harness.cli.snapshot_files import refuse_in_ci, write_snapshot
from harness.cli.tool_session import ToolFiles, ToolOutcome, ToolSession
from harness.counts import format_count
from harness.errors import FileLocation, UsageError
from harness.files import write_atomically
from harness.reports.annotations import Annotation
from harness.reports.step_summary import tool_summary
from harness.reports.tool_annotations import tool_annotations
from harness.reports.tool_json import tool_data
from harness.reports.tool_markdown import tool_markdown
from harness.reports.tool_text import tool_text
from harness.reports.verify_annotations import verify_annotations
from harness.reports.verify_json import verification_data
from harness.run.choosing import read_scenarios
from harness.run.planning import check_selection
from harness.scenarios.claims import BASELINE, Claims
from harness.scenarios.policies import load_policies
from harness.snapshots.snapshot import RecordedSelection
from harness.snapshots.snapshot_file import load_snapshot
from harness.snapshots.values import BEHAVIOUR, parse_level
from harness.tools.tool_file import (
    HardeningTool,
    ToolBase,
    check_overrides,
    is_variable_name,
    load_tool,
    parse_base,
)
from harness.tools.trial import AFTER, BEFORE

#: The report's file in the run's folder.
TOOL_FILE = "tool.json"


@click.command(
    "tool",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix tool harden.sh -b debian-12,debian-13",
        "postfix-matrix tool tool.toml -b 'debian-*' --policy tls12-or-newer",
    ),
)
@click.argument("path", type=click.Path(path_type=Path), metavar="TOOL.toml | SCRIPT")
@grouped_option(
    OptionGroup.SELECTION,
    "--policy",
    "-p",
    "policies",
    multiple=True,
    metavar="NAME[=CLIENTS]",
    shell_complete=complete_policies,
    help="A policy that the tool's configuration must meet ('postfix-matrix list policies').",
)
@grouped_option(
    OptionGroup.CONFIGURATION,
    "--base",
    "base",
    type=AnyText(),
    metavar="BASE",
    help="What the tool starts from: stock, empty, debconf, or a folder.  "
    "[default: the description's; else debconf on Debian and Ubuntu, stock elsewhere]",
)
@grouped_option(
    OptionGroup.CONFIGURATION,
    "--var",
    "variables",
    multiple=True,
    type=AnyText(),
    metavar="NAME=VALUE",
    help="A variable of the tool: {NAME} in its command, and NAME in its environment.",
)
@grouped_option(
    OptionGroup.CONFIGURATION,
    "--check",
    "check_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Compare what the tool's configuration does with this snapshot.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--record",
    "record_path",
    type=OutputFile(),
    help="Record what the tool's configuration does in this snapshot.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--force",
    is_flag=True,
    help="Replace an existing snapshot, also where CI is set.",
)
@format_option(
    "Markdown is for a comment; JSON has the tool's whole output; github and gitlab show the "
    "findings on the tool's file (docs/ci.md).",
    (TEXT, JSON, MARKDOWN, *CI_FORMS),
)
@grouped_option(
    OptionGroup.OUTPUT, "--verbose", "-v", is_flag=True, help="Print whole diffs, name every cell."
)
@measuring_options
def tool_command(
    path: Path,
    policies: tuple[str, ...],
    base: str | None,
    variables: tuple[str, ...],
    check_path: Path | None,
    record_path: Path | None,
    force: bool,
    form: str,
    verbose: bool,
    measuring: MeasureOptions,
) -> int:
    """Show what a hardening tool changes for clients.

    The tool is a script, or a description of one (docs/tools.md). It runs as root in a container of
    each build, twice. The output has what it changed, whether its second run changes anything, and
    what is different for clients. A tool that fails, or is not idempotent, gives the exit code 1.

    So does one that does not meet a --policy, or differs from the snapshot of --check.
    """
    files = read_files(
        path,
        measuring=measuring,
        policies=policies,
        base=base,
        variables=variables,
        check_path=check_path,
        record_path=record_path,
        force=force,
    )
    with (
        measuring.make_display() as display,
        handle_signals(),
        measuring.make_engine(display) as engine,
    ):
        outcome = ToolSession(files, measuring, engine).run()
        # Before the engine closes, which may fail on a busy machine.
        _print_outcome(outcome, files, form, verbose=verbose)
        if form in CI_FORMS:
            _print_findings(outcome, files, form)
        _record_snapshot(outcome, files, measuring)
    print_run_place(outcome.data)
    return outcome.exit_code


def read_files(
    path: Path,
    *,
    measuring: MeasureOptions,
    policies: tuple[str, ...] = (),
    base: str | None = None,
    variables: tuple[str, ...] = (),
    check_path: Path | None = None,
    record_path: Path | None = None,
    force: bool = False,
) -> ToolFiles:
    """Read everything that may be wrong, before anything starts.

    Raises:
        UsageError: the description, a policy, a variable, the base or a snapshot's path is wrong.
    """
    check_selection(measuring.selection)
    known = load_policies(measuring.scenarios_dir)
    named = [parse_policy(text, known) for text in policies]
    snapshot = None if check_path is None else load_snapshot(check_path)
    level = parse_level(BEHAVIOUR if snapshot is None else snapshot.level, known)
    if record_path is not None and record_path.exists():
        if not force:
            raise UsageError(f"{record_path} exists already", next_step="add --force to replace it")
        refuse_in_ci(record_path, force=force)
        # It is read when it is replaced: too late to say that it is no snapshot.
        load_snapshot(record_path)
    return ToolFiles(
        tool=_read_tool(path, base, variables, measuring.builds),
        policies=policies,
        named_policies=tuple(policy for policy, _ in named),
        claims=claim_policies(Claims(against=BEFORE), named) if named else None,
        snapshot=snapshot,
        snapshot_path=check_path,
        snapshot_level=level,
        record_path=record_path,
        baseline=read_scenarios(None)[BASELINE],
    )


def _read_tool(
    path: Path, base: str | None, variables: tuple[str, ...], builds: Iterable[str]
) -> HardeningTool:
    """The tool, with the base and the variables of the command line; ``builds`` are selected."""
    tool = load_tool(path)
    check_overrides(tool, [*(build.id for build in known_builds()), *builds])
    given: dict[str, object] = {}
    for text in variables:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--var {text}: no value", next_step="write NAME=VALUE")
        if not is_variable_name(name):
            raise UsageError(
                f"--var {text}: {name!r} cannot be a variable's name",
                next_step="name it as variables of the environment are, such as domain=example.org",
            )
        given[name] = value
    tool = tool.with_variables(given)
    if base is None:
        return tool
    parsed = parse_base(base, Path.cwd())
    if parsed is None:
        raise UsageError(
            f"--base {base}: there is no such folder",
            next_step=f"name {', '.join(ToolBase)}, or a folder",
        )
    return tool.with_base(parsed)


def _print_outcome(outcome: ToolOutcome, files: ToolFiles, form: str, *, verbose: bool) -> None:
    """Print the report, and keep it in the run's folder."""
    policies = None
    if files.claims is not None and outcome.data is not None and outcome.answers:
        policies = verification_data(outcome.data, AFTER, outcome.answers, files.policies)
    document = tool_data(outcome.report, policies)
    if outcome.data is not None:
        text = json.dumps(document, ensure_ascii=False, indent=1)
        write_atomically(outcome.data.folder / TOOL_FILE, text + "\n")
    if form == JSON:
        print_json(document)
    elif form == MARKDOWN:
        print_text(tool_markdown(outcome.report))
    elif form != GITLAB:
        with as_text(form):
            print_text(tool_text(outcome.report, verbose=verbose))


def _print_findings(outcome: ToolOutcome, files: ToolFiles, form: str) -> None:
    """Print the findings for a CI, each on the tool's file."""
    answers: list[Annotation] = []
    if outcome.data is not None and outcome.measurements:
        # The tool's settings may differ among builds; those of the first one stand for them.
        candidate = outcome.measurements[0].trial.after
        assert candidate is not None
        place = FileLocation(files.tool.path)
        answers += verify_annotations(
            outcome.data, candidate, outcome.answers, files.named_policies, lambda _: place
        )
    annotations = list(tool_annotations(outcome.report, answers))
    print_annotations(annotations, form, lambda most: tool_summary(outcome.report, most))


def _record_snapshot(outcome: ToolOutcome, files: ToolFiles, measuring: MeasureOptions) -> None:
    """Write the snapshot of --record, unless nothing was measured."""
    if files.record_path is None:
        return
    chosen = measuring.selection
    selection = RecordedSelection(chosen.services, chosen.clients, chosen.offers)
    snapshot = outcome.make_snapshot(selection)
    if snapshot is None:
        print_text(f"{files.record_path} is not written: nothing was measured", err=True)
        return
    if lost := outcome.unmeasured_builds:
        print_text(
            f"{files.record_path} is not written: {', '.join(lost)} could not be measured, and a "
            "snapshot without it would not be noticed to lack it\n"
            "  next step: mend the tool there, or leave the build out, such as with "
            f"-b '!{lost[0]}'",
            err=True,
        )
        return
    write_snapshot(files.record_path, lambda _: snapshot)
    print_text(
        f"{files.record_path}: {format_count(len(snapshot.cells), 'cell')} of "
        f"{format_count(len(snapshot.builds), 'build')}",
        err=True,
    )
