"""``postfix-matrix record``: writes a snapshot of what a configuration does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from harness.cli.candidate import named_candidate
from harness.cli.candidate_options import (
    CandidateOptions,
    candidate_argument,
    candidate_options,
)
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.measure_options import (
    MeasureOptions,
    recording_options,
    service_option,
)
from harness.cli.output_paths import OutputFile
from harness.cli.printing import print_text
from harness.cli.run_place import print_run_place
from harness.cli.signals import handle_signals
from harness.cli.snapshot_files import (
    names_for_snapshot,
    refuse_in_ci,
    write_snapshot,
)
from harness.counts import format_count
from harness.errors import ExitCode, HarnessError, UsageError
from harness.run.choosing import read_scenarios
from harness.run.snapshot_measuring import SnapshotMeasurer
from harness.scenarios.policies import load_policies
from harness.scenarios.scenario import Scenario
from harness.snapshots.recorded_candidate import RecordedCandidate, record_candidate
from harness.snapshots.recording import find_unrecorded, measure_twice
from harness.snapshots.snapshot import (
    Measurement,
    RecordedSelection,
    Snapshot,
    make_snapshot,
    update_snapshot,
)
from harness.snapshots.snapshot_text import rows_of
from harness.snapshots.values import (
    BEHAVIOUR,
    CellPlace,
    Level,
    parse_level,
    place_of,
)
from harness.tls import Offer


@click.command(
    "record",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix record /etc/postfix -b debian-12,debian-13 -o snapshot.json",
        "postfix-matrix record main.cf -c 'openssl-*' --level exact -o snapshot.json",
    ),
)
@candidate_argument
@grouped_option(
    OptionGroup.OUTPUT,
    "--output",
    "-o",
    type=OutputFile(),
    required=True,
    help="The snapshot's file, such as snapshot.json.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--level",
    "level_name",
    default=BEHAVIOUR,
    show_default=True,
    metavar="LEVEL",
    help="What is kept of a cell: behaviour, exact (also cipher and group), or 'policy NAME'.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--update",
    is_flag=True,
    help="Change an existing snapshot: only rows that are measured now.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--force",
    is_flag=True,
    help="Replace an existing snapshot, also where CI is set.",
)
@service_option
@candidate_options(redacting=True)
@recording_options
def record_command(
    names: tuple[str, ...],
    output: Path,
    level_name: str,
    update: bool,
    force: bool,
    service: str | None,
    reading: CandidateOptions,
    measuring: MeasureOptions,
) -> int:
    """Measure a configuration and record what it does.

    The file has one row for each client and offer, with what the builds show, the configuration's
    settings and the versions of each build. 'postfix-matrix check' compares it with what is
    measured later.

    The configuration is read as 'verify' reads it. A cell that timed out or failed is measured
    once more; if it shows nothing then either, it is not recorded, and the exit code is 3.
    """
    _check_output(output, update=update, force=force)
    level = parse_level(level_name, load_policies(measuring.scenarios_dir))
    scenarios = read_scenarios(measuring.scenarios_dir)
    candidate = _add_offers(named_candidate(names, scenarios, service, options=reading), level)
    places = [place_of(cell) for cell in measuring.plan_scenarios([candidate]).cells()]
    with (
        measuring.make_display() as display,
        handle_signals(),
        measuring.make_engine(display) as engine,
    ):
        measurer = SnapshotMeasurer(engine, measuring.builds, measuring.runs)
        measurement = measure_twice(measurer, candidate, places)
        given = () if reading.container else names_for_snapshot(names, output)
        recorded = record_candidate(candidate, given, service or "")
        # Before the engine closes, which may fail on a busy machine.
        snapshot = _write_recorded(output, level, recorded, measurement, measuring, update=update)
    unrecorded = find_unrecorded(measurement, places)
    return _report_record(output, snapshot, measurement, unrecorded, measurer)


def _check_output(output: Path, *, update: bool, force: bool) -> None:
    """Refuse an output that is surely a mistake, before anything is measured.

    Raises:
        UsageError: it is an offer (-o is --offers elsewhere), or there is such a file already.
    """
    if _is_offer(str(output)):
        raise UsageError(
            f"-o {output} names an offer, and -o of 'record' is the snapshot's file",
            next_step="select offers with --offers, and name a file such as -o snapshot.json",
        )
    if not output.exists():
        return
    if not update and not force:
        raise UsageError(
            f"{output} exists already",
            next_step="add --update to change the rows that are measured now, or --force to "
            "replace it",
        )
    refuse_in_ci(output, force=force)


def _is_offer(text: str) -> bool:
    try:
        Offer.parse(text)
    except HarnessError:
        return False
    return True


def _add_offers(candidate: Scenario, level: Level) -> Scenario:
    """The candidate with the offers that its level needs, as claims that a selection overrides."""
    if not level.offers:
        return candidate
    return replace(candidate, claims=replace(candidate.claims, offers=level.offers))


def _write_recorded(
    output: Path,
    level: Level,
    recorded: RecordedCandidate,
    measurement: Measurement,
    measuring: MeasureOptions,
    *,
    update: bool,
) -> Snapshot:
    chosen = measuring.selection
    selection = RecordedSelection(chosen.services, chosen.clients, chosen.offers)

    def change(present: Snapshot | None) -> Snapshot:
        if present is None or not update:
            return make_snapshot(level, recorded, measurement, selection)
        if present.level != level.name:
            raise UsageError(
                f"{output} has the level {present.level}, not {level.name}",
                next_step=f"add --level '{present.level}', or record it anew with --force",
            )
        return update_snapshot(present, level, recorded, measurement)

    return write_snapshot(output, change)


def _report_record(
    output: Path,
    snapshot: Snapshot,
    measurement: Measurement,
    unrecorded: Mapping[CellPlace, str],
    measurer: SnapshotMeasurer,
) -> int:
    rows = len(list(rows_of(snapshot.cells)))
    print_text(
        f"{output}: {format_count(len(snapshot.cells), 'cell')} of "
        f"{format_count(len(snapshot.builds), 'build')}, in {format_count(rows, 'row')}"
    )
    # What is unavailable is reported once, not for each of its cells.
    unknown = {place: why for place, why in unrecorded.items() if place in measurement.cells}
    for place, why in list(unknown.items())[:5]:
        print_text(f"not recorded: {place}: {why}", err=True)
    if len(unknown) > 5:
        print_text(f"not recorded: {len(unknown) - 5} more cells", err=True)
    assert measurer.data is not None
    print_run_place(measurer.data, blank_line=False)
    is_whole = not unknown and not measurement.unavailable
    return ExitCode.OK if is_whole else ExitCode.INFRASTRUCTURE
