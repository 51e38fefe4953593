"""The run folder as it is written: append-only observations, evidence files, ``run.json``.

A killed run loses at most the cell it was writing: evidence goes to disk before the observation
that names it, and each observation is one flushed line.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from harness.observations.evidence_names import instance_path
from harness.observations.local_paths import hide_local_paths, places_of_machine
from harness.observations.record import Observation


class Journal:
    """Writes one run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "observations.jsonl"
        _drop_torn_line(self._path)
        self._file = self._path.open("a", encoding="utf-8")

    def append(self, observation: Observation, evidence: dict[str, Any]) -> None:
        """Record a cell: its evidence first, then the line that names it."""
        if observation.evidence is not None:
            write_json(self.folder / observation.evidence, evidence)
        self.add_line(observation)

    def add_line(self, observation: Observation) -> None:
        """Record a cell whose evidence is here already."""
        self._file.write(observation.to_json() + "\n")
        self._file.flush()

    def take_file(self, source: Path, name: str) -> bool:
        """Have a file of another run here, as a hard link or a copy; False: there is none.

        Both files may be one: files of a run folder are replaced, and never written into.

        Raises:
            OSError: the folder cannot be written.
        """
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except FileNotFoundError:
            return False
        except OSError:
            # Another file system, or one without links.
            shutil.copy2(source, target)
        return True

    def write_run(self, run: dict[str, Any]) -> None:
        """Replace ``run.json`` as a whole."""
        write_json(self.folder / "run.json", run, indent=1)

    def write_instance(self, build: str, scenario: str, instance: dict[str, Any]) -> None:
        """Keep the evidence of one Postfix instance."""
        notes = hide_local_paths(instance.get("notes", []), places_of_machine(self.folder))
        write_json(self.folder / instance_path(build, scenario), {**instance, "notes": notes})

    def close(self) -> None:
        """Bring the observations to disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def write_json(path: Path, value: Any, *, indent: int | None = None) -> None:
    """Write a JSON file atomically: a reader gets the old file or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(value, ensure_ascii=False, indent=indent), encoding="utf-8")
    temporary.replace(path)


def _drop_torn_line(path: Path) -> None:
    """A kill in the middle of a line leaves half of one; that cell is measured again."""
    if not path.exists():
        return
    whole = path.read_bytes().rfind(b"\n") + 1
    if whole != path.stat().st_size:
        os.truncate(path, whole)
