"""Known failures: accepted while they fail as expected, and never silently out of date."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from harness.errors import FileError
from harness.outcomes import Outcome
from harness.snapshots.checking import SnapshotCheck, select_places
from harness.snapshots.findings import Finding
from harness.snapshots.known_failures import (
    KnownFailures,
    load_known_failures,
    parse_known_failures,
)
from harness.snapshots.recorded_candidate import record_candidate
from harness.snapshots.snapshot import RecordedSelection, Snapshot, make_snapshot
from harness.snapshots.values import SessionLevel
from tests.unit.snapshots.sample_server import SampleServer, candidate, observe, places

PATH = Path("tests/known.toml")
TODAY = datetime.date(2026, 11, 30)
LOOSE = candidate("smtpd_tls_security_level = may\n")
NO_13 = candidate("smtpd_tls_security_level = may\nsmtpd_tls_protocols = !TLSv1.3\n")
SMTP = RecordedSelection(services=("smtp",))
ENTRY = """\
[[known]]
builds = ["debian-13"]
offers = ["TLSv1.3"]
outcome = "refused"
reason = "protocol-version"
why = "bug 123"
"""


def loose_snapshot() -> Snapshot:
    """Everything is accepted."""
    measured = SampleServer()([LOOSE], places(), False)[LOOSE.id]
    return make_snapshot(SessionLevel(), record_candidate(LOOSE), measured, SMTP)


def findings_with(text: str, scenario: object = NO_13) -> tuple[dict[str, Finding], list[str]]:
    """The findings of TLSv1.3's cells by build, and what is wrong with the known failures."""
    known = KnownFailures(parse_known_failures(text, PATH), TODAY)
    snapshot = loose_snapshot()
    assert isinstance(scenario, type(LOOSE))
    check = SnapshotCheck(snapshot, SessionLevel(), scenario, SampleServer(), known)
    result = check.run(select_places(snapshot, scenario), with_blame=False)
    cells = {
        c.place.build: c.finding for c in result.comparison.cells if c.place.offer == "TLSv1.3"
    }
    return cells, [fault.what for fault in result.comparison.known_faults]


def test_a_known_failure_is_accepted_where_it_is_and_nowhere_else() -> None:
    """Protects both ways: its cells are not red, the same failure of another build is."""
    cells, faults = findings_with(ENTRY)
    assert cells == {"debian-12": Finding.BROKEN, "debian-13": Finding.KNOWN}
    assert faults == []


def test_a_known_failure_that_passes_is_stale() -> None:
    """Protects the file from entries that are no longer needed."""
    cells, _ = findings_with(ENTRY, LOOSE)
    assert cells == {"debian-12": Finding.SAME, "debian-13": Finding.STALE}


def test_one_that_fails_in_another_way_is_broken() -> None:
    """Protects from a second fault behind a known one."""
    cells, _ = findings_with(ENTRY.replace("protocol-version", "closed"))
    assert cells["debian-13"] is Finding.BROKEN


def test_one_that_matches_nothing_is_a_fault() -> None:
    """Protects from a misspelt selector, which would hide nothing and say nothing."""
    _, faults = findings_with(ENTRY.replace("TLSv1.3", "TLSv1.4"))
    assert faults == ["matches no cell"]


def test_one_that_has_expired_is_a_fault_and_covers_nothing() -> None:
    """Protects deadlines; on its last day it still counts."""
    cells, faults = findings_with(ENTRY + "until = 2026-11-29\n")
    assert cells["debian-13"] is Finding.BROKEN
    assert faults == ["has expired on 2026-11-29"]
    cells, faults = findings_with(ENTRY + "until = 2026-11-30\n")
    assert cells["debian-13"] is Finding.KNOWN
    assert faults == []


def test_a_failure_that_is_recorded_and_known_is_known() -> None:
    """Protects snapshots that were recorded while the fault was there."""
    measured = SampleServer()([NO_13], places(), False)[NO_13.id]
    snapshot = make_snapshot(SessionLevel(), record_candidate(NO_13), measured, SMTP)
    known = KnownFailures(parse_known_failures(ENTRY, PATH), TODAY)
    check = SnapshotCheck(snapshot, SessionLevel(), NO_13, SampleServer(), known)
    result = check.run(select_places(snapshot, NO_13))
    assert [c.place.build for c in result.comparison.having(Finding.KNOWN)] == ["debian-13"]
    assert not result.comparison.is_red


def test_versions_select_as_in_a_scenario() -> None:
    """Protects faults that belong to a release, whatever build has it."""
    cells, _ = findings_with(ENTRY.replace('builds = ["debian-13"]', 'postfix = ">=3.10"'))
    assert cells == {"debian-12": Finding.BROKEN, "debian-13": Finding.KNOWN}


def test_a_certificate_reason_covers_its_kinds() -> None:
    """Protects entries that name the general reason, as expectations may."""
    (known,) = parse_known_failures(ENTRY.replace("protocol-version", "certificate"), PATH)
    (place, *_) = places()
    cell = observe(place, "x", Outcome.REFUSED, "certificate-expired")
    assert known.is_met_by(cell)


def test_entries_for_other_snapshots_are_left_out(tmp_path: Path) -> None:
    """Protects folders with several snapshots and one file of known failures."""
    path = tmp_path / "known.toml"
    path.write_text(ENTRY + 'snapshots = ["harden-*.json"]\n')
    assert load_known_failures(path, "harden-1.json", TODAY).entries
    assert not load_known_failures(path, "other.json", TODAY).entries
    assert not load_known_failures(tmp_path / "none.toml", "other.json", TODAY).entries


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        (ENTRY + 'wy = "x"\n', 7, "known.wy"),
        (ENTRY.replace('why = "bug 123"\n', ""), 1, "known.why"),
        (ENTRY.replace('outcome = "refused"\n', ""), 1, "known.outcome"),
        (ENTRY.replace('"refused"', '"refusd"'), 4, "known.outcome"),
        (ENTRY.replace('"refused"', '"timeout?"'), 4, "known.outcome"),
        (ENTRY + 'until = "tomorrow"\n', 7, "known.until"),
        (ENTRY + "until = 2027-03-01T00:00:00\n", 7, "known.until"),
        (ENTRY.replace('["debian-13"]', "13"), 2, "known.builds"),
        (ENTRY + 'services = ["stmp"]\n', 7, "known.services"),
        (ENTRY + "snapshots = [1]\n", 7, "known.snapshots"),
        (ENTRY + "what\n", 7, None),
        ('[[knwon]]\nwhy = "x"\n', 1, "knwon"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_line(text: str, line: int, key: str | None) -> None:
    """Protects writers of the file: file, line, key and what was expected."""
    with pytest.raises(FileError) as caught:
        parse_known_failures(text, PATH)
    assert (caught.value.place.line, caught.value.place.key) == (line, key)
    assert "expected" in str(caught.value)
