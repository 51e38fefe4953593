"""``merge``: the folders of shards and other runs as one run folder, or a refusal."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.catalog.plan import Plan
from harness.cli.main import run_cli
from harness.errors import ExitCode
from harness.observations.merged_folder import OF_THE_RUN, is_same_result
from harness.observations.record import Observation
from harness.observations.run_folder import RunData, load_run
from harness.observations.run_record import prior_origins
from tests.schema_files import faults
from tests.unit.sample_run import ACCEPTED_CELL, SPECIAL, write_sample_run
from tests.unit.sample_shards import change_cell, change_run, write_shards

COUNT = 4


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A run that was not cut: four builds, one of them unavailable, and two scenarios."""
    return write_sample_run(tmp_path / "whole", scenarios=("defaults", "answer-2-smtp-line"))


@pytest.fixture
def shards(whole: Path, tmp_path: Path) -> list[Path]:
    """The same run in four shards."""
    return write_shards(whole, tmp_path / "shards", COUNT)


def merge(target: Path, *arguments: Path | str) -> int:
    """The exit code of ``merge`` into a folder."""
    return run_cli(["merge", *map(str, arguments), "-o", str(target)])


def read_results(data: RunData) -> dict[str, Any]:
    """Every observation with its evidence, by cell."""
    return {cell.cell: (cell, data.evidence(cell)) for cell in data.observations}


