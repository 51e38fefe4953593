"""Reading a run folder back, whole, killed and broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import FileError, UsageError
from harness.observations.run_folder import RunData, load_run
from harness.observations.run_json import Missing, ReadBack, UnavailableCategory
from tests.unit import sample_images, sample_run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A synthetic run that no test changes."""
    return load_run(sample_run.write_sample_run(tmp_path_factory.mktemp("runs") / "run"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small synthetic run to change."""
    return sample_run.write_sample_run(tmp_path / "run", scenarios=("defaults",))


def edit_run(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite run.json with a change."""
    data = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    change(data)
    (folder / "run.json").write_text(json.dumps(data), encoding="utf-8")


def test_a_whole_run_is_read_as_it_was_written(whole: RunData) -> None:
    """Every line becomes one observation, run.json is there whole, and nothing is noted."""
    data = whole
    lines = (data.folder / "observations.jsonl").read_text(encoding="utf-8").splitlines()
    assert [cell.to_json() for cell in data.observations] == lines
    assert data.notes == ()
    assert data.run.axes.builds == sample_run.BUILDS
    assert data.run.missing == (Missing(sample_run.MISSING_BUILD, "build", sample_run.MISSING_WHY),)
    assert data.run.images["debian-12"].postfix == "3.7.11"
    assert data.run.scenarios["bad-list"].claim == sample_run.SCENARIOS["bad-list"][1]


def test_provenance_is_read_and_what_an_older_run_lacks_is_not_made_up(tmp_path: Path) -> None:
    """Marks, read-back and categories reach the reports; without them nothing is claimed."""
    marked = load_run(sample_run.write_sample_run(tmp_path / "marked", marked=True)).run
    pair = marked.images[sample_images.LEGACY_PAIR]
    assert (pair.unverified, pair.foreign, pair.flavour) == (True, False, "legacy")
    assert pair.read_back == ReadBack("3.1.0", "1.0.2h", "1.0.2h", "1.0.2h")
    assert pair.build_log == sample_images.LOG_NAME
    assert marked.images[sample_images.FOREIGN].foreign
    assert {entry.category for entry in marked.missing} == set(UnavailableCategory)
    folder = sample_run.write_sample_run(tmp_path / "old", scenarios=("defaults",))
    known = ("kind", "reference", "id", "labels", "postfix", "openssl", "describe")

    def age(data: dict[str, Any]) -> None:
        for image in data["images"].values():
            for key in image.keys() - known:
                del image[key]

    edit_run(folder, age)
    older = load_run(folder).run.images["debian-12"]
    assert (older.unverified, older.foreign, older.flavour) == (False, False, None)
    assert (older.read_back, older.build_log) == (None, None)


def test_a_category_of_a_later_version_is_read_as_it_is(folder: Path) -> None:
    """A value that this version does not know does not make a run folder unreadable."""
    edit_run(folder, lambda data: data["missing"][0].update(category="of-tomorrow"))
    assert load_run(folder).run.missing[0].category == "of-tomorrow"


def test_evidence_is_that_of_the_cell(whole: RunData) -> None:
    """A reader never gets another cell's evidence, nor another instance's."""
    data = whole
    for cell in (sample_run.ACCEPTED_CELL, sample_run.REFUSED_CELL):
        observation = data.find(cell)
        assert observation
        evidence = data.evidence(observation)
        assert evidence is not None
        assert evidence["cell"] == cell
    instance = data.instance("debian-13", "defaults")
    assert instance is not None
    assert (instance["build"], instance["scenario"]) == ("debian-13", "defaults")


def test_a_torn_last_line_is_dropped_and_noted(tmp_path: Path, whole: RunData) -> None:
    """A killed run keeps every whole observation, and says that it is not finished."""
    killed = load_run(sample_run.write_sample_run(tmp_path / "killed", finished=False))
    assert killed.observations == whole.observations
    assert killed.run.finished is None
    assert any("torn" in note for note in killed.notes)
    assert any("not finished" in note for note in killed.notes)


@pytest.mark.parametrize("cut", range(1, 40))
def test_any_cut_of_the_last_line_is_survived(tmp_path: Path, cut: int) -> None:
    """Wherever the kill fell, inside a multi-byte character too, the lines before it are read."""
    (tmp_path / "run.json").write_text(
        json.dumps({"schema": 1, "id": "x", "started": "now", "axes": {}}), encoding="utf-8"
    )
    first = sample_run.observe("debian-12", "defaults", "smtp", "openssl-1.0.2h", "TLSv1")
    torn = replace(first, cell="ünïcode/…", reason="äöü").to_json().encode()[:cut]
    (tmp_path / "observations.jsonl").write_bytes(first.to_json().encode() + b"\n" + torn)
    assert load_run(tmp_path).observations == (first,)


def test_a_last_line_that_is_whole_but_unended_is_kept(folder: Path) -> None:
    """A cell that was measured is not lost for want of a line feed."""
    path = folder / "observations.jsonl"
    before = load_run(folder).observations
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert load_run(folder).observations == before


def test_a_broken_line_in_the_middle_is_an_error_with_its_number(folder: Path) -> None:
    """Damage that no kill explains is not skipped in silence."""
    path = folder / "observations.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:2], "oops\n", *lines[2:]]), encoding="utf-8")
    with pytest.raises(FileError, match=r"observations\.jsonl:3: not an observation") as caught:
        load_run(folder)
    assert caught.value.place.line == 3


def test_of_a_cell_measured_twice_the_last_counts(folder: Path) -> None:
    """A resumed run does not show a cell twice, and says that it was measured again."""
    first = load_run(folder).observations[0]
    again = replace(first, seconds=9.0)
    with (folder / "observations.jsonl").open("a", encoding="utf-8") as file:
        file.write(again.to_json() + "\n")
    data = load_run(folder)
    assert data.find(first.cell) == again
    assert len({cell.cell for cell in data.observations}) == len(data.observations)
    assert any(first.cell in note for note in data.notes)


@pytest.mark.parametrize("name", ["../secret.json", "/etc/hostname", "evidence/../../secret.json"])
def test_evidence_outside_the_run_folder_is_not_read(folder: Path, name: str) -> None:
    """A run folder from a stranger cannot make a report quote the reader's own files."""
    sample_run.write_json(folder.parent / "secret.json", {"cell": "secret"})
    data = load_run(folder)
    assert data.evidence(replace(data.observations[0], evidence=name)) is None


def test_missing_or_empty_evidence_is_none(folder: Path) -> None:
    """A report of a killed run is made with what there is; files are written whole."""
    data = load_run(folder)
    observation = data.observations[0]
    path = folder / str(observation.evidence)
    path.write_text('{"cell": "debi', encoding="utf-8")
    with pytest.raises(FileError, match="not JSON"):
        data.evidence(observation)
    path.write_bytes(b"")
    assert data.evidence(observation) is None
    assert data.evidence(replace(observation, evidence="evidence/none.json")) is None
    assert data.evidence(replace(observation, evidence=None)) is None
    assert data.instance("no-such-build", "defaults") is None


def test_a_run_killed_before_its_first_cell_is_a_run(folder: Path) -> None:
    """No observations.jsonl is an empty run with a note."""
    (folder / "observations.jsonl").unlink()
    data = load_run(folder)
    assert data.observations == ()
    assert any("no cell was measured" in note for note in data.notes)


def test_a_folder_that_is_no_run_is_a_usage_error(tmp_path: Path) -> None:
    """The user learns which folder is wrong and what to name instead."""
    with pytest.raises(UsageError, match="there is no such file") as caught:
        load_run(tmp_path)
    assert str(tmp_path) in caught.value.what
    assert caught.value.next_step


def test_another_schema_is_refused(folder: Path) -> None:
    """A future form is not read as if it were this one."""
    edit_run(folder, lambda data: data.update(schema=2))
    with pytest.raises(UsageError, match="schema 2"):
        load_run(folder)


def test_a_wrong_field_of_run_json_is_named(folder: Path) -> None:
    """The error names file and key."""
    edit_run(folder, lambda data: data["axes"].update(builds="debian-12"))
    with pytest.raises(FileError, match=r"run\.json:\d+: axes\.builds"):
        load_run(folder)
