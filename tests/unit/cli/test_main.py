"""The command line without Docker: selections, plans, errors and exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.catalog.builds import known_builds
from harness.cli.commands.run import make_job
from harness.cli.main import EXIT_CODES, explain_interruption, run_cli
from harness.errors import ExitCode, RunInterruptedError
from harness.run.choosing import Selection
from harness.run.job import Job


def test_a_dry_run_prints_each_cell_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """Protects scripts: standard output has the ids alone, the count is on standard error."""
    assert run_cli(["run", "--dry-run", "-b", "debian-12", "-s", "defaults"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3 * 7 * 2
    assert "debian-12/defaults/smtp/openssl-1.0.2h/SSLv2" in out.splitlines()
    assert "42 cells: 1 build × 1 scenario × 3 services × 2 clients × 7 offers" in err


@pytest.mark.parametrize("command", ["list scenarios", "images list", "run --dry-run"])
def test_a_closed_output_is_no_result(command: str) -> None:
    """Protects ``| head``: neither 1, "differs", nor a traceback; the code is SIGPIPE's."""
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [sys.executable, "-m", "harness.cli", *command.split()],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (process.returncode, process.stderr.splitlines()[:-1]) == (141, [])


def test_a_full_disk_is_no_closed_output() -> None:
    """Protects the test above: another failure of the output keeps its code and its message."""
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "harness.cli", "list", "builds"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == 3
    assert "no space is left on the disk" in process.stderr


def test_the_documented_exit_codes_are_those_of_the_program() -> None:
    """Protects scripts: docs/exit-codes.md, ``--help`` and :class:`ExitCode` have the same."""
    page = (Path(__file__).parents[3] / "docs" / "exit-codes.md").read_text()
    rows = {int(line.split("|")[1]) for line in page.splitlines() if line[2:3].isdigit()}
    listed = {int(line.split()[0]) for line in EXIT_CODES.splitlines() if line.split()[0].isdigit()}
    assert rows == listed == set(map(int, ExitCode))


@pytest.mark.parametrize(
    ("arguments", "repeated"),
    [
        ("run -b debian-12 -s defaults", ""),
        ("run --scenarios-dir mine --jobs 2", " --scenarios-dir mine"),
        (
            "run --source=postfix-3.9.1=/tree --image a=b -q",
            " --source=postfix-3.9.1=/tree --image a=b",
        ),
    ],
)
def test_an_interrupted_run_names_the_command_that_continues_it(
    arguments: str, repeated: str
) -> None:
    """Protects Ctrl-C: the next step is complete; what a run folder does not hold is repeated."""
    message = explain_interruption(RunInterruptedError(Path("/runs/a b")), arguments.split())
    assert message.splitlines() == [
        "interrupted; what was measured is kept in /runs/a b",
        f"  next step: postfix-matrix run --resume '/runs/a b'{repeated}",
    ]


