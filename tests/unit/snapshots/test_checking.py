"""A whole check on a made-up server: what is red, what repeats, what is blamed, and what is not."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ExitCode
from harness.observations.record import Observation
from harness.outcomes import Outcome
from harness.reports.comparison_report import describe_change
from harness.scenarios.scenario import Scenario
from harness.snapshots.blame import BlameKind, find_smallest
from harness.snapshots.checking import CheckResult, SnapshotCheck, select_places
from harness.snapshots.findings import Finding, count_findings, group_findings
from harness.snapshots.known_failures import KnownFailures
from harness.snapshots.recorded_candidate import record_candidate
from harness.snapshots.snapshot import RecordedSelection, Snapshot, make_snapshot
from harness.snapshots.values import BuildVersions, CellPlace, SessionLevel
from tests.unit.snapshots.sample_server import (
    BUILDS,
    CLIENT,
    SampleServer,
    Twist,
    candidate,
    places,
)

GOOD = """\
smtpd_tls_security_level = may
smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1
smtpd_tls_ciphers = high
myhostname = mx.example.org
"""
SMTP = RecordedSelection(services=("smtp",))


def record(main_cf: str = GOOD, selection: RecordedSelection = SMTP) -> Snapshot:
    """A snapshot of a configuration on the made-up server."""
    scenario = candidate(main_cf)
    measured = SampleServer()([scenario], places(), False)[scenario.id]
    return make_snapshot(SessionLevel(), record_candidate(scenario), measured, selection)


def check(
    main_cf: str, server: SampleServer | None = None, snapshot: Snapshot | None = None
) -> CheckResult:
    """Check a configuration with a snapshot, that of GOOD by default."""
    recorded, scenario = snapshot or record(), candidate(main_cf)
    checked = SnapshotCheck(
        recorded, SessionLevel(), scenario, server or SampleServer(), KnownFailures()
    )
    return checked.run(select_places(recorded, scenario))


def counts(result: CheckResult) -> dict[str, int]:
    """How many cells have each finding."""
    return {str(f): number for f, number in count_findings(result.comparison.cells).items()}


REWRITES = [
    "\n".join(reversed(GOOD.splitlines())),
    GOOD.replace(" = ", "="),
    GOOD.replace(" = ", "   =   "),
    GOOD.replace(", ", ","),
    GOOD.replace(", ", " "),
    GOOD.replace(", ", ":"),
    GOOD.replace("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "!TLSv1.1, !TLSv1, !SSLv3, !SSLv2"),
    GOOD.replace("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "TLSv1.2, TLSv1.3"),
    GOOD.replace("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", ">=TLSv1.2"),
    GOOD.replace("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "!sslv2 !sslv3 !tlsv1 !tlsv1.1"),
    "# a comment\n\n" + GOOD.replace(", !TLSv1,", ",\n    # inside\n    !TLSv1,"),
    "smtpd_tls_protocols = !TLSv1.3\n" + GOOD,
]


@pytest.mark.parametrize("text", REWRITES)
def test_an_equivalent_rewrite_is_green(text: str) -> None:
    """Protects refactoring: order, spaces, commas, colons, inclusion, bounds, the last one wins."""
    result = check(text)
    assert counts(result) == {"same": 10}
    assert result.exit_code() is ExitCode.OK


def test_a_green_check_measures_once_and_blames_nothing() -> None:
    """Protects the time of a check that finds nothing."""
    server = SampleServer()
    result = check(GOOD.replace("high", "medium"), server)
    assert [call[0] for call in server.calls] == ["candidate"]
    assert result.blames == ()


def test_a_lost_version_is_broken_and_its_setting_is_named() -> None:
    """Protects the answer: which cells, and which of several changed settings."""
    worse = GOOD.replace("!TLSv1.1\n", "!TLSv1.1, !TLSv1.3\n").replace("high", "low")
    server = SampleServer()
    result = check(worse + "smtpd_tls_loglevel = 2\n", server)
    assert counts(result) == {"broken": 4, "same": 6}
    assert result.exit_code() is ExitCode.DIFFERS
    (blame,) = result.blames
    assert blame.kind is BlameKind.SETTINGS
    assert [change.name for change in blame.settings] == ["smtpd_tls_protocols"]
    assert blame.settings[0].line == 2
    assert {place.offer for place in blame.cells} == {"TLSv1.3", "default"}
    repeats = [call for call in server.calls if "--again" in call[0]]
    assert repeats == [("candidate--again-1", 4, True), ("candidate--again-2", 4, True)]


def test_two_settings_that_break_it_only_in_company_are_both_named() -> None:
    """Protects the smallest set: neither alone restores the cells."""
    before = "smtpd_tls_security_level = may\nsmtpd_tls_protocols =\nx = 1\ny = 2\nz = 3\n"
    now = "smtpd_tls_security_level = none\nsmtpd_tls_protocols = !TLSv1.3\nx = 2\ny = 3\nz = 4\n"
    result = check(now, snapshot=record(before))
    (blame,) = result.blames
    assert sorted(change.name for change in blame.settings) == [
        "smtpd_tls_protocols", "smtpd_tls_security_level"
    ]  # fmt: skip


def test_a_removed_line_is_blamed() -> None:
    """Protects deleted lines, which stand nowhere any more."""
    result = check(GOOD.replace("smtpd_tls_security_level = may\n", ""))
    (blame,) = result.blames
    assert blame.settings[0].sentence == "smtpd_tls_security_level = may (removed)"


def twist_on(builds: tuple[str, ...], outcome: Outcome, reason: str = "") -> Twist:
    """TLSv1.3 ends otherwise on some builds, in every measurement."""

    def change(_scenario: str, place: CellPlace, cell: Observation) -> Observation:
        if place.build in builds and place.offer == "TLSv1.3":
            return replace(cell, outcome=outcome, reason=reason or None,
                           client_saw=None, server_saw=None)  # fmt: skip
        return cell

    return change


def test_versions_are_blamed_where_settings_are_equal() -> None:
    """Protects from a distribution's update: the build that moved is named, with both versions."""
    moved = {**BUILDS, "debian-12": BuildVersions("3.7.11", "3.0.22")}
    server = SampleServer(twist_on(("debian-12",), Outcome.REFUSED, "closed"), builds=moved)
    result = check(GOOD, server)
    (blame,) = result.blames
    assert blame.kind is BlameKind.VERSIONS
    assert blame.versions[0].text == "debian-12: OpenSSL 3.0.20, now 3.0.22"


