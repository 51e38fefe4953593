"""A snapshot's file: the same snapshot is the same text, and a wrong one is refused by line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import FileError, UsageError
from harness.outcomes import Outcome
from harness.snapshots.recorded_candidate import record_candidate
from harness.snapshots.snapshot import Snapshot, make_snapshot, prune_snapshot, update_snapshot
from harness.snapshots.snapshot_file import RECORDED_OUTCOMES, load_snapshot, parse_snapshot
from harness.snapshots.snapshot_text import format_snapshot
from harness.snapshots.values import (
    BuildVersions,
    CellPlace,
    CellValues,
    SessionLevel,
    Strength,
)
from tests.unit.snapshots.sample_server import BUILDS, SampleServer, candidate, places

PATH = Path("tests/snapshot.json")
STRICT = candidate("smtpd_tls_security_level = may\nsmtpd_tls_protocols = !TLSv1, !TLSv1.1\n")


def sample() -> Snapshot:
    """A snapshot of the sample server."""
    measured = SampleServer()([STRICT], places(), False)[STRICT.id]
    return make_snapshot(SessionLevel(), record_candidate(STRICT, ["main.cf"]), measured)


def test_a_snapshot_is_read_back_as_it_was() -> None:
    """Protects what users commit: reading and writing again changes no byte."""
    text = format_snapshot(sample())
    assert parse_snapshot(text, PATH) == sample()
    assert format_snapshot(parse_snapshot(text, PATH)) == text


def test_each_row_is_a_line_and_builds_that_agree_share_it() -> None:
    """Protects reviews: a difference of two snapshots has few lines."""
    lines = format_snapshot(sample()).splitlines()
    rows = [line for line in lines if '"service": "smtp"' in line]
    assert len(rows) == 5
    assert (
        '  {"service": "smtp", "client": "openssl-3.5.7", "offer": "TLSv1", '
        '"builds": ["debian-12", "debian-13"], "outcome": "refused", '
        '"reason": "protocol-version"},'
    ) in lines
    assert rows == sorted(rows)


VALUES = st.builds(
    CellValues,
    outcome=st.sampled_from(RECORDED_OUTCOMES),
    reason=st.none() | st.text(max_size=9),
    protocol=st.sampled_from([None, "TLSv1.2"]),
    forward_secrecy=st.sampled_from([None, True, False]),
    strength=st.sampled_from([None, *Strength]),
    anonymous=st.sampled_from([None, True]),
    resumed=st.sampled_from([None, True, False]),
    certificate=st.none() | st.lists(st.text(max_size=5), max_size=2).map(tuple),
    cipher=st.none() | st.text(max_size=9),
)
PLACES = st.builds(
    CellPlace,
    build=st.sampled_from(["b1", "b2", "b3"]),
    service=st.sampled_from(["smtp", "2525"]),
    client=st.sampled_from(["c1", "c2"]),
    offer=st.sampled_from(["default", "TLSv1"]),
)


@given(st.dictionaries(PLACES, VALUES, max_size=12))
def test_any_cells_are_read_back(cells: dict[CellPlace, CellValues]) -> None:
    """Protects unusual texts: a certificate's name may have any character."""
    builds = {place.build: BuildVersions("3.7") for place in sorted(cells)}
    snapshot = replace(sample(), cells=cells, builds=builds)
    text = format_snapshot(snapshot)
    again = parse_snapshot(text, PATH)
    assert again.cells == cells
    assert format_snapshot(again) == text


def test_another_patch_level_changes_versions_only() -> None:
    """Protects quiet updates: with the same behaviour only the build's versions differ."""
    before = sample()
    newer = {"debian-12": replace(BUILDS["debian-12"], openssl="3.0.22")}
    measured = SampleServer(builds={**BUILDS, **newer})([STRICT], places(), False)[STRICT.id]
    after = update_snapshot(before, SessionLevel(), before.candidate, measured)
    old, new = format_snapshot(before).splitlines(), format_snapshot(after).splitlines()
    (changed,) = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    assert '"openssl": "3.0.22"' in changed[1]


