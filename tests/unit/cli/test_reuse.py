"""The options of ``run`` for an earlier run, and what is printed of the decision."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.reuse import describe_reuse, find_reused_run
from harness.errors import UsageError
from harness.observations.record import MeasuredWith, Outcome
from harness.observations.reuse import NO_NAMES
from harness.observations.run_folder import load_run
from harness.run.measuring_version import measuring_version
from harness.run.reuse import RunReuse, compare_with_run
from tests.unit.reuse_samples import IMAGES, PLAN, SCENARIOS, with_outcome, write_run

SETUP = MeasuredWith(measuring_version(), 10.0, NO_NAMES)


def find(
    reuse: str | None, runs: Path, *, fresh: bool = False, resume: Path | None = None
) -> object:
    """The run folder that the options name."""
    return find_reused_run(reuse, fresh=fresh, resume=resume, runs=runs)


def compare(folder: Path, images: dict[str, str]) -> RunReuse:
    """What the samples' plan takes over from a run."""
    return compare_with_run(load_run(folder), PLAN, SCENARIOS, images, 10.0)


def test_latest_is_the_latest_of_the_folder_of_runs(tmp_path: Path) -> None:
    """Found before the new run becomes the latest; any other word is a folder."""
    write_run(tmp_path / "first")
    (tmp_path / "latest").symlink_to("first")
    assert find("latest", tmp_path) == tmp_path / "first"
    assert find(str(tmp_path / "first"), Path("elsewhere")) == tmp_path / "first"
    assert find(None, tmp_path, fresh=True) is None


@pytest.mark.parametrize(
    ("options", "text"),
    [({"fresh": True}, "--fresh"), ({"resume": Path("x")}, "--resume")],
)
def test_options_that_contradict_are_refused(
    tmp_path: Path, options: dict[str, object], text: str
) -> None:
    """What is measured is never a guess."""
    write_run(tmp_path / "latest")
    with pytest.raises(UsageError, match=f"--reuse and {text} exclude each other"):
        find_reused_run("latest", **{"fresh": False, "resume": None, "runs": tmp_path, **options})  # type: ignore[arg-type]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    """A mistyped name must not measure a million cells."""
    with pytest.raises(UsageError, match="there is no run in"):
        find("latest", tmp_path)
    with pytest.raises(UsageError, match="there is no run in"):
        find(str(tmp_path), tmp_path)


def test_the_decision_is_told_in_a_line_and_its_reasons_in_a_table(tmp_path: Path) -> None:
    """Who expects that nothing is measured sees why something is."""
    cell = next(PLAN.cells())
    run = write_run(tmp_path / "before", with_outcome(cell, Outcome.TIMEOUT), SETUP)
    reuse = compare(run.folder, {**IMAGES, "debian-13": "sha256:other"})
    first = f"3 of 8 cells are taken over from {run.folder}"
    assert list(describe_reuse(reuse, verbose=True)) == [
        first,
        "5 are measured, because",
        "  4  the image of debian-13 is another one",
        "  1  it timed out",
    ]
    assert list(describe_reuse(reuse, verbose=False)) == [
        first,
        "5 are measured, most because the image of debian-13 is another one (4); "
        "-v counts all reasons",
    ]
    assert next(describe_reuse(compare(run.folder, {}), verbose=False)).startswith("0 of 8 ")


def test_nothing_more_is_said_where_nothing_is_measured(tmp_path: Path) -> None:
    """A night without a change is one line."""
    run = write_run(tmp_path / "before", setup=SETUP)
    lines = list(describe_reuse(compare(run.folder, IMAGES), verbose=True))
    assert lines == [f"8 of 8 cells are taken over from {run.folder}"]
