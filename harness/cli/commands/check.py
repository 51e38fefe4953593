"""``postfix-matrix check``: compares a configuration with what a snapshot recorded."""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from harness.catalog.builds import Build, UserAdditions
from harness.catalog.selectors import select_names, split_globs
from harness.cli.candidate_options import (
    CandidateOptions,
    candidate_argument,
    candidate_options,
)
from harness.cli.ci_output import CI_FORMS
from harness.cli.comparison_output import print_comparison
from harness.cli.confirmation import confirm_measuring
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.measure_options import (
    MeasureOptions,
    measuring_options,
    service_option,
)
from harness.cli.output_forms import JSON, MARKDOWN, TEXT, format_option
from harness.cli.output_paths import OutputFile
from harness.cli.printing import print_text
from harness.cli.run_place import print_run_place
from harness.cli.signals import handle_signals
from harness.cli.snapshot_files import (
    make_locate,
    names_for_snapshot,
    read_candidate_of,
    refuse_in_ci,
    write_snapshot,
)
from harness.counts import format_count
from harness.errors import ExitCode, HarnessError, UsageError
from harness.files import write_atomically
from harness.observations.local_paths import hide_local_paths, places_of_machine
from harness.observations.run_folder import RunData
from harness.reports.comparison_json import comparison_data
from harness.reports.comparison_report import ComparisonReport, report_of_check
from harness.reports.junit import CHECK_FILE, JUNIT_FILE, render_junit
from harness.run.choosing import check_used, read_scenarios
from harness.run.snapshot_measuring import SnapshotMeasurer
from harness.scenarios.policies import load_policies
from harness.scenarios.scenario import Scenario
from harness.snapshots.checking import CheckResult, SnapshotCheck, select_places
from harness.snapshots.findings import Finding
from harness.snapshots.known_failures import (
    KNOWN_FAILURES,
    KnownFailures,
    load_known_failures,
)
from harness.snapshots.recorded_candidate import record_candidate
from harness.snapshots.snapshot import Snapshot, prune_snapshot, update_snapshot
from harness.snapshots.snapshot_file import load_snapshot
from harness.snapshots.strength import MutantResult, find_mutations
from harness.snapshots.values import (
    IMAGE,
    BuildVersions,
    CellPlace,
    Level,
    parse_level,
    values_by_place,
)


@dataclass(frozen=True, slots=True)
class CheckFiles:
    """What a check reads and writes. ``names`` are what the candidate was read from."""

    path: Path
    snapshot: Snapshot
    level: Level
    known: KnownFailures
    candidate: Scenario
    names: tuple[str, ...]


