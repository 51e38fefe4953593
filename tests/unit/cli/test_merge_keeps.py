"""What ``merge`` keeps: results of flaky cells, evidence, and with what cells were measured."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from harness.cli.main import run_cli
from harness.errors import ExitCode, UsageError
from harness.observations.evidence_names import evidence_path, instance_path
from harness.observations.merged_folder import MergedFolder
from harness.observations.run_folder import load_run
from tests.unit.sample_run import ACCEPTED_CELL, write_sample_run
from tests.unit.sample_shards import change_cell, change_run, write_shards


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A run with one scenario."""
    return write_sample_run(tmp_path / "whole")


@pytest.fixture
def shards(whole: Path, tmp_path: Path) -> list[Path]:
    """The same run in two shards."""
    return write_shards(whole, tmp_path / "shards", 2)


def merge(target: Path, *folders: Path) -> int:
    """The exit code of ``merge`` into a folder."""
    return run_cli(["merge", *map(str, folders), "-o", str(target)])


def test_a_flaky_cell_stays_flaky_in_a_second_merge(whole: Path, tmp_path: Path) -> None:
    """Protects joins in two steps from hiding a result: both lines and both files go on."""
    again = shutil.copytree(whole, tmp_path / "again")
    change_cell(again, ACCEPTED_CELL, outcome="refused", stage="handshake", reason="closed")
    assert merge(tmp_path / "first", whole, again) == ExitCode.INFRASTRUCTURE
    target = tmp_path / "second"
    assert merge(target, tmp_path / "first") == ExitCode.INFRASTRUCTURE
    data = load_run(target)
    assert data.run.flaky == (ACCEPTED_CELL,)
    assert data.find(ACCEPTED_CELL).outcome == "refused"  # type: ignore[union-attr]
    lines = map(json.loads, (target / "observations.jsonl").read_text("utf-8").splitlines())
    kept = [line for line in lines if line["cell"] == ACCEPTED_CELL]
    assert [line["outcome"] for line in kept] == ["accepted", "refused"]
    assert all((target / line["evidence"]).is_file() for line in kept)
    assert len({line["evidence"] for line in kept}) == 2


def test_a_result_without_a_file_does_not_get_that_of_another(whole: Path, tmp_path: Path) -> None:
    """Protects evidence: a lost file is shown as absent, not replaced by another run's."""
    again = shutil.copytree(whole, tmp_path / "again")
    change_cell(again, ACCEPTED_CELL, outcome="refused", stage="handshake", reason="closed")
    lost = load_run(whole).find(ACCEPTED_CELL)
    assert lost is not None
    (whole / str(lost.evidence)).unlink()
    target = tmp_path / "merged"
    assert merge(target, whole, again) == ExitCode.INFRASTRUCTURE
    lines = map(json.loads, (target / "observations.jsonl").read_text("utf-8").splitlines())
    kept = [line["evidence"] for line in lines if line["cell"] == ACCEPTED_CELL]
    assert [(target / name).is_file() for name in kept] == [False, True]


def test_files_of_earlier_versions_get_names_that_can_be_stored(
    whole: Path, tmp_path: Path
) -> None:
    """Protects uploads of merged runs: an earlier version put colons into the names."""
    cell = load_run(whole).find(ACCEPTED_CELL)
    assert cell is not None
    earlier = "evidence/debian-12/defaults/smtp.client.TLSv1.2:AES128-SHA.json"
    (whole / str(cell.evidence)).rename(whole / earlier)
    change_cell(whole, ACCEPTED_CELL, evidence=earlier)
    (whole / "instances/debian-12/test:1.json").write_text("{}", "utf-8")
    target = tmp_path / "merged"
    assert merge(target, whole) == ExitCode.OK
    found = load_run(target).find(ACCEPTED_CELL)
    assert found is not None
    assert found.evidence == evidence_path(ACCEPTED_CELL)
    assert (target / found.evidence).is_file()
    assert (target / instance_path("debian-12", "test:1")).is_file()
    assert not [path for path in target.rglob("*") if ":" in path.name]


def test_a_name_that_is_no_cell_is_refused(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects from a traceback, and from a file outside the folder."""
    path = whole / "observations.jsonl"
    path.write_text(path.read_text("utf-8").replace(f'"{ACCEPTED_CELL}"', '"../../x"'), "utf-8")
    assert merge(tmp_path / "merged", whole) == ExitCode.USAGE
    assert "cell: not an observation: cannot be '../../x'" in capsys.readouterr().err
    assert [left.name for left in tmp_path.iterdir()] == ["whole"]


def test_an_unfinished_merge_is_no_run(shards: list[Path]) -> None:
    """Protects a repeated merge: what a killed one left beside its runs is not merged."""
    folder = shards[0].parent
    shutil.copytree(shards[0], folder / ".merged.merging")
    change_run(shards[0], folder / ".merged.merging", id="unfinished")
    assert merge(folder / "merged", folder) == ExitCode.OK
    assert "unfinished" not in {run.id for run in load_run(folder / "merged").run.merged}


@pytest.mark.parametrize("is_equal", [True, False])
def test_with_what_all_shards_were_measured_is_kept(
    is_equal: bool, shards: list[Path], tmp_path: Path
) -> None:
    """Protects --reuse of a merged run, and cells that were measured in two ways from it."""
    setup = {"version": "sha256:" + "1" * 64, "time_limit": 20.0, "names": ""}
    for shard in shards:
        change_run(shard, shard, measured_with=setup)
    if not is_equal:
        change_run(shards[0], shards[0], measured_with={**setup, "time_limit": 9.0})
    assert merge(tmp_path / "merged", *shards) == ExitCode.OK
    merged = load_run(tmp_path / "merged").run.measured_with
    assert merged == (load_run(shards[1]).run.measured_with if is_equal else None)


@pytest.mark.parametrize(
    ("version", "digest", "message"),
    [("9.9", "a", "the run r1 was made by postfix-matrix 9.9"), ("0.1.0", "b", "by other code")],
)
def test_a_run_of_other_code_than_expected_is_refused(
    version: str, digest: str, message: str, whole: Path, tmp_path: Path
) -> None:
    """Protects the record of a run on workers, which names the code of the client's machine."""
    setup = {"version": "a", "time_limit": 20.0, "names": "none"}
    change_run(whole, whole, measured_with=setup)
    with closing(MergedFolder(tmp_path / "merged")) as merged:
        merged.expect_code(version, digest, "the run r1")
        with pytest.raises(UsageError, match=message):
            merged.add(load_run(whole), "debian-12 on tcp://192.0.2.1:8786")
        assert merged.observations == ()
