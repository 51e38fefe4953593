"""The end of a run that an error stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import InfrastructureError, RunInterruptedError
from harness.run.job import keep_on_error


def test_an_interrupted_run_is_finished_and_named(tmp_path: Path) -> None:
    """Protects what was measured before Ctrl-C: it is recorded, and the user learns where it is."""
    steps: list[str] = []
    with (
        pytest.raises(RunInterruptedError) as interruption,
        keep_on_error(tmp_path, lambda: steps.append("record"), lambda: steps.append("close")),
    ):
        raise KeyboardInterrupt

    assert steps == ["record", "close"]
    assert interruption.value.folder == tmp_path


def test_a_full_disk_does_not_hide_why_a_run_ended(tmp_path: Path) -> None:
    """Protects the first error: recording what was measured can fail for the same cause."""

    def fail() -> None:
        raise OSError("no space left")

    error = InfrastructureError("the Docker engine is gone")
    with pytest.raises(InfrastructureError) as ended, keep_on_error(tmp_path, fail, fail):
        raise error

    assert ended.value is error


def test_a_run_without_an_error_is_left_alone(tmp_path: Path) -> None:
    """Protects the run's own end, which records its closing figures once."""
    steps: list[str] = []
    with keep_on_error(tmp_path, lambda: steps.append("record"), lambda: steps.append("close")):
        pass

    assert steps == []
