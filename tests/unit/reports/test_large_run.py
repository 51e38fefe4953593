"""A run of more cells than one page can show gets a sentence instead of a page that hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.main import run_cli
from harness.errors import ExitCode
from harness.observations.run_folder import load_run
from harness.reports.large_run import MOST_CELLS_OF_PAGE
from tests.unit import sample_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The synthetic run's folder: 546 cells, controls included."""
    return sample_run.write_sample_run(tmp_path / "run")


def test_up_to_the_limit_a_run_is_one_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the file that one can send to anyone: nothing is said where it is whole."""
    data = load_run(folder)
    assert MOST_CELLS_OF_PAGE == 5000
    monkeypatch.setattr("harness.reports.MOST_CELLS_OF_PAGE", len(data.observations))
    assert run_cli(["report", str(folder)]) == ExitCode.OK
    assert "too many for one page" not in capsys.readouterr().err
    assert "<table" in (folder / "index.html").read_text(encoding="utf-8")


def test_above_it_report_says_so_and_the_page_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the reader of a corpus: the command says what to do, and index.html is quick."""
    data = load_run(folder)
    monkeypatch.setattr("harness.reports.MOST_CELLS_OF_PAGE", len(data.observations) - 1)
    assert run_cli(["report", str(folder)]) == ExitCode.OK
    printed = capsys.readouterr()
    sentence = (
        "504 cells and 42 of controls are too many for one page (at most 5,000): make a site of "
        f"the run with 'postfix-matrix publish {folder} --into SITE'"
    )
    controls = sum(cell.build.startswith("control-") for cell in data.observations)
    sentence = sentence.replace("504", str(len(data.observations) - controls))
    assert sentence.replace("42", str(controls)) in printed.err
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "too many for one page" in page
    assert str(folder) not in page
    assert 'href="matrix.csv"' in page
    assert "<table" not in page
    assert (folder / "matrix.csv").read_text(encoding="utf-8").count("\n") > len(data.observations)
