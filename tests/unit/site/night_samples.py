"""Run folders of several nights, made from the synthetic run, and sites of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.site.publication import PublishOptions, PublishResult, publish_runs
from tests.unit.sample_run import write_sample_run

NOW = "2026-11-30T13:00:00Z"
#: A cell that is accepted in the synthetic run, and what it is when it is refused.
CELL = "debian-12/defaults/smtp/openssl-1.0.2h/TLSv1"
REFUSED: Mapping[str, Any] = {
    "outcome": "refused", "stage": "handshake", "reason": "protocol-version",
    "decided_by": "server", "client_saw": None, "server_saw": None, "agree": None,
}  # fmt: skip
TIMED_OUT: Mapping[str, Any] = {
    **REFUSED, "outcome": "timeout", "reason": None, "decided_by": None,
}  # fmt: skip


def write_night(
    folder: Path,
    day: int,
    *,
    cells: Mapping[str, Mapping[str, Any]] | None = None,
    images: Mapping[str, str] | None = None,
    keep: Sequence[str] | None = None,
    finished: bool = True,
) -> Path:
    """A run of a day of November 2026.

    Args:
        folder: where it is written.
        day: 1 to 30.
        cells: fields of observations that are otherwise than in the synthetic run, by cell.
        images: ids of images of builds that are otherwise.
        keep: builds that were measured; None: all.
        finished: whether it ended by itself.
    """
    write_sample_run(folder, scenarios=("defaults", "answer-1-protocols"))
    path = folder / "run.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    run["id"], run["started"] = f"202611{day:02}T010000Z-aaaa", f"2026-11-{day:02}T01:00:00Z"
    run["finished"] = f"2026-11-{day:02}T02:00:00Z" if finished else None
    for name, identity in (images or {}).items():
        run["images"][name]["id"] = identity
    if keep is not None:
        run["axes"]["builds"] = [name for name in run["axes"]["builds"] if name in keep]
    path.write_text(json.dumps(run), encoding="utf-8")
    lines = folder / "observations.jsonl"
    records = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    changes = cells or {}
    assert changes.keys() <= {record["cell"] for record in records}
    kept = [
        {**record, **changes.get(record["cell"], {}), "seconds": 0.01 * day}
        for record in records
        if keep is None or record["build"] in keep
    ]
    lines.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
    return folder


def publish(into: Path, *folders: Path, keep: int = 90, base: str | None = None) -> PublishResult:
    """Publish as the command does."""
    options = PublishOptions(keep=keep, base_url=base, licence="CC-BY-4.0", now=NOW)
    return publish_runs(folders, into, options, lambda _: None)


def read_day(site: Path, day: int) -> dict[str, Any]:
    """The record of the run of a day."""
    path = site / f"data/v1/changes/2026-11-{day:02}.json"
    runs: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["runs"]
    return runs[0]


def site_files(site: Path) -> dict[str, bytes]:
    """Every file of a site by its name."""
    return {
        str(path.relative_to(site)): path.read_bytes()
        for path in sorted(site.rglob("*"))
        if path.is_file()
    }
