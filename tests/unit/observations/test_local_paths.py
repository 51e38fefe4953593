"""A run folder is there to be shared: no path of the machine that made it is in it."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from harness.observations.journal import Journal
from harness.observations.local_paths import (
    hide_homes,
    hide_in_command,
    hide_local_paths,
    places_of_machine,
)
from harness.observations.run_folder import load_run
from harness.observations.run_json import Missing
from harness.observations.run_record import RunOpening
from harness.reports import write_reports
from tests.unit import sample_images, sample_run, schema_samples


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("/usr/local/bin/postfix-matrix", "…/postfix-matrix"),
        ("--runs=/home/me/runs/", "--runs=…/runs"),
        ("postfix-3.1.0=/home/me/src/postfix", "postfix-3.1.0=…/postfix"),
        ("~/secret/main.cf", "…/main.cf"),
        ("runs/latest", "runs/latest"),
        ("debian-12/defaults/*", "debian-12/defaults/*"),
        ("registry.example/mine:7", "registry.example/mine:7"),
        ("-", "-"),
    ],
)
def test_a_command_line_keeps_only_the_last_name_of_an_absolute_path(
    argument: str, shown: str
) -> None:
    """Protects users' folders; globs, images and relative paths stay as they were given."""
    assert hide_in_command([argument]) == (shown,)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no room in /home/me/.cache/x", "no room in ~/.cache/x"),
        ("/Users/me: gone", "~: gone"),
        ("see /root/x.log", "see ~/x.log"),
        ("/rooted/x, /srv/home/me/x, a/root/b", "/rooted/x, /srv/home/me/x, a/root/b"),
    ],
)
def test_homes_are_found_by_their_form(text: str, shown: str) -> None:
    """Protects runs of earlier versions, whose machine is not this one."""
    assert hide_homes(text) == shown


def test_the_longest_place_is_named(tmp_path: Path) -> None:
    """Protects against half a path: a folder in the home is not named by the home."""
    places = {"/data/me": "~", "/data/me/work": "."}
    value = {"why": ["/data/me/work/x, /data/me/y, /data/mend"], "number": 3}
    assert hide_local_paths(value, places) == {"why": ["./x, ~/y, /data/mend"], "number": 3}
    assert places_of_machine(tmp_path / "run")[str(tmp_path)] == "RUNS"
    assert "/" not in places_of_machine(Path("/run"))


def test_a_record_names_no_path_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects run.json: command, image logs, labels, reasons, and where a candidate was read."""
    home, work = tmp_path / "house", tmp_path / "house" / "work"
    work.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    folder = tmp_path / "runs" / "20261130T000000Z-0000"
    scenarios = {
        name: replace(scenario, source=f"{work}/main.cf")
        for name, scenario in schema_samples.SCENARIOS.items()
    }
    opening = RunOpening(
        folder.name, ["postfix-matrix", "run", "--runs", str(tmp_path / "runs")],
        schema_samples.PLAN, scenarios, "2026-11-30T00:00:00Z", folder,
    )  # fmt: skip
    image = {
        "kind": "build", "reference": "x:1", "id": "sha256:1",
        "labels": {"org.postfix-matrix.source": f"postfix-3.1.0 unverified, {home}/src"},
        "build_log": f"{home}/.cache/postfix-matrix/logs/x.log",
    }  # fmt: skip
    why = f"cannot write {folder}/x; {work}/y; {tempfile.gettempdir()}/z"
    record = opening.record({"debian-12": image}, [Missing("debian-11", "build", why)])
    journal = Journal(folder)
    journal.write_run(record)
    journal.close()
    text = (folder / "run.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert tempfile.gettempdir() not in text
    assert record["images"]["debian-12"]["build_log"] == "x.log"
    assert record["missing"][0]["why"] == f"cannot write RUNS/{folder.name}/x; ./y; TMPDIR/z"


def test_an_earlier_versions_folder_is_reported_without_its_paths(tmp_path: Path) -> None:
    """Protects whoever has old runs: their reports name no home folder, as new ones do not."""
    folder = sample_run.write_sample_run(tmp_path / "run", marked=True)
    path = folder / "run.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    run["command"] = [
        "postfix-matrix",
        "run",
        "--runs",
        "/home/me/runs",
        "--source",
        "x=/home/me/x",
    ]
    run["missing"][0]["why"] = "no room in /home/me/.cache/postfix-matrix"
    run["scenarios"]["defaults"]["source"] = "/home/me/main.cf"
    path.write_text(json.dumps(run), encoding="utf-8")
    assert "/home/me" in sample_images.BUILD_LOG
    for report in write_reports(folder):
        assert "/home/me" not in report.read_text(encoding="utf-8")
    data = load_run(folder)
    assert data.run.images[sample_images.LEGACY_PAIR].build_log == sample_images.LOG_NAME
