"""What the run folder does not have of a Postfix instance is said, and not left out."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from harness.observations.run_folder import RunData, load_run
from harness.reports.cell_detail import show_cell
from harness.reports.html import render_html
from harness.reports.labels import NO_CONFIGURATION, NOT_CHECKED
from harness.reports.markdown import render_markdown
from harness.reports.problems import missing_configurations
from tests.unit import sample_run, schema_samples
from tests.unit.reports.test_files import blocks_of

CELL = "debian-12/defaults/smtp/openssl-1.0.2h/SSLv3"
FILE = "instances/debian-12/defaults.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of one scenario on three builds."""
    return sample_run.write_sample_run(tmp_path / "run", scenarios=("defaults",))


def shown(data: RunData) -> str:
    """The cell in the terminal."""
    observation = data.find(CELL)
    assert observation
    out = io.StringIO()
    show_cell(data, observation, Console(file=out, width=300))
    return out.getvalue()


def test_a_lost_configuration_is_said_in_every_report(folder: Path) -> None:
    """Protects against a section that is left out without a word."""
    assert missing_configurations(load_run(folder)) == ()
    (folder / FILE).unlink()
    data = load_run(folder)
    (sentence,) = missing_configurations(data)
    assert sentence.startswith("the configuration of 1 of 3 Postfix instances is not in the run")
    page = render_html(data)
    assert f"Note: {sentence}" in page
    assert "debian-12" not in blocks_of(page)["defaults"]["instances"]
    assert f"Note: {sentence}" in render_markdown(data)
    assert NO_CONFIGURATION in shown(data)


def test_a_check_that_did_not_run_is_not_nothing(folder: Path) -> None:
    """Protects a stopped run: "nothing" would say that Postfix had no complaint."""
    path = folder / FILE
    instance = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**instance, "checked": False}), encoding="utf-8")
    data = load_run(folder)
    (sentence,) = missing_configurations(data)
    assert sentence.startswith("'postfix check' did not run for 1 of 3 Postfix instances")
    assert f"Note: {sentence.replace(chr(39), '&#39;')}" in render_html(data)
    assert NOT_CHECKED in shown(data)


def test_an_instance_says_whether_it_was_checked() -> None:
    """Protects both: before its last cell an instance is not checked, afterwards it is."""
    assert schema_samples.instance()["checked"] is True
    assert schema_samples.instance(checked=False)["checked"] is False
