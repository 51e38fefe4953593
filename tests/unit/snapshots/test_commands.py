"""``record`` and ``check`` refuse bad input before anything starts: no Docker answers here."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from harness.catalog.builds import UserAdditions
from harness.cli.candidate_options import CandidateOptions
from harness.cli.commands.check import check_prunable, exit_code_of, find_builds
from harness.cli.main import run_cli
from harness.cli.snapshot_files import (
    make_locate,
    names_for_snapshot,
    read_candidate_of,
    refuse_in_ci,
    write_snapshot,
)
from harness.errors import UsageError
from harness.outcomes import Outcome
from harness.snapshots.checking import SnapshotCheck, select_places
from harness.snapshots.recorded_candidate import RecordedCandidate, find_changes, record_candidate
from harness.snapshots.snapshot import Snapshot
from harness.snapshots.snapshot_file import load_snapshot
from harness.snapshots.snapshot_text import format_snapshot
from harness.snapshots.values import BuildVersions, SessionLevel
from tests.unit.snapshots.sample_server import SampleServer, candidate
from tests.unit.snapshots.snapshot_samples import GOOD, recorded


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration and a snapshot of it, without Docker, not in a CI."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-docker.sock")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CI", raising=False)
    (tmp_path / "main.cf").write_text(GOOD)
    (tmp_path / "snapshot.json").write_text(format_snapshot(recorded()))
    return tmp_path


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (["record", "main.cf", "-o", "snapshot.json"], 4, "add --update to change the rows"),
        (["record", "main.cf", "-o", "TLSv1.2"], 4, "select offers with --offers"),
        (["record", "main.cf", "-o", "new.json", "--level", "x"], 4, "there is no level 'x'"),
        (["record", "none.cf", "-o", "new.json"], 4, "none.cf is neither a file nor a scenario"),
        (["record", "main.cf"], 4, "--output"),
        (["check", "none.json"], 4, "postfix-matrix record CANDIDATE -o none.json"),
        (["check", "main.cf"], 4, "main.cf:1: is not JSON"),
        (["check", "snapshot.json", "-b", "debian-9"], 4, "no build matches 'debian-9'"),
        (["check", "snapshot.json", "-c", "nodemailer-*"], 4, "no client matches"),
        (["check", "snapshot.json", "--known", "none.toml"], 4, "none.toml"),
        (["check", "snapshot.json", "--image", "mine=x:1"], 4, "is made from mine"),
    ],
)
def test_bad_input_is_refused_first(
    command: list[str], code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the exit codes: 4 with the remedy for bad input, and no file is touched."""
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert run_cli(command) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before


