"""What a site knows besides its cells: scenarios, images, verdicts, runs (``state.json``).

Each part says which run it is from; a newer run replaces what it measured, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.data_models import check_json_file
from harness.input_files import read_text_file
from harness.json_text import parse_json
from harness.observations.record_reading import read_image
from harness.observations.run_json import ImageInfo, ScenarioInfo
from harness.site.cells import CellTables
from harness.site.objects import DATA
from harness.site.run_reading import RunCells
from harness.site.site_folder import reading_site_file
from harness.site.state_form import SiteStateForm
from harness.verdicts.verdict import Verdict

STATE_FILE = f"{DATA}/state.json"
CELLS_FILE = f"{DATA}/state.parquet"
#: What makes a scenario another candidate, or what is expected of it another claim.
_TEXT = ("main_cf", "master_cf", "overlay", "against", "applies", "expect")
_PUBLISH_AGAIN = "publish all kept runs into a new folder"
_AXES = ("builds", "services", "clients", "offers", "scenarios")


@dataclass
class SiteState:
    """JSON objects as in the file; ``runs`` are all that cells are from, ``kept`` those whose data
    is kept, newest first."""

    scenarios: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: dict[str, dict[str, Any]] = field(default_factory=dict)
    verdicts: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    axes: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in _AXES})
    generated_at: str = ""

    def __post_init__(self) -> None:
        self._infos: dict[str, ScenarioInfo] = {}
        self._images: dict[str, ImageInfo] = {}

    def to_data(self) -> dict[str, Any]:
        """The state as JSON has it."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def scenario(self, name: str) -> ScenarioInfo:
        """A scenario; one of which nothing is known has its name as title."""
        if name not in self._infos:
            record = self.scenarios.get(name)
            info = {"title": name} if record is None else record["info"]
            self._infos[name] = _scenario_form().validate_python(info)
        return self._infos[name]

    def image(self, name: str) -> ImageInfo | None:
        """An image; None where no run has it."""
        record = self.images.get(name)
        if record is not None and name not in self._images:
            self._images[name] = read_image(record["info"])
        return self._images.get(name)

    def started(self, tables: CellTables) -> dict[int, str]:
        """When each run started, by its number."""
        return {
            number: self.runs.get(name, {}).get("started", "")
            for number, name in enumerate(tables.run.names)
        }

    def add_run(self, run: RunCells) -> set[str]:
        """Take over what a run says; the names of scenarios whose text is another than before."""
        record, rewritten = run.record, set[str]()
        self._infos, self._images = {}, {}
        self.runs[record.id] = describe_run(run)
        for name, info in run.public.get("scenarios", {}).items():
            old = self.scenarios.get(name)
            if old is not None and self._is_older(run, old["run"]):
                continue
            if old is not None and text_digest(old["info"]) != text_digest(info):
                rewritten.add(name)
            builds = list(record.axes.builds_of(name)) if name in record.axes.scenarios else []
            lines = [] if old is None or name in rewritten else old["lines"]
            self.scenarios[name] = {
                "info": info,
                "run": record.id,
                "builds": builds,
                "lines": lines,
            }
        for name, image in run.public["images"].items():
            if name not in self.images or not self._is_older(run, self.images[name]["run"]):
                self.images[name] = {"info": image, "run": record.id}
        self.missing = {
            entry["name"]: {**entry, "run": record.id}
            for entry in run.public["missing"]
            if entry["name"] not in self.images
            or not self._is_older(run, self.images[entry["name"]]["run"])
        } | {
            name: entry
            for name, entry in self.missing.items()
            if entry["run"] != record.id and name not in run.public["images"]
        }
        self._add_axes(asdict(record.axes))
        return rewritten

    def add_verdict(self, scenario: str, build: str, verdict: Mapping[str, Any]) -> str | None:
        """Take a verdict over; the one before, where both are known and differ.

        A verdict that could not be given replaces none.
        """
        by_build = self.verdicts.setdefault(scenario, {})
        old = by_build.get(build)
        known = verdict["verdict"] != Verdict.UNMEASURED
        if old is not None and (
            not known or self.runs[old["run"]]["started"] > self.runs[verdict["run"]]["started"]
        ):
            return None
        by_build[build] = dict(verdict)
        was = None if old is None else str(old["verdict"])
        return was if was not in (None, Verdict.UNMEASURED, verdict["verdict"]) else None

    def keep(self, run: str, count: int) -> list[str]:
        """Keep a run, and the newest ``count`` at most; the runs whose data goes."""
        names = {*self.kept, run}
        ordered = sorted(names, key=lambda name: (self.runs[name]["started"], name), reverse=True)
        self.kept = ordered[:count]
        return ordered[count:]

    def _is_older(self, run: RunCells, other: str) -> bool:
        return run.record.started < str(self.runs.get(other, {}).get("started", ""))

    def _add_axes(self, axes: Mapping[str, Any]) -> None:
        """The newest run's order first; names that only older runs have stay behind it."""
        for name in _AXES:
            self.axes[name] = list(dict.fromkeys((*axes[name], *self.axes.get(name, ()))))


def describe_run(run: RunCells) -> dict[str, Any]:
    """A run in the site's list of runs."""
    axes = run.record.axes
    return {
        "started": run.record.started, "finished": run.record.finished,
        "tool": asdict(run.record.tool), "command": run.public["command"],
        "builds": list(axes.builds), "clients": list(axes.clients),
        "scenarios": list(axes.scenarios), "notes": list(run.notes),
        "planned": axes.planned(),
    }  # fmt: skip


def text_digest(info: Mapping[str, Any]) -> str:
    """A scenario's text and expectations as a hash; lines of expectations do not count."""
    text = {key: info.get(key) for key in _TEXT}
    text["expect"] = [
        {key: value for key, value in record.items() if key not in ("line", "says")}
        for record in info.get("expect") or ()
    ]
    return hashlib.sha256(json.dumps(text, sort_keys=True).encode()).hexdigest()


def read_state_file(site: Path) -> SiteState:
    """The state of a site.

    Raises:
        FileError: the file cannot be read, or is not as a publication wrote it.
    """
    path = site / STATE_FILE
    text = read_text_file(path, next_step=_PUBLISH_AGAIN)
    state = parse_json(text, path, next_step=_PUBLISH_AGAIN)
    check_json_file(SiteStateForm, text, path)
    with reading_site_file(path):
        return SiteState(**state)


@cache
def _scenario_form() -> TypeAdapter[ScenarioInfo]:
    return TypeAdapter(ScenarioInfo)
