"""The scripts of action.yml and measure.yml, run as GitHub runs them: inputs as variables, outputs
and the summary as files. No Docker engine answers here; tests/docker/test_ci.py has one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.snapshots.snapshot_text import format_snapshot
from scripts.ci.newest_artifact import find_newest
from tests.ci_steps import Step, check_artifact_paths
from tests.unit import sample_run
from tests.unit.project.pages import ROOT
from tests.unit.sample_shards import write_shards
from tests.unit.snapshots.snapshot_samples import GOOD, recorded

#: Those that a test runs, here or in tests/docker/test_ci.py.
TESTED_SCRIPTS = {
    *("setup.sh", "images_key.sh", "load_images.sh", "save_images.sh", "measure.sh"),
    *("merge.sh", "shards.sh"),
    # Of publish.yml; publish.sh: tests/unit/site/test_publish_script.py.
    *("last_run.sh", "publish.sh"),
}


@pytest.fixture
def step(tmp_path: Path) -> Step:
    """A user's checkout: a configuration, a snapshot of it, a folder that must not be imported."""
    (tmp_path / "main.cf").write_text(GOOD)
    (tmp_path / "snapshot.json").write_text(format_snapshot(recorded()))
    (tmp_path / "harden.sh").write_text("#!/bin/sh\npostconf -e smtpd_tls_security_level=may\n")
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("raise SystemExit('the wrong harness')\n")
    (tmp_path / "temp").mkdir()
    return Step(tmp_path)


def test_set_up_refuses_what_it_does_not_know(step: Step) -> None:
    """The step ends with the set-up's own exit code and message."""
    done = step.run("setup.sh", "--no-such-option")
    assert done.returncode == 4
    assert "unknown option --no-such-option" in done.stderr


def test_the_images_key_follows_from_their_content(step: Step) -> None:
    """Protects the cache: another selection of images has another key."""
    keys = []
    for builds in ("debian-12", "debian-12,debian-13"):
        done = step.run("images_key.sh", INPUT_BUILDS=builds, INPUT_CLIENTS="openssl-1.0.2h")
        assert done.returncode == 0, done.stderr
        keys.append(step.outputs["key"])
    assert keys[0] != keys[1]
    references = Path(step.outputs["references"]).read_text().splitlines()
    names = {reference.partition(":")[0] for reference in references}
    assert {"postfix-matrix/debian-12", "postfix-matrix/debian-13"} <= names
    assert "postfix-matrix/client-openssl-1.0.2h" in names
    assert not any("nodemailer" in name for name in names)


def test_a_key_of_what_does_not_exist_is_an_error(step: Step) -> None:
    """The step fails with the command's own exit code; an annotation says where to look."""
    done = step.run("images_key.sh", INPUT_BUILDS="debian-99")
    assert done.returncode == 4
    assert "no build matches 'debian-99'" in done.stderr
    assert "::error title=postfix-matrix::builds, clients or snapshot are wrong" in done.stdout


def test_the_images_of_a_snapshot_are_those_that_it_was_recorded_with(step: Step) -> None:
    """A check measures the snapshot's builds, and the cache has these."""
    done = step.run("images_key.sh", INPUT_SNAPSHOT="snapshot.json")
    assert done.returncode == 0, done.stderr
    references = Path(step.outputs["references"]).read_text()
    builds = {place.build for place in recorded().cells}
    assert all(f"postfix-matrix/{build}:" in references for build in builds)


def test_an_empty_cache_is_no_error(step: Step) -> None:
    """The first run of a repository has nothing to load."""
    done = step.run("load_images.sh", ARCHIVE=str(step.folder / "none.tar"))
    assert done.returncode == 0
    assert "no images in the cache" in done.stdout


def test_a_broken_archive_is_a_warning(step: Step) -> None:
    """A cache that cannot be loaded costs time, and never the result."""
    archive = step.folder / "images.tar"
    archive.write_bytes(b"no tar")
    done = step.run("load_images.sh", ARCHIVE=str(archive))
    assert done.returncode == 0
    assert "::warning title=postfix-matrix::" in done.stdout
    assert not archive.exists()


