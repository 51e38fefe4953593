"""Which cells a test measures whose arguments name other clients or services than before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.scenarios.scenario import Scenario
from harness.snapshots.checking import CheckResult, SnapshotCheck, choose_places
from harness.snapshots.comparison import NOT_SELECTED
from harness.snapshots.findings import Finding, count_findings
from harness.snapshots.recorded_candidate import record_candidate
from harness.snapshots.snapshot import RecordedSelection, Snapshot, make_snapshot
from harness.snapshots.values import CellPlace, SessionLevel
from tests.unit.snapshots.sample_server import CLIENT, SampleServer, candidate, places

GOOD = "smtpd_tls_security_level = may\nsmtpd_tls_protocols = !TLSv1\n"
MASTER = "smtp inet n - y - - smtpd\n2525 inet n - y - - smtpd\n"
BUILD, OTHER = "debian-12", "nodemailer-node6"
ONE = RecordedSelection(clients=("openssl-*",), services=("smtp",))


def scenario() -> Scenario:
    """A configuration with two services."""
    return candidate(GOOD, MASTER + "cleanup unix n - y - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n")


def of_client(some: Sequence[CellPlace]) -> list[CellPlace]:
    """The same cells of another client."""
    return [replace(place, client=OTHER) for place in some]


HERE = places(builds=[BUILD])
PORT = places("2525", builds=[BUILD])


def record(some: Sequence[CellPlace], selection: RecordedSelection) -> Snapshot:
    """A snapshot of these cells."""
    measured = SampleServer()([scenario()], some, False)["candidate"]
    return make_snapshot(SessionLevel(), record_candidate(scenario()), measured, selection)


def check(
    snapshot: Snapshot, planned: Sequence[CellPlace], selection: RecordedSelection
) -> CheckResult:
    """What a test finds whose arguments choose the planned cells."""
    selected = choose_places(snapshot, scenario(), BUILD, planned, selection)
    return SnapshotCheck(snapshot, SessionLevel(), scenario(), SampleServer()).run(selected)


def counts(result: CheckResult) -> dict[str, int]:
    """How many cells have each finding."""
    return {str(f): number for f, number in count_findings(result.comparison.cells).items()}


def test_the_same_arguments_measure_what_is_recorded() -> None:
    """Protects the usual case: nothing is added, and nothing is left out."""
    assert counts(check(record(HERE, ONE), HERE, ONE)) == {"same": 5}


def test_a_client_that_was_not_recorded_is_added() -> None:
    """Protects a test that names a further client: it is red until it is recorded."""
    more = replace(ONE, clients=("openssl-*", OTHER))
    result = check(record(HERE, ONE), [*HERE, *of_client(HERE)], more)
    assert counts(result) == {"same": 5, "added": 5}
    assert result.comparison.is_red


def test_a_service_that_was_not_recorded_is_added() -> None:
    """Protects a test that names a further service."""
    more = replace(ONE, services=("smtp", "2525"))
    assert counts(check(record(HERE, ONE), [*HERE, *PORT], more)) == {"same": 5, "added": 5}


def test_a_client_that_is_not_named_any_more_is_not_checked() -> None:
    """Protects from rows that nothing checks: they never count as the same."""
    snapshot = record([*HERE, *of_client(HERE)], replace(ONE, clients=("*",)))
    result = check(snapshot, HERE, ONE)
    assert counts(result) == {"same": 5, "not checked": 5}
    unchecked = result.comparison.having(Finding.NOT_CHECKED)
    assert {(cell.place.client, cell.why) for cell in unchecked} == {(OTHER, NOT_SELECTED)}


def test_an_argument_that_is_left_out_is_a_change_too() -> None:
    """Protects a test without ``clients=``, whose snapshot was recorded with it."""
    result = check(record(HERE, ONE), [*HERE, *of_client(HERE)], replace(ONE, clients=()))
    assert counts(result) == {"same": 5, "added": 5}


def test_a_new_default_client_is_no_change() -> None:
    """Protects from another version of the tool: without arguments the recorded cells count."""
    nothing = RecordedSelection()
    snapshot = record([*HERE, *PORT], nothing)
    planned = [*HERE, *PORT, *of_client(HERE)]
    assert counts(check(snapshot, planned, nothing)) == {"same": 10}


def test_a_cell_that_was_never_recorded_is_no_new_client() -> None:
    """Protects from a cell that timed out while the snapshot was recorded."""
    snapshot = record(HERE[1:], ONE)
    assert counts(check(snapshot, HERE, ONE)) == {"same": 4}
    assert {place.client for place in snapshot.cells} == {CLIENT}


def test_a_build_without_rows_has_no_cells() -> None:
    """Protects from taking a build that was not recorded for one with new cells only."""
    assert choose_places(record(HERE, ONE), scenario(), "debian-13", HERE, ONE) == ()
