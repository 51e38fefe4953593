"""Updates of some cells: rows that were not measured keep the settings under which they were."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import pytest

from harness.errors import FileError
from harness.outcomes import Outcome
from harness.snapshots.blame import BlameKind
from harness.snapshots.checking import SnapshotCheck, select_places
from harness.snapshots.recorded_candidate import record_candidate
from harness.snapshots.snapshot import (
    Measurement,
    Snapshot,
    make_snapshot,
    prune_snapshot,
    update_snapshot,
)
from harness.snapshots.snapshot_file import parse_snapshot
from harness.snapshots.snapshot_text import format_snapshot
from harness.snapshots.values import CellPlace, SessionLevel
from tests.schema_files import faults
from tests.unit.snapshots.sample_server import SampleServer, candidate, observe, places

PATH = Path("tests/snapshot.json")
GOOD = "smtpd_tls_security_level = may\nsmtpd_tls_protocols = !TLSv1, !TLSv1.1\n"
WEAK = GOOD.replace(", !TLSv1.1", "")
LEVEL = SessionLevel()


def measure(main_cf: str, some: Collection[CellPlace]) -> Measurement:
    """What a configuration shows at some places."""
    scenario = candidate(main_cf)
    return SampleServer()([scenario], some, False)[scenario.id]


def record(main_cf: str = GOOD) -> Snapshot:
    """A snapshot of a configuration on both builds."""
    scenario = candidate(main_cf)
    return make_snapshot(LEVEL, record_candidate(scenario), measure(main_cf, places()))


def update(snapshot: Snapshot, main_cf: str, some: Collection[CellPlace]) -> Snapshot:
    """A snapshot with what a configuration shows at some places."""
    recorded = record_candidate(candidate(main_cf))
    return update_snapshot(snapshot, LEVEL, recorded, measure(main_cf, some))


def read_again(snapshot: Snapshot) -> Snapshot:
    """What the file has."""
    text = format_snapshot(snapshot)
    assert faults("snapshot", json.loads(text)) == []
    return parse_snapshot(text, PATH)


def test_a_build_that_was_not_measured_keeps_its_settings() -> None:
    """Protects ``check --update -b BUILD``: the cause is still found on the other builds."""
    after = read_again(update(record(), WEAK, places(builds=["debian-12"])))
    assert after.candidate.main_cf[1] == "smtpd_tls_protocols = !TLSv1"
    for place in places():
        expected = WEAK if place.build == "debian-12" else GOOD
        assert after.find_candidate(place).main_text == expected
    scenario = candidate(WEAK)
    check = SnapshotCheck(after, LEVEL, scenario, SampleServer())
    result = check.run(select_places(after, scenario))
    assert {cell.place.build for cell in result.comparison.cells if cell.finding == "broken"} == {
        "debian-13"
    }
    (blame,) = result.blames
    assert blame.kind is BlameKind.SETTINGS
    assert [change.name for change in blame.settings] == ["smtpd_tls_protocols"]


def test_a_build_is_named_once_in_the_file() -> None:
    """Protects reviews: an update of one build adds the settings of the other, and no list."""
    data = json.loads(format_snapshot(update(record(), WEAK, places(builds=["debian-12"]))))
    (earlier,) = data["earlier"]
    assert earlier["cells"] == ["debian-13"]
    assert earlier["candidate"]["main_cf"][1] == "smtpd_tls_protocols = !TLSv1, !TLSv1.1"


def test_a_time_out_keeps_row_and_settings() -> None:
    """Protects recorded cells: an update that times out in one keeps it as it was recorded."""
    slow = places()[4]
    measured = measure(WEAK, places())
    cells = {**measured.cells, slow: observe(slow, "candidate", Outcome.TIMEOUT)}
    before = record()
    recorded = record_candidate(candidate(WEAK))
    after = read_again(
        update_snapshot(before, LEVEL, recorded, Measurement(cells, measured.builds))
    )
    assert after.cells[slow] == before.cells[slow]
    assert [of.places for of in after.earlier] == [frozenset({slow})]


def test_an_update_of_all_leaves_nothing_earlier() -> None:
    """Protects the file from growing: settings that no row has any more are dropped."""
    partly = update(record(), WEAK, places(builds=["debian-12"]))
    whole = update(partly, WEAK, places())
    assert whole.earlier == ()
    assert '"earlier"' not in format_snapshot(whole)
    pruned = prune_snapshot(partly, places(builds=["debian-13"]))
    assert pruned.earlier == ()
    assert update(record(), GOOD, places(builds=["debian-12"])).earlier == ()


@pytest.mark.parametrize(
    "cells", [["debian-9"], ["debian-13", "debian-13/smtp/openssl-3.5.7/TLSv1"]]
)
def test_wrong_earlier_cells_are_refused(cells: list[str]) -> None:
    """Protects against a wrong edit: a cell has one configuration, and a row."""
    data = json.loads(format_snapshot(update(record(), WEAK, places(builds=["debian-12"]))))
    data["earlier"][0]["cells"] = cells
    with pytest.raises(FileError, match=rf"earlier\.0\.cells: no row has {cells[-1]}"):
        parse_snapshot(json.dumps(data, indent=1), PATH)