def test_an_update_touches_only_what_was_measured() -> None:
    """Protects rows of other builds, and of cells that timed out now."""
    before = sample()
    server = SampleServer(
        lambda _scenario, place, cell: (
            replace(cell, outcome=Outcome.TIMEOUT) if place.offer == "TLSv1.3" else cell
        )
    )
    loose = candidate("smtpd_tls_security_level = may\n")
    measured = server([loose], places(builds=["debian-12"]), False)[loose.id]
    after = update_snapshot(before, SessionLevel(), record_candidate(loose), measured)
    changed = {place for place in before.cells if before.cells[place] != after.cells[place]}
    assert {(place.build, place.offer) for place in changed} == {
        ("debian-12", "TLSv1"), ("debian-12", "TLSv1.1")
    }  # fmt: skip
    assert after.cells.keys() == before.cells.keys()


def test_only_pruning_deletes() -> None:
    """Protects rows from being lost: what is deleted is what was named, with its build."""
    before = sample()
    lost = [place for place in before.cells if place.build == "debian-12"]
    after = prune_snapshot(before, lost)
    assert list(after.builds) == ["debian-13"]
    assert len(after.cells) == 5


def edited(pattern: str, text: str) -> str:
    """The sample's file with one edit."""
    whole = format_snapshot(sample())
    changed = re.sub(pattern, text, whole, count=1)
    assert changed != whole
    return changed


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        (edited('"schema": 1', '"schema": 2'), "schema", "1"),
        (edited('"outcome": "refused"', '"outcome": "refusd"'), "outcome", "accepted"),
        (edited('"outcome": "refused"', '"outcome": "timeout"'), "outcome", "accepted"),
        (edited('"outcome": "refused"', '"outcom": "refused"'), "outcom", "outcome"),
        (edited(', "outcome": "refused"', ""), "outcome", "refused"),
        (edited('"service": "smtp"', '"service": "a b"'), "service", "submission"),
        (edited('"offer": "TLSv1"', '"offer": "TLSv9"'), "offer", "TLSv1.2"),
        (edited('"builds": \\["debian-12", ', '"builds": ["debian-13", '), "builds", "once"),
        (edited('"forward_secrecy": true', '"forward_secrecy": "yes"'), "forward_secrecy", "true"),
        (edited('"protocol": "TLSv1.2"', '"protocol": "TLS1.2"'), "protocol", "TLSv1.2"),
        (edited('"overlay": "replace"', '"overlay": "on"'), "overlay", "merge"),
        (edited('"whole": true', '"wholly": true'), "wholly", "whole"),
        (edited('"openssl": "3.0.20"', '"openssl": 3'), "openssl", "a text"),
        (edited('"schema": 1', '"schema": 1, 2'), "", "record"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(text: str, key: str, expected: str) -> None:
    """Protects users who edit the file, or merge it: the message has line, key and the remedy."""
    before = format_snapshot(sample()).splitlines()
    (line,) = [n for n, pair in enumerate(zip(before, text.splitlines(), strict=True), 1)
               if pair[0] != pair[1]]  # fmt: skip
    with pytest.raises(FileError) as caught:
        parse_snapshot(text, PATH)
    assert caught.value.exit_code == 4
    assert caught.value.place.line == line, str(caught.value)
    assert key in (caught.value.place.key or "")
    assert expected in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", edited(' "level": .*\n', "")])
def test_what_is_no_snapshot_is_refused(text: str) -> None:
    """Protects users who name another file."""
    with pytest.raises(FileError) as caught:
        parse_snapshot(text, PATH)
    assert "expected" in str(caught.value)


def test_no_file_says_how_to_make_one(tmp_path: Path) -> None:
    """Protects new users, whose first check has nothing to compare with."""
    with pytest.raises(UsageError, match="postfix-matrix record"):
        load_snapshot(tmp_path / "none.json")


def test_the_file_is_sorted() -> None:
    """Protects reviews: the order of keys does not depend on the order of measuring."""
    data = json.loads(format_snapshot(sample()))
    assert list(data) == sorted(data)
    for part in ("builds", "candidate", "selection"):
        assert list(data[part]) == sorted(data[part])
