"""The run folder as it is written, and what a kill leaves of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.observations.evidence_names import evidence_path
from harness.observations.journal import Journal
from harness.observations.record import Observation, Outcome, Stage, TlsView
from harness.observations.run_folder import load_run

RUN = {
    "schema": 1,
    "id": "r",
    "started": "2026-11-22T00:00:00Z",
    "axes": {
        "builds": ["b"], "scenarios": ["s"], "services": ["smtp"], "clients": ["c"],
        "offers": ["TLSv1", "default"],
    },
}  # fmt: skip


def seen(offer: str) -> Observation:
    """An observation with every field set."""
    cell = f"b/s/smtp/c/{offer}"
    view = TlsView("TLSv1", "AES256-SHA", 256, None)
    return Observation(
        cell, "b", "s", "sha256:0", "smtp", "c", offer, Outcome.REFUSED, Stage.HANDSHAKE,
        "protocol-version", "server", view, view, True, "control-x/permissive/smtp/c/TLSv1", 0.01,
        evidence_path(cell),
    )  # fmt: skip


def test_an_observation_round_trips() -> None:
    """Protects every report: what is read is what was recorded, field by field."""
    observation = seen("TLSv1")
    assert Observation.from_json(observation.to_json()) == observation
    assert "\n" not in observation.to_json()


def test_another_schema_is_refused() -> None:
    """Protects old runs from being read as something that they are not."""
    data = json.loads(seen("TLSv1").to_json()) | {"schema": 99}
    with pytest.raises(ValueError, match="schema: cannot be 99"):
        Observation.from_json(json.dumps(data))


def test_each_cell_is_on_disk_before_the_next(tmp_path: Path) -> None:
    """Protects measured cells from SIGKILL: without any close, line and evidence are there."""
    journal = Journal(tmp_path)
    journal.write_run(RUN)
    journal.append(seen("TLSv1"), {"log": ["x"]})
    data = load_run(tmp_path)
    assert [cell.cell for cell in data.observations] == ["b/s/smtp/c/TLSv1"]
    assert data.evidence(data.observations[0]) == {"log": ["x"]}
    journal.close()


def test_a_torn_line_is_measured_again(tmp_path: Path) -> None:
    """Protects resume: half a line of a killed run does not run into the next one."""
    journal = Journal(tmp_path)
    journal.write_run(RUN)
    journal.append(seen("TLSv1"), {})
    journal.close()
    with (tmp_path / "observations.jsonl").open("a") as file:
        file.write('{"schema": 1, "cell": "b/s/sm')
    resumed = Journal(tmp_path)
    resumed.append(seen("default"), {})
    resumed.close()
    assert [cell.offer for cell in load_run(tmp_path).observations] == ["TLSv1", "default"]
