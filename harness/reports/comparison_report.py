"""What a check or a comparison of two runs reports, ready to be shown in any format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.counts import format_count
from harness.errors import FileLocation
from harness.observations.record import Outcome
from harness.observations.run_folder import RunData
from harness.reports.verify_findings import reply_and_log
from harness.scenarios.expectations import DELIVERED
from harness.snapshots.blame import Blame, BlameKind, VersionMove
from harness.snapshots.checking import CheckResult
from harness.snapshots.findings import (
    CellFinding,
    Finding,
    FindingGroup,
    count_findings,
    group_findings,
)
from harness.snapshots.known_failures import KnownFailureFault
from harness.snapshots.recorded_candidate import SettingChange
from harness.snapshots.run_comparison import ChangedVerdict, RunComparison
from harness.snapshots.strength import MutantResult
from harness.snapshots.values import CellValues, Strength

#: Names of so many builds are printed; of more, their number.
MOST_BUILDS = 4
#: Where a setting stands in the user's files.
Locate = Callable[[SettingChange], FileLocation]


def locate_by_candidate(change: SettingChange) -> FileLocation:
    """A setting's place in the candidate's main.cf or master.cf as it was read."""
    return FileLocation(Path(change.file), change.line)


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """One report. ``subject`` is what was compared: a snapshot's path, or two runs' folders.

    ``scenario`` is the id under which the check's cells were measured, "" for two runs. ``logs``
    are the decisive lines of Postfix's log, by cell. ``strength`` are
    the candidate's mutants, None: none were measured. ``folder`` is the run's that measured them.
    """

    subject: str
    cells: tuple[CellFinding, ...]
    scenario: str = ""
    level: str = ""
    run: str = ""
    known_faults: tuple[KnownFailureFault, ...] = ()
    blames: tuple[Blame, ...] = ()
    moves: tuple[VersionMove, ...] = ()
    verdicts: tuple[ChangedVerdict, ...] = ()
    verdicts_compared: int = 0
    strength: tuple[MutantResult, ...] | None = None
    locate: Locate = locate_by_candidate
    logs: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def groups(self) -> tuple[FindingGroup, ...]:
        """The cells that are not as before, in groups that report the same thing."""
        return group_findings(self.cells)

    @property
    def counts(self) -> Mapping[Finding, int]:
        """How many cells have each finding."""
        return count_findings(self.cells)

    def cell_id(self, cell: CellFinding) -> str:
        """The id of a cell in the run that measured it."""
        return cell.place.cell(cell.scenario or self.scenario).id


def report_of_check(
    result: CheckResult,
    subject: str,
    level: str,
    data: RunData | None = None,
    locate: Locate = locate_by_candidate,
) -> ComparisonReport:
    """The report of a check; ``data`` is the run that it measured, for log lines."""
    report = ComparisonReport(
        subject=subject,
        cells=result.comparison.cells,
        scenario=result.scenario,
        level=level,
        run="" if data is None else data.run.id,
        known_faults=result.comparison.known_faults,
        blames=result.blames,
        moves=result.moves,
        locate=locate,
    )
    return add_logs(report, data)


def report_of_runs(
    comparison: RunComparison, before: RunData, after: RunData, level: str
) -> ComparisonReport:
    """The report of two runs."""
    report = ComparisonReport(
        subject=f"{before.run.id}, then {after.run.id}",
        cells=comparison.cells,
        level=level,
        run=after.run.id,
        verdicts=comparison.changed_verdicts,
        verdicts_compared=comparison.verdicts,
    )
    return add_logs(report, after)


def add_logs(report: ComparisonReport, data: RunData | None) -> ComparisonReport:
    """The report with the decisive log line of each group's first cell."""
    if data is None:
        return report
    logs: dict[str, str] = {}
    for group in report.groups:
        first = group.cells[0]
        if first.observation is not None and group.finding is not Finding.NOT_CHECKED:
            _, line = reply_and_log(data, first.observation)
            logs[first.name] = line
    known = {name: line for name, line in logs.items() if line}
    return replace(report, logs=known, folder=data.folder)