def test_shards_merge_into_the_run_that_was_not_cut(
    whole: Path, shards: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the sum: cells, evidence, instances, axes, images and figures are all there."""
    target = tmp_path / "merged"
    assert merge(target, *reversed(shards), "--expect-shards", "4") == ExitCode.OK
    before, after = load_run(whole), load_run(target)
    assert read_results(after) == read_results(before)
    assert after.notes == ()
    assert after.run.axes == load_run(shards[0]).run.shard.axes  # type: ignore[union-attr]
    for part in ("images", "scenarios", "missing"):
        assert getattr(after.run, part) == getattr(before.run, part)
    assert after.run.summary is not None
    assert after.run.summary.measured == before.run.summary.measured  # type: ignore[union-attr]
    paths = {path.relative_to(whole) for path in whole.glob("instances/*/*.json")}
    assert {path.relative_to(target) for path in target.glob("instances/*/*.json")} == paths
    assert [str(run.shard) for run in after.run.merged] == ["4/4", "3/4", "2/4", "1/4"]
    assert (target / "index.html").is_file()
    assert "shards 1, 2, 3, 4 of 4" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged", "shards", "whole"]


def test_a_merged_folder_keeps_the_schemas(shards: list[Path], tmp_path: Path) -> None:
    """Protects other people's programs: run.json and each observation of a merged run."""
    change_cell(shards[0], load_run(shards[0]).observations[0].cell, outcome="timeout")
    again = shutil.copytree(shards[0], tmp_path / "again")
    change_cell(again, load_run(again).observations[0].cell, outcome="accepted")
    target = tmp_path / "merged"
    assert merge(target, *shards, again) == ExitCode.INFRASTRUCTURE
    record = json.loads((target / "run.json").read_text("utf-8"))
    # The sample's own scenarios and images have not all that the schema asks for.
    known = {"axes", "shard", "merged", "flaky", "summary", "host", "id", "started", "finished"}
    wrong = [fault for fault in faults("run", record) if any(key in fault for key in known)]
    assert wrong == []
    for line in (target / "observations.jsonl").read_text("utf-8").splitlines():
        evidence = json.loads(line)["evidence"]
        assert evidence is None or evidence.partition("/")[0] in ("evidence", "evidence-2")


@pytest.mark.parametrize(
    "command",
    [
        ["show", "--run", "FOLDER"],
        ["show", "--run", "FOLDER", ACCEPTED_CELL],
        ["report", "FOLDER"],
        ["report", "FOLDER", "--table", "protocols"],
        ["compare", "WHOLE", "FOLDER"],
        ["report", "FOLDER", "--table", "clients"],
        ["since", "defaults", "FOLDER"],
    ],
)
def test_every_command_reads_a_merged_folder(
    command: list[str], whole: Path, shards: list[Path], tmp_path: Path
) -> None:
    """Protects what people do next."""
    target = tmp_path / "merged"
    assert merge(target, *shards) == ExitCode.OK
    names = {"FOLDER": str(target), "WHOLE": str(whole)}
    assert run_cli([names.get(word, word) for word in command]) == ExitCode.OK


def test_runs_below_a_folder_are_all_merged(
    shards: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the shell line of a CI job: the folder that --runs named stands for its runs."""
    (shards[0].parent / "latest").symlink_to(shards[0].name)
    assert merge(tmp_path / "merged", shards[0].parent, "--expect-shards", "4") == ExitCode.OK
    assert "merged: 4 runs, " in capsys.readouterr().out
    assert merge(tmp_path / "twice", shards[0].parent, *shards) == ExitCode.OK
    assert "twice: 4 runs, " in capsys.readouterr().out
    assert merge(tmp_path / "none", tmp_path / "nowhere") == ExitCode.USAGE
    assert "there is no run in" in capsys.readouterr().err


def test_what_was_merged_can_be_merged_again(
    whole: Path, shards: list[Path], tmp_path: Path
) -> None:
    """Protects joins in two steps: half of the shards first, and the other half later."""
    assert merge(tmp_path / "first", *shards[:2]) == ExitCode.OK
    assert merge(tmp_path / "second", *shards[2:]) == ExitCode.OK
    halves = tmp_path / "first", tmp_path / "second"
    assert merge(tmp_path / "merged", *halves, "--expect-shards", "4") == ExitCode.OK
    data = load_run(tmp_path / "merged")
    assert read_results(data) == read_results(load_run(whole))
    assert [run.id for run in data.run.merged] == [shard.name for shard in shards]


def test_an_unequal_cell_is_flaky_and_both_are_kept(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects against a result that hides another one: both lines, each with its evidence."""
    again = shutil.copytree(whole, tmp_path / "again")
    change_run(again, again, id="again")
    change_cell(again, ACCEPTED_CELL, outcome="refused", stage="handshake", reason="closed")
    (again / load_run(again).find(ACCEPTED_CELL).evidence).write_text(  # type: ignore[union-attr, operator]
        '{"cell": "the second"}', "utf-8"
    )
    target = tmp_path / "merged"
    assert merge(target, whole, again) == ExitCode.INFRASTRUCTURE
    printed = capsys.readouterr()
    assert f"flaky: {ACCEPTED_CELL}\n" in printed.out
    assert find_lines(printed.out)[-2].endswith("in 20261122T231500Z-1a2b")
    assert find_lines(printed.out)[-1].endswith("in again")
    assert "1 cell is flaky" in printed.err
    data = load_run(target)
    assert data.run.flaky == (ACCEPTED_CELL,)
    assert len(data.observations) == len(load_run(whole).observations)
    lines = (target / "observations.jsonl").read_text("utf-8").splitlines()
    kept = [line for record in lines if (line := json.loads(record))["cell"] == ACCEPTED_CELL]
    assert [line["outcome"] for line in kept] == ["accepted", "refused"]
    texts = [json.loads((target / line["evidence"]).read_text("utf-8"))["cell"] for line in kept]
    assert texts == [ACCEPTED_CELL, "the second"]
    assert run_cli(["show", "--run", str(target), ACCEPTED_CELL]) == ExitCode.OK
    assert "Flaky: the runs that were merged" in capsys.readouterr().out


def find_lines(text: str) -> list[str]:
    """The lines of a text that are not empty."""
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("is_first", [True, False])
def test_an_error_is_no_result(is_first: bool, whole: Path, tmp_path: Path) -> None:
    """Protects the retry of a cell that the harness could not measure: the measured one counts."""
    again = shutil.copytree(whole, tmp_path / "again")
    change_cell(again, ACCEPTED_CELL, outcome="error", stage="connect")
    runs = (again, whole) if is_first else (whole, again)
    target = tmp_path / "merged"
    assert merge(target, *runs) == ExitCode.OK
    data = load_run(target)
    assert data.run.flaky == ()
    assert data.find(ACCEPTED_CELL).outcome == "accepted"  # type: ignore[union-attr]
    evidence = data.evidence(data.find(ACCEPTED_CELL))  # type: ignore[arg-type]
    assert evidence is not None
    text = (target / "observations.jsonl").read_text("utf-8")
    assert f'"cell": "{ACCEPTED_CELL}"' in text
    assert text.count('"outcome": "error"') == 1 + sum(
        outcome == "error" for outcome in SPECIAL.values()
    )


def test_times_and_fingerprints_make_no_difference(whole: Path) -> None:
    """Protects equal cells: what each run makes anew is no result, and all else is."""
    cell = load_run(whole).find(ACCEPTED_CELL)
    assert cell is not None
    changes = {
        "seconds": 9.9, "evidence": None, "control": None,
        "certificate": {"sha256": "ab", "names": ["mx.test"], "issuer": "CA"},
    }  # fmt: skip
    line = {**json.loads(cell.to_json()), **changes}
    other = {**line, "certificate": {**line["certificate"], "sha256": "cd"}}
    first, second = (type(cell).from_json(json.dumps(record)) for record in (line, other))
    assert is_same_result(first, second)
    assert not is_same_result(cell, first)
    renamed = {**line, "certificate": {**line["certificate"], "issuer": "another"}}
    assert not is_same_result(first, type(cell).from_json(json.dumps(renamed)))


def test_each_field_is_of_the_run_or_of_the_result() -> None:
    """Protects merges from a new field: its author decides whether two runs may differ in it.

    Without that, every cell of two runs would be flaky, or a difference would be hidden.
    """
    result = {
        "cell", "build", "scenario", "config", "service", "client", "offer", "outcome", "stage",
        "reason", "decided_by", "client_saw", "server_saw", "agree", "trust", "obstacles",
        "certificate", "resumed", "schema", "tool", "postfix", "openssl",
    }  # fmt: skip
    fields = {field.name for field in dataclasses.fields(Observation)}
    assert result.isdisjoint(OF_THE_RUN)
    assert fields == result | OF_THE_RUN


def change_scenario(folder: Path) -> None:
    """Another text of a scenario."""
    data = json.loads((folder / "run.json").read_text("utf-8"))
    data["scenarios"]["defaults"]["main_cf"] = "smtpd_tls_security_level = none\n"
    change_run(folder, folder, scenarios=data["scenarios"])


def change_image(folder: Path) -> None:
    """Another image of a client."""
    data = json.loads((folder / "run.json").read_text("utf-8"))
    data["images"]["openssl-1.0.2h"]["id"] = "sha256:" + "9" * 64
    change_run(folder, folder, images=data["images"])


def change_versions(folder: Path) -> None:
    """Another version in a build's image."""
    data = json.loads((folder / "run.json").read_text("utf-8"))
    data["images"]["debian-12"]["postfix"] = "3.7.12"
    change_run(folder, folder, images=data["images"])


def change_config(folder: Path) -> None:
    """Other files of a scenario, which only its digest shows."""
    for cell in load_run(folder).observations:
        if cell.scenario == "defaults":
            change_cell(folder, cell.cell, config="sha256:" + "11" * 32)
            return


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: change_run(folder, folder, schema=2), "has schema 2, "),
        (
            lambda folder: change_run(folder, folder, tool={"version": "9.9"}),
            "made by postfix-matrix 0.1.0, ",
        ),
        (change_scenario, "the scenario defaults is another one in"),
        (change_config, "the scenario defaults was measured with other files"),
        (change_image, "openssl-1.0.2h is another image in"),
        (change_versions, "Postfix 3.7.12"),
    ],
)
def test_other_inputs_are_refused_naming_both(
    change: Any, message: str, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the meaning of a merged run: its cells were measured with the same things."""
    again = shutil.copytree(whole, tmp_path / "again")
    change(again)
    assert merge(tmp_path / "merged", whole, again) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert message in error
    assert str(whole) in error
    assert str(again) in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "whole"]


def test_incomplete_shards_are_refused(
    whole: Path, shards: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects a pipeline whose machine failed: what is there, and what is needed."""
    target = tmp_path / "merged"

    def refuse(message: str, *arguments: Path | str, expected: str = "4") -> None:
        assert merge(target, *arguments, "--expect-shards", expected) == ExitCode.USAGE
        assert message in capsys.readouterr().err
        assert not target.exists()

    refuse("found shards 1, 2, 4 of 4; shard 3 is needed too", *shards[:2], shards[3])
    refuse("is shard 1/4, and --expect-shards is 3", *shards, expected="3")
    refuse("is no shard: it was measured without --shard", *shards, whole)
    change_run(shards[1], shards[1], finished=None, summary=None)
    refuse("shard 2/4 in", *shards)
    refuse("run --resume", *shards)
    record = json.loads((shards[2] / "run.json").read_text("utf-8"))
    record["shard"]["axes"]["offers"] = ["TLSv1.2"]
    change_run(shards[2], shards[2], shard=record["shard"])
    refuse("shards of different plans: their offers differ", *shards)


def test_an_unfinished_shard_leaves_the_run_unfinished(
    shards: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects readers of a part: what is absent is unmeasured, and the run is not finished."""
    change_run(shards[1], shards[1], finished=None, summary=None)
    assert merge(tmp_path / "merged", *shards[:3]) == ExitCode.OK
    assert f"not finished: {shards[1]}" in capsys.readouterr().out
    data = load_run(tmp_path / "merged")
    assert data.run.finished is None
    assert data.run.axes.planned() > sum(
        not cell.build.startswith("control-") for cell in data.observations
    )


def test_a_shard_that_was_repeated_is_finished(shards: list[Path], tmp_path: Path) -> None:
    """Protects retries: the folder of the machine that failed may lie beside the other's."""
    stopped = shutil.copytree(shards[1], tmp_path / "stopped")
    change_run(stopped, stopped, id="stopped", finished=None, summary=None)
    lines = (stopped / "observations.jsonl").read_text("utf-8").splitlines(keepends=True)
    (stopped / "observations.jsonl").write_text("".join(lines[:3]), "utf-8")
    assert merge(tmp_path / "merged", *shards, stopped, "--expect-shards", "4") == ExitCode.OK
    data = load_run(tmp_path / "merged")
    assert data.run.finished is not None
    assert len(data.run.merged) == 5


def test_a_folder_that_is_there_is_never_touched(
    whole: Path, shards: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects earlier results from a mistyped -o."""
    before = (whole / "run.json").read_bytes()
    assert merge(whole, *shards) == ExitCode.USAGE
    assert "is there already" in capsys.readouterr().err
    assert (whole / "run.json").read_bytes() == before


def test_runs_of_other_cells_are_joined_exactly(shards: list[Path], tmp_path: Path) -> None:
    """Protects counts: runs that are no shards plan no cell that none of them planned."""
    for shard in shards:
        record = json.loads((shard / "run.json").read_text("utf-8"))
        del record["shard"]
        (shard / "run.json").write_text(json.dumps(record), "utf-8")
    assert merge(tmp_path / "merged", *shards[:2]) == ExitCode.OK
    data = load_run(tmp_path / "merged")
    planned = sum(load_run(shard).run.axes.planned() for shard in shards[:2])
    assert data.run.axes.planned() == planned
    assert data.run.merged[0].shard is None


KILLED = """\
import sys, time
from harness.observations import merged_folder
written = merged_folder.MergedFolder.add
def add(self, data, label=""):
    cells = written(self, data, label)
    print("added", flush=True)
    time.sleep(60)
    return cells
merged_folder.MergedFolder.add = add
from harness.catalog.plan import Plan
from harness.cli.main import run_cli
sys.exit(run_cli(sys.argv[1:]))
"""


@contextmanager
def begin_merge(target: Path, shards: list[Path]) -> Iterator[subprocess.Popen[str]]:
    """A merge in a process of its own, which waits when it has added the first run."""
    command = [sys.executable, "-c", KILLED, "merge", *map(str, shards), "-o", str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "added\n"
        yield process


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_merge_leaves_nothing_half_written(
    sign: signal.Signals, shards: list[Path], tmp_path: Path
) -> None:
    """Protects the next step of a pipeline: a folder is there as a whole or not at all."""
    target = tmp_path / "merged"
    with begin_merge(target, shards) as process:
        os.kill(process.pid, sign)
        assert process.wait(30) != 0
    assert not target.exists()
    if sign is signal.SIGTERM:
        assert sorted(path.name for path in tmp_path.iterdir()) == ["shards", "whole"]
    assert merge(target, *shards) == ExitCode.OK
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged", "shards", "whole"]


def test_two_merges_do_not_write_the_same_folder(
    shards: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects against two jobs that write to one place at a time."""
    target = tmp_path / "merged"
    with begin_merge(target, shards) as process:
        assert merge(target, *shards) == ExitCode.USAGE
        process.kill()
    assert "another merge writes" in capsys.readouterr().err


def test_a_run_that_goes_on_keeps_its_shard(
    shards: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the merge: a shard that was stopped is not resumed as another one."""
    assert run_cli(["run", "--resume", str(shards[0]), "--shard", "2/4"]) == ExitCode.USAGE
    assert "--resume keeps the shard of the run" in capsys.readouterr().err
    origins = prior_origins(load_run(shards[0]).run)
    record = json.loads((shards[0] / "run.json").read_text("utf-8"))
    assert json.loads(json.dumps(origins["shard"]["index"])) == record["shard"]["index"]
    assert Plan.from_axes(origins["shard"]["axes"]).axes() == record["shard"]["axes"]