def test_nothing_is_blamed_where_nothing_changed() -> None:
    """Protects honesty: no setting and no version moved, so it is the harness or luck."""
    result = check(GOOD, SampleServer(twist_on(("debian-12",), Outcome.REFUSED, "closed")))
    (blame,) = result.blames
    assert blame.kind is BlameKind.UNEXPLAINED
    assert result.exit_code() is ExitCode.DIFFERS


def test_settings_that_do_not_explain_it_are_not_blamed() -> None:
    """Protects a changed line that has nothing to do with it."""
    server = SampleServer(twist_on(("debian-12",), Outcome.REFUSED, "closed"))
    result = check(GOOD.replace("high", "medium"), server)
    assert [blame.kind for blame in result.blames] == [BlameKind.UNEXPLAINED]


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.ERROR])
def test_a_cell_without_a_result_is_never_a_difference(outcome: Outcome) -> None:
    """Protects loaded machines: it is not checked, counted, and the check stays green."""
    result = check(GOOD, SampleServer(twist_on(("debian-12",), outcome)))
    assert counts(result) == {"same": 9, "not checked": 1}
    assert result.exit_code() is ExitCode.OK
    assert result.exit_code(complete=True) is ExitCode.DIFFERS
    assert result.blames == ()


def once(outcome: Outcome, scenario: str = "candidate") -> Twist:
    """TLSv1.3 ends otherwise in one measurement only."""
    change = twist_on(tuple(BUILDS), outcome, "closed")
    return lambda name, place, cell: change(name, place, cell) if name == scenario else cell


def test_a_difference_that_does_not_repeat_is_flaky() -> None:
    """Protects from false alarms: exit code 3, never broken, and nothing is blamed."""
    result = check(GOOD, SampleServer(once(Outcome.REFUSED)))
    assert counts(result) == {"same": 8, "flaky": 2}
    assert result.exit_code() is ExitCode.INFRASTRUCTURE
    assert result.blames == ()
    assert not {place for place in result.measurement.cells if place.offer == "TLSv1.3"}


def test_a_time_out_that_does_not_repeat_is_the_same() -> None:
    """Protects from losing cells to one slow moment."""
    result = check(GOOD, SampleServer(once(Outcome.TIMEOUT)))
    assert counts(result) == {"same": 10}


def test_a_difference_that_cannot_be_repeated_is_unconfirmed() -> None:
    """Protects the rule: one measurement is not enough to be broken, and too much to be green."""
    slow = twist_on(tuple(BUILDS), Outcome.TIMEOUT)
    other = once(Outcome.REFUSED)

    def change(name: str, place: CellPlace, cell: Observation) -> Observation:
        return slow(name, place, cell) if "--again" in name else other(name, place, cell)

    result = check(GOOD, SampleServer(change))
    assert counts(result) == {"same": 8, "unconfirmed": 2}
    assert result.exit_code() is ExitCode.INFRASTRUCTURE
    assert result.blames == ()
    assert not {place for place in result.measurement.cells if place.offer == "TLSv1.3"}
    (group,) = group_findings(result.comparison.cells)
    assert describe_change(group) == (
        "was accepted with TLSv1.3, once refused: closed; it could not be measured again"
    )