def describe_values(values: CellValues | None) -> str:
    """What a cell showed: ``accepted with TLSv1.2, no forward secrecy``, ``refused: closed``."""
    if values is None:
        return "nothing"
    if values.policy is not None:
        return f"policy {values.policy}"
    assert values.outcome is not None
    text = str(values.outcome)
    if values.reason:
        text += f": {values.reason}"
    details = list(_describe_session(values))
    if not details:
        return text
    joiner = " with " if values.outcome is Outcome.ACCEPTED else ", after "
    return text + joiner + ", ".join(details)


def describe_change(group: FindingGroup) -> str:
    """What became of a group's cells in one sentence."""
    match group.finding:
        case Finding.NOT_CHECKED | Finding.GONE | Finding.STALE | Finding.KNOWN:
            return _describe_other(group)
        case Finding.FLAKY | Finding.UNCONFIRMED:
            return _describe_unproved(group)
        case Finding.ADDED:
            before = "not in the first run" if group.scenario else "nothing was recorded"
            return f"now {describe_values(group.measured)}; {before}"
    before, now = describe_values(group.recorded), describe_values(group.measured)
    if before == now and group.recorded is not None and group.measured is not None:
        names = ", ".join(group.recorded.differing(group.measured))
        return f"{before}, as before, but for: {names}"
    remark = f" ({group.why})" if group.why else ""
    return f"was {before}, now {now}{remark}"


def describe_place(group: FindingGroup) -> str:
    """The group's service and builds: ``smtp on debian-12, debian-13``."""
    builds = group.builds
    where = ", ".join(builds) if len(builds) <= MOST_BUILDS else f"{len(builds)} builds"
    service = group.service or "several services"
    return f"{group.scenario}: {service} on {where}" if group.scenario else f"{service} on {where}"


def describe_cells(group: FindingGroup) -> str:
    """The group's first cell, and how many there are besides."""
    first = group.cells[0].place
    more = len(group.cells) - 1
    others = f", and {format_count(more, 'more cell')}" if more else ""
    return f"{first.client} {first.offer}{others}"


def describe_blame(blame: Blame, locate: Locate) -> Iterator[str]:
    """A cause in sentences: what it is, then what shows it."""
    cells = format_count(len(blame.cells), "cell")
    match blame.kind:
        case BlameKind.SETTINGS:
            for change in blame.settings:
                place = locate(change)
                yield f"{place}: {change.sentence}" if change.line else change.sentence
            yield f"put back as recorded, {cells} as before"
        case BlameKind.FILES:
            yield f"files that are not as recorded: {', '.join(blame.files)}"
            yield f"no setting explains {cells}; a snapshot has no content to put back"
        case BlameKind.VERSIONS:
            yield from (move.text for move in blame.versions)
            yield f"no setting explains {cells}, and the versions of these builds moved"
        case BlameKind.UNEXPLAINED:
            yield f"no setting and no version explains {cells}: flaky, or a fault of the harness"


def describe_counts(counts: Mapping[Finding, int]) -> str:
    """``12 cells: 8 same, 4 broken``."""
    total = sum(counts.values())
    ordered = [Finding.SAME, *(f for f in Finding if f is not Finding.SAME)]
    listed = ", ".join(f"{counts[finding]} {finding}" for finding in ordered if finding in counts)
    return f"{format_count(total, 'cell')}: {listed or 'nothing to compare'}"


def describe_strength(mutants: Sequence[MutantResult]) -> str:
    """``guarded 7 of 9 mutants``."""
    guarded = sum(mutant.is_guarded for mutant in mutants)
    return f"guarded {guarded} of {len(mutants)} mutants of the TLS settings"


