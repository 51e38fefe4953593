"""The fixture ``postfix_snapshot``: its files, what it refuses, and what an update says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.outcomes import Outcome
from harness.pytest_plugin.fixture_snapshot import (
    check_level,
    describe_unselected,
    raise_if_unrecorded,
)
from harness.pytest_plugin.not_measured import NotMeasured
from harness.snapshots.checking import SnapshotCheck
from harness.snapshots.snapshot import Measurement
from harness.snapshots.values import SessionLevel
from tests.pytest_sessions import prepare, run_pytest
from tests.unit.snapshots.sample_server import SampleServer, candidate, observe, places
from tests.unit.snapshots.snapshot_samples import GOOD, recorded

TESTS = """
import pytest
from harness.pytest_plugin.fixture_snapshot import find_path
from harness.pytest_plugin.plugin_state import state_of

@pytest.fixture
def snapshot_name(request, postfix_build):
    return find_path(state_of(request.config), request.node, postfix_build, "").name

@pytest.fixture(params=["red", "blue"])
def colour(request):
    return request.param

def test_a(snapshot_name):
    print("FILE", snapshot_name)

@pytest.mark.parametrize("number", [1, 2])
def test_b(colour, number, snapshot_name):
    print("FILE", snapshot_name)

class TestIn:
    def test_a(self, snapshot_name):
        print("FILE", snapshot_name)
"""


def test_a_snapshot_of_another_level_is_refused() -> None:
    """Protects ``level="exact"``: a file that keeps less must not let the test pass."""
    path = Path("test_mail.harden.json")
    check_level(path, recorded(), SessionLevel())
    with pytest.raises(UsageError, match="has the level behaviour, and the test names exact"):
        check_level(path, recorded(), SessionLevel(exact=True))


def test_each_test_has_its_file_on_all_builds(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects classes and parameters: a shared file would be overwritten by each in turn."""
    prepare(monkeypatch)
    pytester.makepyfile(test_mail=TESTS)
    result = run_pytest(pytester, "-rP", "--postfix-builds", "debian-12,debian-13")
    result.assert_outcomes(passed=12)
    files = [line.split()[1] for line in result.outlines if line.startswith("FILE ")]
    assert len(files) == 12
    assert sorted(set(files)) == [
        "test_mail.TestIn.a.json",
        "test_mail.a.json",
        "test_mail.b-blue-1.json",
        "test_mail.b-blue-2.json",
        "test_mail.b-red-1.json",
        "test_mail.b-red-2.json",
    ]
    assert all(files.count(name) == 2 for name in set(files))


def test_two_tests_with_one_file_are_refused(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects names that differ only in what is left out of a file's name."""
    prepare(monkeypatch)
    same = TESTS.partition("class")[0] + "def testa(snapshot_name):\n    pass\n"
    pytester.makepyfile(test_mail=same)
    result = run_pytest(pytester, "--postfix-builds", "debian-12", "-k", "test_a or testa")
    assert "testa has the same snapshot as another test: test_mail.a.json" in result.stdout.str()


def test_an_update_names_what_it_could_not_record() -> None:
    """Protects from silence: the cells are named with the reason, and earlier rows are counted."""
    slow, new = places()[3], replace(places()[4], client="nodemailer-node6")
    cells = {
        place: observe(place, "candidate", Outcome.TIMEOUT if place == slow else Outcome.REFUSED)
        for place in places()
    }
    measurement = Measurement(cells, unavailable={"nodemailer-node6": "no image"})
    path, planned = Path("tests/test_mail.harden.json"), [*places(), new]
    with pytest.raises(NotMeasured) as raised:
        raise_if_unrecorded(path, recorded(), measurement, planned)
    first, *rest = str(raised.value).splitlines()
    assert first == (
        "test_mail.harden.json: 2 of 11 cells were not recorded, of which 1 keep an earlier row"
    )
    assert f"  {slow}: no answer in the cell's time" in rest
    assert f"  {new}: nodemailer-node6 is unavailable: no image" in rest
    raise_if_unrecorded(path, recorded(), Measurement({p: cells[p] for p in cells if p != slow}),
                        [place for place in places() if place != slow])  # fmt: skip


def test_rows_that_a_test_does_not_choose_are_counted() -> None:
    """Protects the warning: a test that passes says what of its snapshot it did not check."""
    check = SnapshotCheck(recorded(), SessionLevel(), candidate(GOOD), SampleServer())
    assert describe_unselected(check.run(places())) == ""
    text = describe_unselected(check.run(places()[:8]))
    assert text.startswith("2 recorded cells are not checked, which the test does not choose")
    assert "(openssl-3.5.7; smtp)" in text