def test_no_image_is_saved_where_none_exists(step: Step) -> None:
    """A job whose images could not be built puts nothing into the cache."""
    references = step.folder / "references"
    references.write_text("postfix-matrix/none:0123456789ab\n")
    archive = step.folder / "images.tar"
    done = step.run("save_images.sh", ARCHIVE=str(archive), REFERENCES=str(references))
    assert done.returncode == 0, done.stderr
    assert step.outputs == {"saved": "false"}
    assert not archive.exists()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"INPUT_CANDIDATE": "main.cf"}, "a candidate needs a snapshot or policies"),
        ({"INPUT_POLICIES": "tls12-or-newer"}, "policies need a candidate"),
        ({"INPUT_SNAPSHOT": "a", "INPUT_POLICIES": "b"}, "use the action twice"),
        ({"INPUT_SNAPSHOT": "a\nb"}, "snapshot and tool each name one file"),
        ({"INPUT_TOOL": "t.toml", "INPUT_CANDIDATE": "main.cf"}, "exclude each other"),
        ({"INPUT_SNAPSHOT": "snapshot.json", "INPUT_SHARD": "1/2"}, "in shards"),
    ],
)
def test_inputs_that_do_not_go_together_are_refused(
    inputs: dict[str, str], message: str, step: Step
) -> None:
    """Bad input never starts a measurement: exit code 4, with an annotation that names it."""
    done = step.run("measure.sh", **inputs)
    assert done.returncode == 4
    assert done.stdout.startswith("::error title=postfix-matrix::")
    assert message in done.stdout


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            {"INPUT_CANDIDATE": "none.cf", "INPUT_POLICIES": "tls12-or-newer"},
            "::error title=postfix-matrix::none.cf is neither a file nor a scenario",
        ),
        (
            {"INPUT_SNAPSHOT": "main.cf"},
            "::error title=postfix-matrix,file=main.cf,line=1::main.cf:1: is not JSON",
        ),
    ],
)
def test_bad_input_of_the_command_is_annotated(
    inputs: dict[str, str], message: str, step: Step
) -> None:
    """The reader of the job's page sees what is wrong, at its place, with the exit code 4."""
    done = step.run("measure.sh", **inputs)
    assert done.returncode == 4, done.stderr
    assert message in done.stdout
    assert step.outputs == {"run": "", "artifact": "postfix-matrix", "exit-code": "4"}


def test_the_run_of_an_earlier_use_is_not_kept_as_this_ones(step: Step) -> None:
    """A job uses the action twice, and the second is refused: it has no run, not the first's."""
    runs = step.folder / "runs"
    sample_run.write_sample_run(runs / "earlier")
    (runs / "latest").symlink_to("earlier")
    done = step.run("measure.sh", RUNS=str(runs), INPUT_SNAPSHOT="main.cf")
    assert done.returncode == 4, done.stderr
    assert step.outputs["run"] == ""


@pytest.mark.parametrize(
    "inputs",
    [
        {"INPUT_SNAPSHOT": "snapshot.json", "INPUT_CANDIDATE": "main.cf"},
        {"INPUT_POLICIES": "tls12-or-newer\n\n delivers-from=php*,mono* \n",
         "INPUT_CANDIDATE": " main.cf\n"},
        {"INPUT_TOOL": "harden.sh", "INPUT_POLICIES": "no-ssl", "INPUT_BUILDS": "debian-12",
         "INPUT_SNAPSHOT": "snapshot.json"},
        {"INPUT_SCENARIOS": "defaults", "INPUT_BUILDS": "debian-12", "INPUT_OFFERS": "TLSv1.2",
         "INPUT_SERVICES": "smtp", "INPUT_CLIENTS": "openssl-1.0.2h", "INPUT_JOBS": "4"},
    ],
    ids=["check", "verify", "tool", "run"],
)  # fmt: skip
def test_each_command_is_called_with_the_inputs(inputs: dict[str, str], step: Step) -> None:
    """Each command gets as far as the engine, which does not answer: exit code 3."""
    done = step.run("measure.sh", **inputs)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Docker" in done.stderr
    assert "::error title=postfix-matrix::" in done.stdout
    assert step.outputs["exit-code"] == "3"


def test_an_earlier_run_that_is_not_there_stops_nothing(step: Step) -> None:
    """Every cell is measured where the night before left no run; a real one is taken over from."""
    inputs = {"INPUT_SCENARIOS": "defaults", "INPUT_BUILDS": "debian-12"}
    done = step.run("measure.sh", INPUT_REUSE="none", **inputs)
    assert done.returncode == 3
    assert "Docker" in done.stderr
    earlier = step.folder / "earlier"
    earlier.mkdir()
    (earlier / "run.json").write_text('{"schema": 0}')
    done = step.run("measure.sh", INPUT_REUSE="earlier", **inputs)
    assert "has schema 0" in done.stdout + done.stderr


def artifact(run: int, created: str, *, branch: str = "main", **others: Any) -> dict[str, Any]:
    """An artifact as GitHub's list has it."""
    source = {"id": run, "head_branch": branch, "repository_id": 1, "head_repository_id": 1}
    return {"created_at": created, "expired": False, "workflow_run": source} | others


