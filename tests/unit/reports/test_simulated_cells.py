"""Every output marks simulated cells as such, so that none is taken for a client's."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.cli.main import run_cli
from harness.observations.record import Observation
from harness.observations.run_folder import RunData, load_run
from harness.outcomes import SIMULATED, Outcome
from harness.reports import write_reports
from harness.reports.junit import CHECK_FILE, render_junit
from harness.reports.labels import SIGNS
from harness.reports.show_json import matrix_data
from tests.unit.sample_run import write_sample_run
from tests.unit.site.night_samples import publish

REAL, CLIENT = "aiosmtplib-debian12", "hello-outlook-win7"
OUTCOMES = {
    Outcome.ACCEPTED: Outcome.WOULD_NEGOTIATE,
    Outcome.REFUSED: Outcome.WOULD_BE_REFUSED,
}
NEGOTIATED = f"debian-12/answer-1-protocols/smtp/{CLIENT}/TLSv1.2"
REFUSED = f"debian-12/answer-1-protocols/smtp/{CLIENT}/TLSv1"


def simulate(cell: Observation) -> Observation:
    """A cell of the one client as that of a recorded hello."""
    if cell.client != REAL:
        return cell
    return replace(
        cell, cell=cell.cell.replace(REAL, CLIENT), client=CLIENT,
        outcome=OUTCOMES.get(cell.outcome, cell.outcome),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic run, in which one of the two clients is a recorded hello; with reports."""
    folder = write_sample_run(tmp_path_factory.mktemp("simulated") / "run")
    cells = map(simulate, load_run(folder).observations)
    lines = "".join(f"{cell.to_json()}\n" for cell in cells)
    (folder / "observations.jsonl").write_text(lines, encoding="utf-8")
    run = folder / "run.json"
    run.write_text(run.read_text("utf-8").replace(REAL, CLIENT), encoding="utf-8")
    write_reports(folder)
    return folder


@pytest.fixture(scope="module")
def data(folder: Path) -> RunData:
    """The run as it is read."""
    return load_run(folder)


def test_the_sample_has_both_simulated_outcomes(data: RunData) -> None:
    """Protects this module: what is looked for below is in the run."""
    by_cell = {cell.cell: cell for cell in data.observations}
    assert by_cell[NEGOTIATED].outcome is Outcome.WOULD_NEGOTIATE
    assert by_cell[REFUSED].outcome is Outcome.WOULD_BE_REFUSED


@pytest.mark.parametrize("name", ["matrix.md", "index.html"])
def test_the_tables_have_signs_of_their_own_that_say_simulated(folder: Path, name: str) -> None:
    """Protects readers of the tables: the signs are none of a client's, and the key says so."""
    text = (folder / name).read_text("utf-8")
    for outcome in SIMULATED:
        assert SIGNS[outcome].glyph in text
        assert SIGNS[outcome].title in text
        assert "(simulated)" in SIGNS[outcome].title


def test_the_page_says_it_above_its_tables(folder: Path, tmp_path: Path) -> None:
    """Protects readers who do not open the key; a page without simulated cells has no such line."""
    line = "are simulated:"
    assert line in (folder / "index.html").read_text("utf-8")
    real = write_sample_run(tmp_path / "run")
    write_reports(real)
    assert line not in (real / "index.html").read_text("utf-8")


def test_the_terminal_says_simulated(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects readers of the terminal."""
    run_cli(["show", "--run", str(folder), "--full"])
    text = capsys.readouterr().out
    for outcome in SIMULATED:
        assert SIGNS[outcome].glyph in text
    assert "simulated" in text


def test_each_row_of_the_csv_says_it(folder: Path) -> None:
    """Protects filters: the column has "true" in exactly the rows of simulated clients."""
    rows = list(csv.DictReader(io.StringIO((folder / "matrix.csv").read_text("utf-8-sig"))))
    assert {row["client"] for row in rows if row["simulated"] == "true"} == {CLIENT}
    assert {row["simulated"] for row in rows if row["client"] != CLIENT} == {""}
    assert {row["simulated"] for row in rows if row["client"] == CLIENT} == {"true"}


def test_each_cell_of_the_json_says_it(folder: Path, data: RunData) -> None:
    """Protects programs that read observations, from the file and from ``show``."""
    lines = (folder / "observations.jsonl").read_text("utf-8").splitlines()
    shown = [cell["observation"] for cell in matrix_data(data, controls=True)["cells"]]
    for records in (list(map(json.loads, lines)), shown):
        assert {record["client"] for record in records if record.get("simulated")} == {CLIENT}
        assert all(record.get("simulated") for record in records if record["client"] == CLIENT)


def test_a_case_of_junit_that_rests_on_them_says_it(folder: Path) -> None:
    """Protects pipelines: a group with simulated cells, and those as recorded, have a property."""
    real = NEGOTIATED.replace(CLIENT, "openssl-1.0.2h")
    group = {"finding": "broken", "service": "smtp", "text": "gone", "log": ""}
    check = {
        "same": [{"build": "debian-12", "scenario": "answer-1-protocols", "service": "smtp",
                  "cells": 12}],
        "groups": [
            {**group, "cells": [{"cell": NEGOTIATED}, {"cell": real}]},
            {**group, "cells": [{"cell": real}]},
        ],
    }  # fmt: skip
    (folder / CHECK_FILE).write_text(json.dumps(check), encoding="utf-8")
    root = ElementTree.fromstring(render_junit(load_run(folder)))
    marks = {
        case.get("name"): found.get("value")
        for case in root.iter("testcase")
        for found in case.iter("property")
        if found.get("name") == "simulated"
    }
    count = sum(
        cell.is_simulated and cell.cell.startswith("debian-12/answer-1-protocols/smtp/")
        for cell in load_run(folder).observations
    )
    assert marks == {
        "smtp: as recorded": f"{count - 1} cells of recorded hellos: no client was there",
        "smtp: broken (1)": "1 cell of recorded hellos: no client was there",
    }


def test_the_site_says_simulated_where_it_answers(folder: Path, tmp_path: Path) -> None:
    """Protects visitors of a site: no page answers yes or no for a client that was not there."""
    publish(tmp_path / "site", folder)
    pages = [
        path.read_text("utf-8")
        for path in (tmp_path / "site").rglob("*.html")
        if CLIENT in path.parts
    ]
    assert pages
    assert all(re.search("simulated", page, re.IGNORECASE) for page in pages)


def test_show_says_simulated(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects a look at one cell."""
    run_cli(["show", "--run", str(folder), REFUSED])
    assert "simulated" in capsys.readouterr().out