@click.command(
    "check",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix check snapshot.json",
        "postfix-matrix check snapshot.json /etc/postfix -b debian-12 --format markdown",
    ),
)
@click.argument("path", type=click.Path(path_type=Path), metavar="SNAPSHOT")
@candidate_argument
@grouped_option(
    OptionGroup.CONFIGURATION,
    "--known",
    "known_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"The file of known failures.  [default: {KNOWN_FAILURES} beside the snapshot]",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--complete",
    is_flag=True,
    help="End with exit code 1 too where a recorded cell was not checked.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--update",
    is_flag=True,
    help="Change the snapshot: only rows that are measured now.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--prune",
    is_flag=True,
    help="Delete from the snapshot what can no longer be measured.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--force",
    is_flag=True,
    help="Change it also where CI is set; prune builds of your own images too.",
)
@format_option(
    "Markdown is for a pull request's comment; JSON has every cell (docs/schemas); github and "
    "gitlab show the findings beside your lines (docs/ci.md).",
    (TEXT, JSON, MARKDOWN, *CI_FORMS),
)
@grouped_option(OptionGroup.OUTPUT, "--verbose", "-v", is_flag=True, help="Name every cell.")
@grouped_option(
    OptionGroup.OUTPUT,
    "--junit",
    "junit_path",
    type=OutputFile(),
    help="Write a JUnit report for a CI to this file too.",
)
@grouped_option(
    OptionGroup.MEASURING,
    "--strength",
    is_flag=True,
    help="Also weaken each TLS setting in turn, and list what the snapshot would not notice.",
)
@grouped_option(
    OptionGroup.MEASURING,
    "--yes",
    "-y",
    is_flag=True,
    help="Measure with --strength without asking, even if it takes long.",
)
@service_option
@candidate_options(redacting=True)
@measuring_options
def check_command(
    path: Path,
    names: tuple[str, ...],
    known_path: Path | None,
    complete: bool,
    update: bool,
    prune: bool,
    force: bool,
    form: str,
    verbose: bool,
    junit_path: Path | None,
    strength: bool,
    yes: bool,
    service: str | None,
    reading: CandidateOptions,
    measuring: MeasureOptions,
) -> int:
    """Compare a configuration with a recorded snapshot.

    The output says what broke, for which clients, and which settings are the cause.

    The configuration is the one named, else the one that was recorded, read again. The recorded
    cells are measured. One that differs is measured twice more, and counts only where it differs
    again. Then the settings that differ from the recorded ones are put back, to find those that
    are the cause.

    The exit code is 0 where all is as recorded, 1 where something differs, 3 where a cell is flaky
    or unconfirmed or nothing could be measured, and 4 for bad input.
    """
    if update or prune:
        refuse_in_ci(path, force=force)
    files = _read_files(path, names, known_path, service, reading, measuring)
    builds, unknown = find_builds(files.snapshot, measuring.selection.builds, measuring.additions)
    if prune and not force:
        check_prunable(files.snapshot, unknown)
    selected = _select_cells(files, measuring, builds)
    if strength:
        _confirm_strength(files, selected, yes=yes, quiet=measuring.quiet)
    with (
        measuring.make_display() as display,
        handle_signals(),
        measuring.make_engine(display) as engine,
    ):
        measurer = SnapshotMeasurer(engine, builds, measuring.runs)
        check = SnapshotCheck(
            files.snapshot, files.level, files.candidate, measurer, files.known, unknown
        )
        result = check.run(selected, with_blame=not update)
        mutants = check.run_strength(selected) if strength and _is_green(result) else None
        # Before the engine closes, which may fail on a busy machine.
        report = _make_report(files, result, measurer.data, mutants)
        print_comparison(report, form, verbose=verbose)
        _write_reports(report, measurer.data, junit_path)
    if update or prune:
        _change_snapshot(files, result, service, unknown, update=update, prune=prune)
    if strength and mutants is None:
        print_text("--strength: nothing was weakened, since the check is not green", err=True)
    print_run_place(measurer.data)
    return exit_code_of(result, files.level, complete=complete, update=update)


def exit_code_of(result: CheckResult, level: Level, *, complete: bool, update: bool) -> ExitCode:
    """The check's; with ``update`` a difference is recorded, and only an empty result is bad."""
    if not update:
        return result.exit_code(complete=complete)
    measured = result.measurement
    is_empty = not values_by_place(level, measured.cells.values(), measured.builds)
    return ExitCode.INFRASTRUCTURE if is_empty else ExitCode.OK


def _make_report(
    files: CheckFiles,
    result: CheckResult,
    data: RunData | None,
    mutants: tuple[MutantResult, ...] | None,
) -> ComparisonReport:
    report = report_of_check(
        result, str(files.path), files.level.name, data, make_locate(files.names)
    )
    return replace(report, strength=mutants)


def _is_green(result: CheckResult) -> bool:
    return result.exit_code() == ExitCode.OK


def _confirm_strength(
    files: CheckFiles, selected: Collection[CellPlace], *, yes: bool, quiet: bool
) -> None:
    """Ask before many mutants are measured.

    Raises:
        UsageError: it would take long, and there is no terminal to ask on.
    """
    number = len(selected) * (1 + len(find_mutations(files.candidate)))
    confirm_measuring("check --strength", number, yes=yes, quiet=quiet)


def _write_reports(report: ComparisonReport, data: RunData | None, junit_path: Path | None) -> None:
    """Keep what was found in the run's folder, and write the JUnit report of it."""
    if data is None:
        return
    shared = hide_local_paths(comparison_data(report), places_of_machine(data.folder))
    document = json.dumps(shared, ensure_ascii=False, indent=1)
    write_atomically(data.folder / CHECK_FILE, document + "\n")
    text = render_junit(data)
    write_atomically(data.folder / JUNIT_FILE, text)
    if junit_path is not None:
        write_atomically(junit_path, text)