@pytest.mark.parametrize(
    "command",
    [
        ["record", "main.cf", "-o", "snapshot.json", "--update"],
        ["check", "snapshot.json", "--update"],
        ["check", "snapshot.json", "--prune"],
    ],
)
def test_a_ci_changes_no_snapshot(
    command: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Protects pipelines from updating what they should check."""
    assert folder.is_dir()
    monkeypatch.setenv("CI", "true")
    assert run_cli(command) == 4
    assert "where CI is set" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "is_refused"), [("true", True), ("1", True), ("false", False),
                                                   ("0", False), ("", False)])  # fmt: skip
def test_only_a_ci_is_refused_and_force_overrides(
    value: str, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects people's machines, where CI is unset or says no."""
    monkeypatch.setenv("CI", value)
    refuse_in_ci(Path("snapshot.json"), force=True)
    with pytest.raises(UsageError) if is_refused else nullcontext():
        refuse_in_ci(Path("snapshot.json"), force=False)


def test_wrong_known_failures_are_refused_before_docker(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the file beside the snapshot: it is read without being named."""
    (folder / "known.toml").write_text("[[known]]\n")
    assert run_cli(["check", "snapshot.json"]) == 4
    assert "known.toml:1: known.outcome: this key is missing" in capsys.readouterr().err


def test_a_users_image_beside_a_distribution_leaves_both_known() -> None:
    """Protects a distribution from being left out, or pruned, where --image names another build."""
    cells = recorded().cells
    (place, values), *_ = cells.items()
    mine = {replace(place, build="mine"): values, replace(place, build="no-such-build"): values}
    snapshot = replace(recorded(), cells={**cells, **mine})
    builds, unknown = find_builds(snapshot, (), UserAdditions(images={"mine": "x:1"}))
    assert set(builds) == {"debian-12", "debian-13", "mine"}
    assert set(unknown) == {"no-such-build"}


@pytest.mark.parametrize(
    ("origin", "option"), [("image", "--image mine=REFERENCE"), ("source", "--source")]
)
def test_a_build_of_the_users_own_is_not_pruned_for_want_of_an_option(
    origin: str, option: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects recorded rows: without its option a build is unknown, and not gone."""
    cells = {replace(place, build="mine"): values for place, values in recorded().cells.items()}
    versions = {"mine": BuildVersions("3.9.1", "3.5.7", origin=origin)}
    text = format_snapshot(replace(recorded(), cells=cells, builds=versions))
    (folder / "snapshot.json").write_text(text)
    assert run_cli(["check", "snapshot.json", "--prune"]) == 4
    message = capsys.readouterr().err
    assert "--prune would delete the rows of mine" in message
    assert option in message
    assert (folder / "snapshot.json").read_text() == text
    check_prunable(load_snapshot(folder / "snapshot.json"), ())
    versions = {"mine": BuildVersions("3.9.1", "3.5.7")}
    check_prunable(replace(recorded(), cells=cells, builds=versions), ("mine",))


def test_an_update_that_measured_nothing_is_no_success() -> None:
    """Protects ``check --update``: exit code 0 says that the file has what is so now."""
    scenario, snapshot, level = candidate(GOOD), recorded(), SessionLevel()
    selected = select_places(snapshot, scenario)
    slow = SampleServer(lambda _name, _place, cell: replace(cell, outcome=Outcome.TIMEOUT))
    for server, code in ((SampleServer(), 0), (slow, 3)):
        result = SnapshotCheck(snapshot, level, scenario, server).run(selected, with_blame=False)
        assert exit_code_of(result, level, complete=False, update=True) == code


def test_names_are_relative_to_the_snapshot(folder: Path) -> None:
    """Protects repositories that are checked out elsewhere."""
    (folder / "tests").mkdir()
    path = folder / "tests" / "snapshot.json"
    assert names_for_snapshot(["main.cf"], path) == ("../main.cf",)
    assert names_for_snapshot(["-"], path) == ()
    assert names_for_snapshot(["/etc/postfix"], path) == ("/etc/postfix",)
    assert names_for_snapshot(["answer-1-protocols"], path) == ("answer-1-protocols",)


def test_the_recorded_configuration_is_read_again(folder: Path) -> None:
    """Protects the short form: check without a candidate checks the file as it is now."""
    path = folder / "snapshot.json"
    (folder / "main.cf").write_text(GOOD + "smtpd_tls_ciphers = low\n")
    read, names = read_candidate_of(load_snapshot(path), path, (), None, CandidateOptions(), {})
    assert [change.name for change in find_changes(recorded().candidate, read)] == [
        "smtpd_tls_ciphers"
    ]
    (change,) = find_changes(recorded().candidate, read)
    assert make_locate(names)(change).line == 5
    assert read.whole


def test_what_came_from_standard_input_is_checked_as_recorded(folder: Path) -> None:
    """Protects snapshots of a container: their own settings are measured again."""
    scenario = candidate(GOOD)
    snapshot = Snapshot("behaviour", record_candidate(scenario), {}, {})
    path = folder / "snapshot.json"
    read, names = read_candidate_of(snapshot, path, (), None, CandidateOptions(), {})
    assert find_changes(snapshot.candidate, read) == ()
    assert names == ()
    with_files = Snapshot("behaviour", RecordedCandidate(files={"/x": "sha256:0"}), {}, {})
    with pytest.raises(UsageError, match="further files"):
        read_candidate_of(with_files, path, (), None, CandidateOptions(), {})


def test_a_write_that_fails_leaves_the_old_file(folder: Path) -> None:
    """Protects what was recorded: the file is replaced as a whole, or not at all."""
    path = folder / "snapshot.json"
    before = path.read_bytes()

    def fail(_present: Snapshot | None) -> Snapshot:
        raise UsageError("no")

    with pytest.raises(UsageError):
        write_snapshot(path, fail)
    assert path.read_bytes() == before
    path.chmod(0o600)
    write_snapshot(path, lambda present: present or recorded())
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in folder.iterdir()) == ["cache", "main.cf", "snapshot.json"]
