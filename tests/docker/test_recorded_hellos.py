"""Recorded hellos on a real Postfix: what they predict, held against the clients' own cells."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from harness.cli.main import run_cli
from harness.observations.run_folder import load_run
from harness.verdicts.prediction import compare_predictions

pytestmark = [pytest.mark.docker, pytest.mark.nightly]


def run_command(*words: str) -> str:
    """The standard output of a command that has to succeed."""
    with redirect_stdout(io.StringIO()) as output:
        assert run_cli(list(words)) == 0
    return output.getvalue()


def test_recordings_predict_the_cells_of_their_clients(tmp_path: Path) -> None:
    """Protects what is said of clients that cannot be run: where both exist, 99 of 100 agree."""
    table = tmp_path / "recorded.tsv"
    table.write_text(run_command("clients", "record", "-q", "*"), "utf-8")
    run_command(
        "run", "-q", "-b", "debian-12,ubuntu-16.04,ubuntu-24.04",
        "-s", "defaults,asker-submission,answer-1-protocols", "-o", "default",
        "-c", "*,hello-recorded-*", "--client", f"hello-recorded-*={table}",
        "--runs", str(tmp_path / "runs"),
    )  # fmt: skip
    figures = compare_predictions(load_run(tmp_path / "runs" / "latest").observations)
    assert figures.compared > 1000
    assert figures.share >= 0.99, figures.missed
