"""The doctor where something is wrong: no engine, a dead socket, a full disk, a read-only cache."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.diagnosis.diagnosis_output import diagnosis_lines
from harness.diagnosis.engine_checks import EngineAnswers, ask_engine, check_engine
from harness.diagnosis.machine_checks import (
    check_certificates,
    check_disk,
    check_folders,
    judge_disk,
)
from harness.diagnosis.machine_finding import Diagnosis, MachineFinding, MachineStanding
from harness.diagnosis.place_check import NeededPlace, check_places
from tests.schema_files import faults

READ_ONLY = Path("/proc/nonexistent")


def find_engine(monkeypatch: pytest.MonkeyPatch, address: str) -> MachineFinding:
    """What the check of the engine finds at an address where none answers."""
    monkeypatch.setenv("DOCKER_HOST", address)
    (finding,) = check_engine(ask_engine())
    assert finding.standing is MachineStanding.FAILED
    assert finding.next_step
    return finding


def test_no_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Docker is told how to get it."""
    finding = find_engine(monkeypatch, f"unix://{tmp_path}/none.sock")
    assert finding.what == f"there is no socket at {tmp_path}/none.sock"
    assert "make setup" in finding.next_step


def test_a_dead_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A socket that an engine left behind: the engine has to be started."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    finding = find_engine(monkeypatch, f"unix://{path}")
    assert finding.what == f"the socket {path} is there, and no engine answers on it"
    assert "systemctl start docker" in finding.next_step


def test_a_file_that_is_no_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wrong address is not taken for an engine that is down."""
    path = tmp_path / "docker.sock"
    path.write_text("x", encoding="utf-8")
    assert find_engine(monkeypatch, f"unix://{path}").what == f"{path} is no socket"


def test_a_user_without_permission_is_told_the_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not 'make setup': the engine is there, and the user lacks a group."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    # The tests may run as root, whom no mode of a file keeps away.
    monkeypatch.setattr("os.access", lambda *_: False)
    finding = find_engine(monkeypatch, f"unix://{path}")
    assert "this user may not use" in finding.what
    assert "usermod -aG" in finding.next_step
    assert "make setup" not in finding.next_step


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A cache on a read-only file system fails, and names the way out; nothing is left behind."""
    findings = {each.check: each for each in check_folders(READ_ONLY, tmp_path / "s", tmp_path)}
    assert findings["cache"].standing is MachineStanding.FAILED
    assert findings["cache"].what.startswith(str(READ_ONLY))
    assert "XDG_CACHE_HOME" in findings["cache"].next_step
    assert findings["state"].standing is findings["runs"].standing is MachineStanding.OK
    assert list(tmp_path.iterdir()) == []


def test_room_is_judged_by_what_images_need(tmp_path: Path) -> None:
    """Enough, too little for new images, and no such folder."""
    assert judge_disk(tmp_path, 0).standing in (MachineStanding.OK, MachineStanding.FAILED)
    scarce = judge_disk(tmp_path, 1 << 60)
    assert scarce.standing is not MachineStanding.OK
    assert "prune" in scarce.next_step
    assert judge_disk(tmp_path / "none", 0).standing is MachineStanding.UNKNOWN
    assert check_disk(EngineAnswers(), 0).standing is MachineStanding.UNKNOWN


def test_a_variable_that_names_no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads over TLS would all fail, with an error that does not name the variable."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent.pem")
    finding = check_certificates()
    assert finding.standing is MachineStanding.WARNING
    assert "REQUESTS_CA_BUNDLE names /nonexistent.pem" in finding.what


def test_places_that_do_not_answer_matter_only_where_images_are_missing() -> None:
    """A machine with all images needs no network; one with none cannot make them."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        places = [NeededPlace("here", f"http://127.0.0.1:{closed.getsockname()[1]}/", "packages")]
        (idle,) = check_places(places, is_needed=False)
        (missed,) = check_places(places, is_needed=True)
    assert idle.standing is MachineStanding.OK
    assert missed.standing is MachineStanding.FAILED
    assert "here" in missed.what


def test_the_command_without_any_engine(tmp_path: Path) -> None:
    """It works where there is no Docker at all: JSON alone, and the documented exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "doctor", "--offline", "--format", "json"],
        env={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none", "XDG_CACHE_HOME": "/proc/x"},
        capture_output=True,
        text=True,
        check=False,
    )
    document = json.loads(done.stdout)
    assert faults("doctor", document) == []
    assert done.returncode == 3
    assert done.stderr == ""
    assert document["can_run"] is False
    failed = {each["check"] for each in document["checks"] if each["standing"] == "failed"}
    assert failed == {"engine", "cache"}
    assert document["needs"]["missing"] is None
    assert document["needs"]["cells"] > 1000


def test_the_answer_comes_first() -> None:
    """One line says whether this machine can measure; a failed check has its next step below."""
    failed = MachineFinding("engine", MachineStanding.FAILED, "no engine", "start one")
    lines = list(diagnosis_lines(Diagnosis((failed,))))
    assert lines[0] == "This machine cannot measure yet: engine failed."
    assert any("next step: start one" in line for line in lines)
    good = MachineFinding("engine", MachineStanding.OK, "Docker")
    lines = list(diagnosis_lines(Diagnosis((good,))))
    assert lines[0] == "This machine can measure."
    assert lines[-1] == "Next: postfix-matrix run"