def describe_unguarded(mutants: Sequence[MutantResult], locate: Locate) -> list[str]:
    """The settings that the snapshot does not guard, or not against everything, one text each.

    ``main.cf:6: smtpd_tls_ciphers: 2 of 2 mutants (changes no recorded cell)``.
    """
    by_line: dict[int, list[MutantResult]] = {}
    for mutant in mutants:
        by_line.setdefault(mutant.mutation.line.number, []).append(mutant)
    texts = []
    for of_line in by_line.values():
        for why in dict.fromkeys(mutant.why for mutant in of_line if not mutant.is_guarded):
            number = sum(mutant.why == why for mutant in of_line)
            where = _describe_mutated(of_line[0], locate)
            texts.append(f"{where}: {number} of {len(of_line)} mutants ({why})")
    return texts


def _describe_mutated(mutant: MutantResult, locate: Locate) -> str:
    """The setting that was weakened, with its place."""
    line = mutant.mutation.line
    place = locate(SettingChange(line.name, None, line.value, line.entry))
    entry = f" under {line.entry}" if line.entry else ""
    return f"{place}: {line.name}{entry}" if place.line else f"{line.name}{entry}"


def describe_mutant(mutant: MutantResult, locate: Locate) -> str:
    """A mutant with its line, and the cells that show it, or why none does."""
    line = mutant.mutation.line
    place = locate(SettingChange(line.name, None, line.value, line.entry))
    where = f"{place}: " if place.line else ""
    entry = f" under {line.entry}" if line.entry else ""
    text = f"{where}{mutant.mutation.what}{entry}"
    if not mutant.changed:
        return f"{text} ({mutant.why})"
    first, more = mutant.changed[0], len(mutant.changed) - 1
    others = f", and {format_count(more, 'more cell')}" if more else ""
    return f"{text}: {first.build}, {first.client} {first.offer}{others}"


def describe_known_fault(fault: KnownFailureFault) -> str:
    """A known failure that is wrong itself."""
    known = fault.known
    return f"{known.place.file}:{known.place.line}: the known failure {fault.what} ({known.why})"


def _describe_session(values: CellValues) -> Iterator[str]:
    if values.protocol:
        yield values.protocol
    if values.cipher:
        yield values.cipher
    if values.group:
        yield values.group
    if values.forward_secrecy is False:
        yield "no forward secrecy"
    if values.strength not in (None, Strength.STRONG):
        yield (
            f"{values.strength} encryption"
            if values.strength is not Strength.NONE
            else ("no encryption")
        )
    if values.anonymous:
        yield "no certificate"
    if values.trust:
        yield f"certificate {values.trust}"
    if values.resumed is not None:
        yield "session resumed" if values.resumed else "no session resumed"
    if values.certificate is not None:
        yield f"a certificate for {' '.join(values.certificate)}"


def _describe_other(group: FindingGroup) -> str:
    match group.finding:
        case Finding.GONE:
            return (
                f"was {describe_values(group.recorded)}; the configuration has no such service now"
            )
        case Finding.STALE:
            gets = "gets through" if _delivers_mail(group.measured) else "is as recorded"
            return f"{group.why}; it {gets} now: {describe_values(group.measured)}"
        case Finding.KNOWN:
            return f"{describe_values(group.measured)}: {group.why}"
    return group.why


def _describe_unproved(group: FindingGroup) -> str:
    """A difference that was measured once."""
    other = describe_values(group.measured) if group.measured else "no result"
    return f"was {describe_values(group.recorded)}, once {other}; {group.why}"


def _delivers_mail(values: CellValues | None) -> bool:
    return values is not None and values.outcome in DELIVERED


def sort_for_display(groups: Sequence[FindingGroup]) -> list[FindingGroup]:
    """The groups in the findings' order, the larger ones of a finding first."""
    order = list(Finding)
    return sorted(groups, key=lambda group: (order.index(group.finding), -len(group.cells)))
