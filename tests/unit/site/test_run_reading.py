"""What of run.json may be published."""

from __future__ import annotations

import json
from pathlib import Path

from harness.site.run_reading import publish_record
from tests.unit.sample_run import write_sample_run


def test_nothing_of_a_machine_is_published(tmp_path: Path) -> None:
    """Neither of the run nor of those that it was merged from; sources are paths at times."""
    folder = write_sample_run(tmp_path / "run")
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    run["host"] = {"system": "Linux-secret", "processors": 2}
    part = {"id": "a", "started": run["started"], "host": run["host"], "shard": None}
    command = ["postfix-matrix", "run", "--runs=/srv/secret/runs"]
    run["merged"] = [{**part, "command": command}, part]
    run["scenarios"]["defaults"]["source"] = "/mnt/secret/main.cf"
    public = publish_record(run)
    assert "secret" not in json.dumps(public)
    assert public["merged"][0]["command"] == ["postfix-matrix", "run", "--runs=…/runs"]
    assert public["scenarios"]["defaults"]["source"] == "…/main.cf"
