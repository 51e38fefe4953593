"""A site of two nights, published from the synthetic run, for the tests in a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from harness.site.publication import PublishOptions, publish_runs
from tests.unit import sample_run

FIRST_RUN = "20261122T231500Z-1a2b"
SECOND_RUN = "20261123T231500Z-2b3c"
#: Refused in the first night, accepted in the second.
CHANGED_CELL = "debian-12/answer-1-protocols/smtp/openssl-1.0.2h/TLSv1"
OPTIONS = PublishOptions(
    keep=5, base_url=None, licence="CC-BY-4.0", now="2026-11-23T23:30:00Z"
)  # fmt: skip


def publish_two_nights(work: Path, site: Path) -> Path:
    """Publish the run, and the same a night later with one cell that behaves otherwise."""
    first = sample_run.write_sample_run(work / FIRST_RUN)
    second = work / SECOND_RUN
    shutil.copytree(first, second)
    _change_run(second)
    publish_runs([first], site, OPTIONS, lambda _: None)
    publish_runs([second], site, OPTIONS, lambda _: None)
    return site


def _change_run(folder: Path) -> None:
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record |= {"id": SECOND_RUN, "started": "2026-11-23T23:15:00Z",
               "finished": "2026-11-23T23:15:48Z"}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    path = folder / "observations.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    changed = [_change_cell(line) if line["cell"] == CHANGED_CELL else line for line in lines]
    path.write_text("\n".join(json.dumps(line) for line in changed) + "\n", encoding="utf-8")


def _change_cell(observation: dict[str, Any]) -> dict[str, Any]:
    view = {"protocol": "TLSv1", "cipher": "ECDHE-RSA-AES256-SHA", "bits": 256, "group": "X25519"}
    return observation | {"outcome": "accepted", "stage": None, "reason": None, "decided_by": None,
                          "client_saw": view, "server_saw": view, "agree": True}  # fmt: skip


def change_facts(site: Path, scenario: str, change: Any) -> None:
    """Rewrite a scenario's facts of a site: ``change`` gets the JSON and returns it."""
    path = site / "data" / "v1" / "facts" / f"{scenario}.json"
    facts = change(json.loads(path.read_text(encoding="utf-8")))
    path.write_text(json.dumps(facts), encoding="utf-8")