def _read_files(
    path: Path,
    names: Sequence[str],
    known_path: Path | None,
    service: str | None,
    reading: CandidateOptions,
    measuring: MeasureOptions,
) -> CheckFiles:
    """Read everything that may be wrong, before anything starts."""
    snapshot = load_snapshot(path)
    level = parse_level(snapshot.level, load_policies(measuring.scenarios_dir))
    known = load_known_failures(
        known_path or path.parent / KNOWN_FAILURES,
        path.name,
        datetime.datetime.now(datetime.UTC).date(),
    )
    scenarios = read_scenarios(measuring.scenarios_dir)
    candidate, given = read_candidate_of(snapshot, path, names, service, reading, scenarios)
    return CheckFiles(path, snapshot, level, known, candidate, given)


def find_builds(
    snapshot: Snapshot, patterns: Sequence[str], additions: UserAdditions
) -> tuple[dict[str, Build], dict[str, str]]:
    """The recorded builds that are selected, and why others are not known any more.

    Raises:
        UsageError: a glob matches no recorded build, or an addition goes into none of them.
    """
    recorded = sorted({place.build for place in snapshot.cells})
    globs = split_globs(patterns)
    chosen = select_names("build", recorded, globs) if recorded else ()
    builds: dict[str, Build] = {}
    unknown: dict[str, str] = {}
    for name in chosen:
        try:
            builds[name] = Build.parse(name, additions)
        except HarnessError as error:
            unknown[name] = error.what
    # Of all builds together: an image of the user's is one build, and the others are not unknown.
    check_used(additions, builds.values())
    return builds, unknown


def check_prunable(snapshot: Snapshot, unknown: Iterable[str]) -> None:
    """Refuse to delete the rows of builds that are unknown only because an option is missing.

    Raises:
        UsageError: one of them was recorded with --image or --source.
    """
    for name in unknown:
        origin = snapshot.builds.get(name, BuildVersions()).origin
        if origin:
            form = f"--image {name}=REFERENCE" if origin == IMAGE else "--source RELEASE=PATH"
            raise UsageError(
                f"--prune would delete the rows of {name}, which can still be measured",
                cause=f"it was recorded with --{origin}, and is unknown without",
                next_step=f"add {form}, or --force to delete its rows",
            )


def _select_cells(
    files: CheckFiles, measuring: MeasureOptions, builds: Mapping[str, Build]
) -> tuple[CellPlace, ...]:
    """The places to measure, by the options that narrow the recorded ones.

    Raises:
        UsageError: a glob matches nothing that is recorded.
    """
    places = select_places(files.snapshot, files.candidate, builds)
    selection = measuring.selection
    chosen = {
        "service": set(_narrow_names("service", selection.services, [p.service for p in places])),
        "client": set(_narrow_names("client", selection.clients, [p.client for p in places])),
        "offer": set(_narrow_names("offer", selection.offers, [p.offer for p in places])),
    }
    return tuple(
        place for place in places if all(getattr(place, axis) in chosen[axis] for axis in chosen)
    )


def _narrow_names(axis: str, globs: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    available = list(dict.fromkeys(names))
    return select_names(axis, available, globs) if globs else tuple(available)


def _change_snapshot(
    files: CheckFiles,
    result: CheckResult,
    service: str | None,
    unknown: Mapping[str, str],
    *,
    update: bool,
    prune: bool,
) -> None:
    """Write what was measured into the snapshot, and delete what cannot be measured."""
    recorded = files.snapshot.candidate
    candidate = replace(
        record_candidate(files.candidate, service=service or recorded.service),
        names=names_for_snapshot(files.names, files.path),
    )
    pruned = [cell.place for cell in result.comparison.having(Finding.GONE)] if prune else []
    pruned += [p for p in files.snapshot.cells if prune and p.build in unknown]

    def change(present: Snapshot | None) -> Snapshot:
        snapshot = present or files.snapshot
        if update:
            snapshot = update_snapshot(snapshot, files.level, candidate, result.measurement)
        return prune_snapshot(snapshot, pruned)

    snapshot = write_snapshot(files.path, change)
    lost = f", {format_count(len(pruned), 'cell')} deleted" if pruned else ""
    cells = format_count(len(snapshot.cells), "cell")
    print_text(f"{files.path} is written: {cells}{lost}", err=True)