@pytest.mark.parametrize(
    ("exists", "message"),
    [(False, "which is no folder here"), (True, "the scenarios have 2 errors")],
)
def test_a_resumed_run_reads_the_scenarios_that_it_began_with(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    exists: bool,
    message: str,
) -> None:
    """Protects ``--resume``: without --scenarios-dir the run's own folder is read, not ours.

    Of an absolute path a run folder keeps the last name alone: it has to be named again.
    """
    monkeypatch.chdir(tmp_path)
    folder, scenarios = tmp_path / "run", tmp_path / "scenarios"
    shutil.copytree(Path(__file__).parents[2] / "data" / "run-folder", folder)
    record = json.loads((folder / "run.json").read_text())
    record["command"] = ["postfix-matrix", "run", "--scenarios-dir", "scenarios"]
    (folder / "run.json").write_text(json.dumps(record))
    if exists:
        (scenarios / "another").mkdir(parents=True)
        (scenarios / "another" / "scenario.toml").write_text('title = "Another"\n')
    assert run_cli(["run", "--resume", str(folder), "--dry-run"]) == 4
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-b", "debian-21"], 4, "debian-21"),
        (["-s", "answer-9"], 4, "answer-9"),
        (["-S", "imap"], 4, "imap"),
        (["-o", "TLSv9"], 4, "TLSv9"),
        (["-o", "TLSv1.2..TLSv1"], 4, "wrong way round"),
        (["-b", "debian-12,!debian-*"], 5, "no build is left"),
        (["--jobs", "0"], 4, "jobs"),
        (["--scenarios-dir", "/nonexistent"], 4, "/nonexistent"),
        (["--resume", "/nonexistent"], 4, "there is no run in"),
        (["--what"], 4, "--what"),
    ],
)
def test_a_wrong_selection_ends_before_anything_runs(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    """Protects exit codes 4 and 5: what is wrong is named, and standard output stays empty."""
    assert run_cli(["run", "--dry-run", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


def test_a_range_of_versions_is_an_offer(capsys: pytest.CaptureFixture[str]) -> None:
    """Protects ranges: they are no standard offer, and can be asked for."""
    assert run_cli(["run", "--dry-run", "-o", "TLSv1..TLSv1.2", "-b", "debian-12"]) == 0
    assert all(line.endswith("/TLSv1..TLSv1.2") for line in capsys.readouterr().out.splitlines())


def test_every_error_of_every_scenario_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects who writes scenarios: file, line and key of all mistakes at once, and no run."""
    for name, text in (("one", 'titel = "x"\n'), ("two", 'title = "x"\nclaim = 3\n')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scenario.toml").write_text(text)
    assert run_cli(["run", "--scenarios-dir", str(tmp_path)]) == 4
    err = capsys.readouterr().err
    assert "one/scenario.toml:1: titel" in err
    assert "two/scenario.toml:2: claim" in err
    assert not (tmp_path / "runs").exists()


def test_list_gives_names_alone_to_other_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """Protects scripts: with an axis, one name per line."""
    assert run_cli(["list", "builds"]) == 0
    names = capsys.readouterr().out.splitlines()
    assert names == [build.id for build in known_builds()]
    assert {"debian-12", "postfix-3.7.11+openssl-1.1.1w"} <= set(names)


def test_a_fault_of_the_harness_is_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects CI: a traceback must not look like "something differs", which is 1."""

    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("harness.cli.commands.list._axis_rows", broken)
    assert run_cli(["list"]) == 3
    assert "please report it" in capsys.readouterr().err


def test_show_without_a_run_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects a new user: 'show' before any run names the command that makes one."""
    monkeypatch.chdir(tmp_path)
    assert run_cli(["show"]) == 4
    assert "'postfix-matrix run' makes one" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--as-is", "--whole", "--lines"])
def test_an_option_about_a_configuration_is_refused_for_a_running_server(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option without effect would pass for one that had it."""
    assert run_cli(["scan", option, "mx.example.org:25"]) == 4
    assert "which is a running server" in capsys.readouterr().err


def test_a_run_is_named_by_its_id_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the runs of ``verify``: not the latest, they go by what is printed."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(Path(__file__).parents[2] / "data" / "run-folder", tmp_path / "runs" / "a-run")
    for name in ("a-run", "runs/a-run", str(tmp_path / "runs" / "a-run")):
        assert run_cli(["show", "--run", name]) == 0
    assert run_cli(["show"]) == 4
    assert "or name the folder of a run" in capsys.readouterr().err


def test_a_run_that_is_not_the_latest_is_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects pipelines: after ``verify`` alone there are runs, and no latest one."""
    monkeypatch.chdir(tmp_path)
    for name in ("20261129T010203Z-aaaa", "20261130T010203Z-bbbb"):
        shutil.copytree(Path(__file__).parents[2] / "data" / "run-folder", tmp_path / "runs" / name)
    assert run_cli(["report", "--junit"]) == 4
    assert "the newest is runs/20261130T010203Z-bbbb" in capsys.readouterr().err


def test_run_alone_moves_latest() -> None:
    """Protects ``show`` after a ``verify``: the latest run is the last matrix."""
    job = make_job(Selection(builds=("debian-12",), scenarios=("defaults",)))
    assert job.becomes_latest
    assert not Job(job.plan, job.scenarios, job.builds).becomes_latest
