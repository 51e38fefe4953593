"""Run folders of earlier versions open: every command that reads one is tried on a kept one.

tests/data/run-folder was written on 2026-11-30 by the version before the engine (commit 4447278).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.cli.main import run_cli
from harness.errors import ExitCode
from harness.observations.run_folder import load_run

KEPT = Path(__file__).parents[2] / "data" / "run-folder"
CELL = "debian-12/answer-1-protocols/smtp/openssl-1.0.2h/TLSv1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the kept folder."""
    return shutil.copytree(KEPT, tmp_path / "run")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["report", "FOLDER"], ""),
        (["report", "FOLDER", "--table", "clients"], "openssl-1.0.2h"),
        (["report", "FOLDER", "--table", "protocols"], "debian-12"),
        (["show", "--run", "FOLDER"], "answer-1-protocols"),
        (["show", "--run", "FOLDER", CELL], "answer-1-protocols"),
        (["verdicts", "FOLDER"], "answer-1-protocols"),
        (["verdicts", "FOLDER", "--format", "json"], '"verdict"'),
        (["compare", "FOLDER", "FOLDER"], ""),
        (["since", "defaults", "FOLDER"], "defaults/smtp"),
        (["answer", "answer-1-protocols", "FOLDER"], "debian-12"),
    ],
)
def test_a_kept_run_folder_is_read(
    command: list[str], expected: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects what people have measured: a newer version reads it."""
    words = [str(folder) if word == "FOLDER" else word for word in command]
    assert run_cli(words) == ExitCode.OK, capsys.readouterr().err
    assert expected in capsys.readouterr().out


def test_a_kept_run_folder_has_all_of_its_cells(folder: Path) -> None:
    """Protects against reading less than there is."""
    data = load_run(folder)
    cells = [cell for cell in data.observations if cell.build == "debian-12"]
    assert len(cells) == data.run.axes.planned() == 4
    assert data.run.finished
