"""scripts/setup and scripts/stages: what they refuse, what they say, and with which exit code."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
#: Sources the steps as scripts/setup does, with the Python that runs this test as the environment.
PREAMBLE = f"""
set -euo pipefail
root={ROOT}
venv={sys.prefix}
for part in common python npm engine browser registry; do source "$root/scripts/lib/$part.sh"; done
"""


def _step(step: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one step of the set-up for real, with its stamps and logs in ``tmp_path``."""
    return subprocess.run(
        ["bash", "-c", f"state={tmp_path}\n{PREAMBLE}\n{step}"],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )


def test_engine_of_docker_host_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """DOCKER_HOST selects an engine: if it fails, stop, and install nothing."""
    done = _step("ensure_engine", tmp_path, DOCKER_HOST="unix:///nonexistent/engine.sock")
    assert done.returncode == 3
    assert "no Docker engine answers at DOCKER_HOST=unix:///nonexistent/engine.sock" in done.stderr
    assert "next step: " in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "apt.log").exists()


def test_engine_that_hangs_up_is_an_error(tmp_path: Path) -> None:
    """A socket of another program is not an engine."""
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with subprocess.Popen(
            ["bash", "-c", f"state={tmp_path}\n{PREAMBLE}\nensure_engine"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "DOCKER_HOST": f"unix://{path}"},
        ) as process:
            while process.poll() is None:
                _hang_up_on_one(listener)
            assert process.stderr is not None
            message = process.stderr.read()
    assert process.returncode == 3
    assert f"no Docker engine answers at DOCKER_HOST=unix://{path}" in message


def _hang_up_on_one(listener: socket.socket) -> None:
    listener.settimeout(0.2)
    try:
        listener.accept()[0].close()
    except TimeoutError:
        return


def test_absent_browser_is_named_with_what_to_install(tmp_path: Path) -> None:
    """Where nothing may be installed, the error says what tests/browser needs."""
    bare = tmp_path / "bin"
    bare.mkdir()
    step = f"PATH={bare}; ensure_browser"
    done = _step(step, tmp_path, POSTFIX_MATRIX_INSTALL="no")
    assert done.returncode == 3
    assert "no Chromium with its driver" in done.stderr
    assert "chromium-driver" in done.stderr


def test_unfit_python_is_refused(tmp_path: Path) -> None:
    """A Python that is named and does not fit is an error, not silently replaced by another."""
    done = _step("ensure_python", tmp_path, PYTHON=shutil.which("false") or "/bin/false")
    assert done.returncode == 3
    assert "no Python >= 3.11" in done.stderr


def test_fitting_python_is_taken(tmp_path: Path) -> None:
    """The Python that runs these tests fits, so naming it must work."""
    done = _step('ensure_python; echo "$python"', tmp_path, PYTHON=sys.executable)
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable)


def test_stamp_holds_only_for_the_same_content(tmp_path: Path) -> None:
    """A changed lock must be installed again; an unchanged one must cost nothing."""
    lock = tmp_path / "lock.txt"
    lock.write_text("one==1\n")
    check = f'stamped x "$(digest {lock})"'
    assert _step(f'stamp x "$(digest {lock})"; {check}', tmp_path).returncode == 0
    lock.write_text("one==2\n")
    assert _step(check, tmp_path).returncode == 1


def test_wrong_option_is_refused_before_anything_is_done() -> None:
    """A typing error must not start an installation."""
    done = subprocess.run(
        [ROOT / "scripts" / "setup", "--browsers"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert "unknown option --browsers" in done.stderr


@pytest.fixture
def stages(tmp_path: Path) -> Path:
    """A copy of scripts/stages in a small project with a good and a bad target."""
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts" / "stages", tmp_path / "scripts" / "stages")
    (tmp_path / "Makefile").write_text(
        "good:\n\t@echo '=== 3 passed in 0.1s ==='\nbad:\n\t@echo 1 failed; exit 1\n"
    )
    return Path(script)


def test_a_failed_stage_fails_all_and_is_named(stages: Path) -> None:
    """All stages run, so that all problems are shown; the exit code and the last line state it."""
    done = subprocess.run(
        [stages, "bad", "good"],
        capture_output=True,
        text=True,
        env={**os.environ, "MAKE": "make"},
        check=False,
    )
    assert done.returncode == 1
    assert "=== 3 passed in 0.1s ===" in done.stdout
    assert done.stdout.splitlines()[-1] == "failed: bad"
    assert any(
        line.startswith("FAILED") and "1 failed" in line for line in done.stdout.splitlines()
    )


def test_all_good_stages_end_well(stages: Path) -> None:
    """Success is exit code 0 and a summary with the last line of each stage."""
    done = subprocess.run(
        [stages, "good"],
        capture_output=True,
        text=True,
        env={**os.environ, "MAKE": "make"},
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].endswith("3 passed in 0.1s")
