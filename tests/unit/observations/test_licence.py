"""A row of a run stands alone, and the data has a licence and a citation."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from harness import __version__
from harness.errors import UsageError
from harness.observations.licence import VARIABLE, data_licence
from harness.observations.record import Observation
from harness.observations.run_folder import load_run
from harness.reports.html import render_html
from harness.reports.markdown import render_markdown
from harness.reports.table_csv import render_csv
from tests.unit import sample_run, schema_samples

ORIGIN = {
    "run": "20261130T000000Z-0000", "measured": "2026-11-30T00:00:01Z", "tool": "0.2.0",
    "postfix": "3.7.12", "openssl": "3.0.23",
}  # fmt: skip


def test_the_data_is_free_to_use_unless_its_owner_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Protects who publishes: one variable sets the licence, and a slip starts no run."""
    monkeypatch.delenv(VARIABLE, raising=False)
    run = schema_samples.run()
    assert run["licence"] == "CC-BY-4.0"
    assert run["citation"].startswith(f"postfix-matrix {__version__}, run {run['id']} of 20")
    assert run["citation"].endswith("Licence: CC-BY-4.0")
    monkeypatch.setenv(VARIABLE, "CC0-1.0 OR LicenseRef-mine")
    assert schema_samples.run()["licence"] == "CC0-1.0 OR LicenseRef-mine"
    for wrong in ("free for all!", "CC-BY-4.0\nX: y", "MIT AND"):
        monkeypatch.setenv(VARIABLE, wrong)
        with pytest.raises(UsageError, match="is not an SPDX licence expression"):
            data_licence()


def test_a_line_has_its_run_its_time_and_the_versions() -> None:
    """Protects who copies one line: it says where, when and on what it was measured."""
    cell = sample_run.observe("debian-12", "defaults", "smtp", "openssl-1.0.2h", "TLSv1.2")
    whole = replace(cell, **ORIGIN)  # type: ignore[arg-type]
    assert Observation.from_json(whole.to_json()) == whole
    assert Observation.from_json(cell.to_json()).run is None


def test_a_row_of_the_table_stands_alone(tmp_path: Path) -> None:
    """Protects who copies a row: what the observation has itself comes before what the run has.

    A run of an earlier version has neither the time nor the versions in its observations.
    """
    data = load_run(sample_run.write_sample_run(tmp_path / "run", scenarios=("defaults",)))
    first, *others = data.observations
    stamped = replace(first, **ORIGIN)  # type: ignore[arg-type]
    data = replace(data, observations=(stamped, *others))
    rows = {row["cell"]: row for row in csv.DictReader(io.StringIO(render_csv(data), newline=""))}
    assert {name: rows[stamped.cell][name] for name in ORIGIN} == {
        **ORIGIN,
        "tool": "postfix-matrix 0.2.0",
    }
    older = rows["debian-13/defaults/smtp/openssl-1.0.2h/TLSv1.2"]
    assert (older["run"], older["measured"], older["tool"]) == (
        data.run.id, "", "postfix-matrix 0.1.0",
    )  # fmt: skip
    assert (older["postfix"], older["openssl"]) == sample_run.VERSIONS["debian-13"]
    assert {row["licence"] for row in rows.values()} == {"CC-BY-4.0"}


def test_reports_say_how_to_cite(tmp_path: Path) -> None:
    """Protects the data's origin where it is shown, also of a run of an earlier version."""
    data = load_run(sample_run.write_sample_run(tmp_path / "run", scenarios=("defaults",)))
    line = f"run {data.run.id} of 2026-11-22"
    for text in (render_html(data), render_markdown(data)):
        assert "How to cite: postfix-matrix 0.1.0, " in text
        assert line in text
        assert "Licence: CC-BY-4.0" in text
