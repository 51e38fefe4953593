"""The command line without Docker: selections, plans, errors and exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalog.builds import known_builds
from harness.cli.main import run_cli


def test_a_dry_run_prints_each_cell_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """Protects scripts: standard output has the ids alone, the count is on standard error."""
    assert run_cli(["run", "--dry-run", "-b", "debian-12", "-s", "defaults"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3 * 7 * 2
    assert "debian-12/defaults/smtp/openssl-1.0.2h/SSLv2" in out.splitlines()
    assert "42 cells: 1 build × 1 scenario × 3 services × 2 clients × 7 offers" in err


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
        (["--resume", "/nonexistent"], 4, "not a run folder"),
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