def test_what_was_not_measured_is_not_checked_and_never_gone() -> None:
    """Protects from reading a build that is unavailable as a service that is gone."""
    result = check(GOOD, SampleServer(unavailable={"debian-12": "no source\nmore"}))
    assert counts(result) == {"same": 5, "not checked": 5}
    (group,) = group_findings(result.comparison.cells)
    assert group.why == "debian-12 is unavailable: no source"


def test_nothing_measured_is_no_success() -> None:
    """Protects pipelines: a check that compared nothing must not be green."""
    result = check(GOOD, SampleServer(unavailable={CLIENT: "no image"}))
    assert counts(result) == {"not checked": 10}
    assert result.exit_code() is ExitCode.INFRASTRUCTURE


MASTER = """\
smtp inet n - y - - smtpd
cleanup unix n - y - 0 cleanup
qmgr unix n - n 300 1 qmgr
2525 inet n - y - - smtpd
"""


def whole(master_cf: str) -> Scenario:
    """A whole configuration with these services."""
    return candidate(GOOD, master_cf)


def test_a_service_that_is_gone_is_red_and_its_entry_is_blamed() -> None:
    """Protects clients of a port that a change closed."""
    before, now = whole(MASTER), whole(MASTER.replace("2525 inet n - y - - smtpd\n", ""))
    every = [*places(), *places("2525")]
    measured = SampleServer()([before], every, False)[before.id]
    recorded = make_snapshot(SessionLevel(), record_candidate(before), measured)
    result = SnapshotCheck(recorded, SessionLevel(), now, SampleServer()).run(
        select_places(recorded, now)
    )
    assert counts(result) == {"gone": 10, "same": 10}
    (blame,) = result.blames
    assert blame.settings[0].sentence == "the entry 2525 (removed)"


def test_a_new_service_is_measured_and_added() -> None:
    """Protects from a port that a change opened."""
    before, now = whole(MASTER.replace("2525 inet n - y - - smtpd\n", "")), whole(MASTER)
    measured = SampleServer()([before], places(), False)[before.id]
    recorded = make_snapshot(SessionLevel(), record_candidate(before), measured)
    result = SnapshotCheck(recorded, SessionLevel(), now, SampleServer()).run(
        select_places(recorded, now)
    )
    assert counts(result) == {"added": 10, "same": 10}
    assert result.exit_code() is ExitCode.DIFFERS


def test_builds_that_are_not_selected_are_not_checked() -> None:
    """Protects a narrow check: the pytest plugin checks one build at a time."""
    recorded, scenario = record(), candidate(GOOD)
    selected = select_places(recorded, scenario, ["debian-12"])
    result = SnapshotCheck(recorded, SessionLevel(), scenario, SampleServer()).run(selected)
    assert counts(result) == {"same": 5, "not checked": 5}


def test_a_build_that_is_no_longer_known_is_not_checked() -> None:
    """Protects snapshots that outlive a build: its cells have the reason, the others count."""
    recorded, scenario = record(), candidate(GOOD)
    selected = select_places(recorded, scenario, ["debian-13"])
    check_ = SnapshotCheck(
        recorded, SessionLevel(), scenario, SampleServer(), unknown={"debian-12": "no such build"}
    )
    cells = check_.run(selected).comparison.having(Finding.NOT_CHECKED)
    assert {cell.why for cell in cells} == {"debian-12 is unavailable: no such build"}
    assert len(cells) == 5


@given(st.sets(st.integers(0, 30), min_size=1, max_size=31), st.data())
def test_the_smallest_set_is_found(numbers: set[int], data: st.DataObject) -> None:
    """Protects blame: exactly the settings that are needed, however many others differ."""
    needed = data.draw(st.sets(st.sampled_from(sorted(numbers)), min_size=1, max_size=4))
    tried = []

    def restores(chosen: frozenset[int]) -> bool:
        tried.append(chosen)
        return needed <= chosen

    assert find_smallest(numbers, restores) == needed
    assert len(tried) < 200


def test_the_smallest_set_cannot_be_smaller() -> None:
    """Protects blame where several sets restore: what is named has nothing too much."""
    ways = [{1, 5}, {2, 7, 9}, {3}]
    smallest = find_smallest(range(12), lambda chosen: any(way <= chosen for way in ways))
    assert any(way == smallest for way in ways)
    for size in range(len(smallest)):
        for part in combinations(smallest, size):
            assert not any(way <= set(part) for way in ways)


def test_cells_that_report_the_same_are_one_group() -> None:
    """Protects readers of a red check on many builds."""
    result = check(GOOD.replace("!TLSv1.1\n", "!TLSv1.1, !TLSv1.3\n"))
    groups = group_findings(result.comparison.cells)
    assert [(str(g.finding), len(g.cells), g.builds) for g in groups] == [
        ("broken", 2, ("debian-12", "debian-13")), ("broken", 2, ("debian-12", "debian-13"))
    ]  # fmt: skip
    assert Path(groups[0].cells[0].name).name == "TLSv1.3"
