"""A plan that several jobs measured equals the plan that one measured."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.observations.record import Observation
from harness.observations.run_folder import RunData, load_run
from tests.docker.conftest import CLI, run_process

pytestmark = pytest.mark.docker

#: A busy machine's time-outs would be differences.
SELECTION = (
    *("-q", "-b", "debian-12,debian-11", "-s", "defaults", "-c", "openssl-3.5.7"),
    *("--time-limit", "120"),
)
#: What each run makes anew.
OF_THE_RUN = ("seconds", "certificate", "run", "measured")


def read_results(data: RunData) -> dict[str, dict[str, Any]]:
    """What a run observed, by cell, but for times and the certificates that it made."""
    return {cell.cell: _strip_run(cell) for cell in data.observations}


def _strip_run(cell: Observation) -> dict[str, Any]:
    values = json.loads(cell.to_json())
    return {key: value for key, value in values.items() if key not in OF_THE_RUN}


def assert_equal_but_for_times(whole: RunData, merged: RunData) -> None:
    """Cells, controls, axes, images and figures are the same; only times and order differ."""
    assert read_results(merged) == read_results(whole)
    assert merged.run.axes == whole.run.axes
    assert merged.run.images == whole.run.images
    assert merged.run.scenarios == whole.run.scenarios
    assert (merged.run.missing, merged.run.flaky) == ((), ())
    summary = json.loads((merged.folder / "run.json").read_text("utf-8"))["summary"]
    before = json.loads((whole.folder / "run.json").read_text("utf-8"))["summary"]
    for key in ("planned", "measured", "outcomes", "views_compared", "disagreements"):
        assert summary[key] == before[key]
    lines = (merged.folder / "observations.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == len(merged.observations), "a cell is there twice"
    for cell in merged.observations:
        assert merged.evidence(cell) is not None, cell.cell


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """The run that is not cut."""
    ran = run_process(tmp_path_factory.mktemp("whole"), *SELECTION)
    assert ran.code == 0, ran.err
    return load_run(ran.folder.resolve())


def test_shards_of_parallel_jobs_merge_into_the_whole_run(whole: RunData, tmp_path: Path) -> None:
    """Protects CI on several machines: jobs with GitLab's variables measure the whole together."""
    for index in (1, 2):
        env = {"CI_NODE_INDEX": str(index), "CI_NODE_TOTAL": "2"}
        ran = run_process(tmp_path / "shards", *SELECTION, "--shard", "auto", env=env)
        assert ran.code == 0, ran.err
        assert f"shard {index}/2, by CI_NODE_INDEX={index} and CI_NODE_TOTAL=2" in ran.err
    target = tmp_path / "merged"
    command = [*CLI, "merge", str(tmp_path / "shards"), "-o", str(target), "--expect-shards", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_equal_but_for_times(whole, load_run(target))
