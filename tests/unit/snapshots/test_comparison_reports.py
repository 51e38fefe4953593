"""A check's report in each format: it fits 80 columns, is cut by whole groups, keeps its schema."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from harness.reports.comparison_json import comparison_data
from harness.reports.comparison_markdown import MOST_BYTES, comparison_markdown
from harness.reports.comparison_text import comparison_lines
from harness.snapshots.findings import CellFinding, Finding
from harness.snapshots.values import CellPlace
from tests.schema_files import faults
from tests.unit.snapshots.snapshot_samples import everything


def test_the_text_says_who_what_and_why() -> None:
    """Protects the first screen: the broken cells, and the setting with its line."""
    text = "\n".join(comparison_lines(everything()))
    assert re.search(r"^broken +smtp on debian-12, debian-13: openssl-3.5.7 TLSv1.3", text, re.M)
    assert "was accepted with TLSv1.3, now refused: protocol-version" in text
    assert re.search(r"^changed ", text, re.M)
    assert re.search(r"^flaky ", text, re.M)
    assert re.search(r"^not checked ", text, re.M)
    assert "no answer in the cell's time" in text
    assert "tests/known.toml:1: the known failure matches no cell (bug 123)" in text
    flat = " ".join(text.split())
    assert "blame main.cf:2: smtpd_tls_protocols = " in flat
    assert "put back as recorded, 4 cells as before" in flat
    assert "versions debian-13: Postfix 3.10.13, now 3.10.14" in flat
    assert re.search(r"^strength +guarded \d+ of \d+ mutants", text, re.M)
    assert "(no outbound cell)" in flat


@pytest.mark.parametrize("verbose", [False, True])
def test_the_text_fits_a_terminal(verbose: bool) -> None:
    """Protects terminals of 80 columns; only a command to be copied may be longer."""
    lines = comparison_lines(everything(), verbose=verbose)
    long = [line for line in lines if len(line) > 80 and "postfix-matrix show" not in line]
    assert long == []
    assert any(line.strip().startswith("- debian-12/smtp/") for line in lines) is verbose


def test_every_finding_can_be_printed() -> None:
    """Protects rare labels: each has a sentence, in each format."""
    report = everything()
    broken = next(cell for cell in report.cells if cell.finding is Finding.BROKEN)
    for finding in Finding:
        one = replace(report, cells=(replace(broken, finding=finding),))
        assert str(finding) in "\n".join(comparison_lines(one))
        assert str(finding) in comparison_markdown(one)
        assert faults("comparison", json.loads(json.dumps(comparison_data(one)))) == []
        assert finding.meaning


def many_groups(number: int) -> tuple[CellFinding, ...]:
    """So many groups: each of a service of its own."""
    first = next(cell for cell in everything().cells if cell.finding is Finding.BROKEN)
    return tuple(
        replace(first, place=CellPlace("debian-12", str(10000 + n), "c" * 60, "default"))
        for n in range(number)
    )


@pytest.mark.parametrize("number", [1, 50, 3000])
def test_markdown_is_cut_by_whole_groups(number: int) -> None:
    """Protects pull requests: the comment is never too long, and says what it leaves out."""
    text = comparison_markdown(replace(everything(), cells=many_groups(number)))
    assert len(text.encode()) <= MOST_BYTES
    rows = [line for line in text.splitlines() if line.startswith("| **broken**")]
    assert all(line.endswith(" |") and line.count(" | ") == 3 for line in rows)
    left = re.search(r"^(\d+) more groups? left out", text, re.M)
    assert len(rows) + (int(left[1]) if left else 0) == number
    assert bool(left) is (number == 3000)
    assert "blame: main.cf:2:" in text


def test_hostile_text_stays_text() -> None:
    """Protects readers: a reason from elsewhere breaks neither the table nor the terminal."""
    report = everything()
    cells = tuple(replace(cell, why="\x1b[31m|<script>\n") for cell in report.cells)
    hostile = replace(report, cells=cells)
    assert "\x1b" not in "\n".join(comparison_lines(hostile))
    assert "<script>" not in comparison_markdown(hostile)
