"""The files of a real run, and what real drivers say of themselves, keep the published schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.catalog.cells import is_control
from harness.tls import Protocol
from tests.docker.conftest import Finished
from tests.schema_files import faults

pytestmark = pytest.mark.docker


def read(path: Path) -> Any:
    """One JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def lines(matrix: Finished) -> list[dict[str, Any]]:
    """The run's observations as they lie in the file."""
    text = (matrix.folder / "observations.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_observation_of_a_run_keeps_its_schema(matrix: Finished) -> None:
    """Protects other people's scripts: each line on disk is what the schema promises.

    The server's view takes protocol names as logged; real servers log those that we know.
    """
    seen = lines(matrix)
    assert any(one["build"].startswith("control-") for one in seen)
    assert any(not one["build"].startswith("control-") for one in seen)
    assert {fault for one in seen for fault in faults("observation", one)} == set()
    logged = {one["server_saw"]["protocol"] for one in seen if one["server_saw"]}
    assert logged
    assert logged <= set(Protocol)


def test_every_evidence_file_keeps_its_schema(matrix: Finished) -> None:
    """Protects the evidence: each cell has its file, of the published form, without a password."""
    seen = lines(matrix)
    found = {one["cell"]: read(matrix.folder / one["evidence"]) for one in seen}
    wrong = {(cell, fault) for cell, one in found.items() for fault in faults("evidence", one)}
    assert wrong == set()
    assert any(one["request"]["credentials"] for one in found.values())
    assert [cell for cell, one in found.items() if one["cell"] != cell] == []
    files = [path for path in (matrix.folder / "evidence").rglob("*") if path.is_file()]
    assert len(files) == len(found)


def test_every_instance_file_keeps_its_schema(matrix: Finished) -> None:
    """Protects the evidence of configurations: one file a build and scenario, of that form."""
    files = sorted((matrix.folder / "instances").rglob("*.json"))
    wrong = {(path.name, fault) for path in files for fault in faults("instance", read(path))}
    assert wrong == set()
    axes = matrix.data.run.axes
    # Those of a build's own controls lie beside them.
    own = {path for path in files if is_control(path.parent.name)}
    assert own
    assert len(files) - len(own) == len(axes.builds) * len(axes.scenarios)


def test_run_json_and_the_drivers_descriptions_keep_their_schemas(matrix: Finished) -> None:
    """Protects provenance: run.json as published, and each driver tells what the contract asks."""
    run = read(matrix.folder / "run.json")
    assert faults("run", run) == []
    images = run["images"]
    told = {name: one["describe"] for name, one in images.items() if one["kind"] == "client"}
    assert set(told) == set(run["axes"]["clients"])
    wrong = {(name, fault) for name in told for fault in faults("client-describe", told[name])}
    assert wrong == set()
