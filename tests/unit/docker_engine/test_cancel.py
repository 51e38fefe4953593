"""Cancelling: work that waits is ended, and ends as cancelled rather than as failed."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from harness.docker_engine.cancel import (
    Cancel,
    Cancelled,
    run_program,
)
from harness.errors import ExitCode


def test_a_raised_flag_ends_what_is_waiting(tmp_path: Path) -> None:
    """Ctrl-C must end a bootstrap of minutes, its child processes included, within a moment."""
    cancel = Cancel()
    threading.Timer(0.3, cancel.set).start()
    started = time.monotonic()
    pid_file = tmp_path / "child"
    script = f"sleep 60 & echo $! >{pid_file}; wait"
    with pytest.raises(Cancelled) as caught:
        run_program(["sh", "-c", script], cancel, time_limit=30, cwd=tmp_path)
    assert time.monotonic() - started < 5
    assert caught.value.exit_code is ExitCode.INTERRUPTED
    child = Path("/proc") / pid_file.read_text().strip() / "stat"
    # Ended; the process that adopted it may not have reaped it yet.
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_a_raised_flag_lets_nothing_start(tmp_path: Path) -> None:
    """After Ctrl-C a thread that was about to begin must not."""
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        run_program(["touch", "made"], cancel, time_limit=5, cwd=tmp_path)
    with pytest.raises(Cancelled):
        cancel.check()


def test_an_error_after_the_flag_is_reported_as_cancelled() -> None:
    """A connection that was cut on purpose must not be reported as a broken one."""
    cancel = Cancel()

    def cut() -> None:
        with cancel.closing(lambda: None):
            cancel.set()
            raise ConnectionResetError("cut")

    with pytest.raises(Cancelled):
        cut()


def test_an_error_without_the_flag_stays_what_it_is() -> None:
    """A connection that really broke must not be taken for Ctrl-C."""
    with pytest.raises(ConnectionResetError), Cancel().closing(lambda: None):
        raise ConnectionResetError("broke")


def test_one_failing_closer_does_not_keep_the_others_from_their_turn() -> None:
    """Every build is ended, also when the first one's connection is gone already."""
    cancel = Cancel()
    closed: list[str] = []

    def fail() -> None:
        raise OSError("gone")

    with pytest.raises(Cancelled), cancel.closing(fail), cancel.closing(lambda: closed.append("b")):
        cancel.set()
    assert closed == ["b"]


def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """A mirror that sends a byte a minute must not hold a run for ever."""
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="sleep took more than"):
        run_program(["sleep", "60"], Cancel(), time_limit=0.2, cwd=tmp_path)
    assert time.monotonic() - started < 5


def test_a_programs_output_and_exit_code_are_returned(tmp_path: Path) -> None:
    """The error will show what mmdebstrap or npm prints on either output."""
    code, output = run_program(
        ["sh", "-c", "echo out; echo err >&2; exit 3"], Cancel(), time_limit=5, cwd=tmp_path
    )
    assert (code, sorted(output.split())) == (3, ["err", "out"])