def test_the_newest_run_of_the_branch_itself_is_found() -> None:
    """What expired, or was made for another branch or by a fork, is never taken over."""
    fork = artifact(5, "2026-11-30T05:00:00Z")
    fork["workflow_run"]["head_repository_id"] = 2
    artifacts = [
        artifact(1, "2026-11-28T01:50:00Z"),
        artifact(2, "2026-11-29T01:50:00Z"),
        artifact(3, "2026-11-30T01:50:00Z", expired=True),
        artifact(4, "2026-11-30T03:00:00Z", branch="try"),
        fork,
        artifact(6, "2026-11-30T06:00:00Z", workflow_run=None),
    ]
    assert find_newest(artifacts, "main") == 2
    assert find_newest(artifacts[2:], "main") is None


def test_without_a_list_of_artifacts_every_cell_is_measured(step: Step) -> None:
    """GitHub that does not answer stops no night."""
    done = step.run(
        "last_run.sh", ARTIFACT="night", GITHUB_REPOSITORY="a/b", PATH="/usr/bin:/bin",
        GH_HOST="127.0.0.1:1", GH_TOKEN="x",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert step.outputs["run-id"] == ""


def test_an_input_is_never_run_as_shell(step: Step) -> None:
    """Protects a runner from a pull request: an input is an argument, whatever it has in it."""
    hostile = "$(touch pwned); touch pwned `touch pwned` 'x'"
    done = step.run("measure.sh", INPUT_BUILDS=hostile, INPUT_ARTIFACT=hostile, INPUT_SHARD="2/4")
    assert done.returncode == 4
    assert not (step.folder / "pwned").exists()
    # Two jobs cannot write one artifact, and "/" is not allowed in its name.
    assert step.outputs["artifact"] == f"{hostile}-2-of-4"


@pytest.mark.parametrize(("count", "expected"), [("1", ["1/1"]), ("3", ["1/3", "2/3", "3/3"])])
def test_shards_are_a_matrix(count: str, expected: list[str], step: Step) -> None:
    """The list is what a workflow's fromJSON reads."""
    done = step.run("shards.sh", COUNT=count)
    assert done.returncode == 0
    assert json.loads(step.outputs["shards"]) == expected


@pytest.mark.parametrize("count", ["0", "-1", "257", "1.5", "x", "01"])
def test_no_number_of_shards_is_refused(count: str, step: Step) -> None:
    """A matrix has at most 256 jobs."""
    done = step.run("shards.sh", COUNT=count)
    assert done.returncode == 4
    assert "write a number from 1 to 256" in done.stdout


def test_shards_are_merged_and_judged(step: Step) -> None:
    """The merge job: one run folder with its reports, a summary, and the verdicts' exit code."""
    whole = sample_run.write_sample_run(step.folder / "whole")
    write_shards(whole, step.folder / "shards", 3)
    done = step.run("merge.sh", SHARDS="shards", EXPECT_SHARDS="3", RUNS=str(step.folder / "runs"))
    assert done.returncode == 0, done.stdout + done.stderr
    run = Path(step.outputs["run"])
    assert step.outputs["exit-code"] == "0"
    assert all((run / name).is_file() for name in ("run.json", "junit.xml", "index.html"))
    assert "## defaults" in (step.folder / "summary.md").read_text("utf-8")
    assert check_artifact_paths(run).returncode == 0


def test_a_missing_shard_fails_the_merge(step: Step) -> None:
    """Protects a green job from a shard whose job was lost: exit code 4, and nothing is judged."""
    whole = sample_run.write_sample_run(step.folder / "whole")
    shutil.rmtree(write_shards(whole, step.folder / "shards", 3)[1])
    done = step.run("merge.sh", SHARDS="shards", EXPECT_SHARDS="3", RUNS=str(step.folder / "runs"))
    assert done.returncode == 4
    assert step.outputs == {"run": "", "exit-code": "4"}


def test_a_report_names_the_file_and_the_line(step: Step) -> None:
    """verdicts of a kept run, as the merge job judges: annotations, summary, exit code."""
    folder = sample_run.write_sample_run(step.folder / "run")
    kept = ROOT / "tests" / "data" / "run-folder"
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    command = [sys.executable, "-m", "harness.cli", "verdicts", str(folder), "--format", "github"]
    summary = step.folder / "summary.md"
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "GITHUB_STEP_SUMMARY": str(summary)},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0].startswith("::stop-commands::")
    token = lines[0].removeprefix("::stop-commands::")
    assert f"::{token}::" in lines
    assert "## answer-1-protocols" in summary.read_text()
