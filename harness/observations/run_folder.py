"""Read a run folder (docs/run-folder.md): what ran, what was observed, and evidence on demand.

A run that was killed is a run: a torn last line is dropped with a note, and a missing evidence file
is None. Anything else that violates the contract is an error that names the file.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.data_models import (
    DataError,
    check_json_file,
    locate_problems,
    read_json_data,
    show_value,
)
from harness.errors import FileError, FileLocation, join_errors
from harness.input_files import is_there, read_file, read_text_file
from harness.json_text import find_lines, parse_json
from harness.observations.evidence_names import earlier_instance_path, instance_path
from harness.observations.local_paths import hide_in_record
from harness.observations.record import AgainReason, Observation, parse_observation
from harness.observations.run_json import RUN_SCHEMA, RunRecord

#: The file that makes a folder a run.
RUN_FILE = "run.json"
_AGAIN = {
    AgainReason.TIMEOUT: "after a time-out",
    AgainReason.ERROR: "after an error of the harness",
    AgainReason.FAULT: "after a fault of what they were measured with",
}
_RUN_AGAIN = "undo the edit, or run again"
_REMOVE_EVIDENCE = "remove the file: the cell is then shown without its evidence"
#: A larger file is no evidence; in bytes. A session's log has some KiB.
_MOST_EVIDENCE = 64 << 20
#: One JSON object as it is in an evidence file; its keys are in docs/run-folder.md.
Evidence = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunData:
    """A run as read; ``notes`` says what had to be dropped."""

    folder: Path
    run: RunRecord
    observations: tuple[Observation, ...]
    notes: tuple[str, ...] = ()

    def evidence(self, observation: Observation) -> Evidence | None:
        """The evidence of one cell, read now; None where there is no (whole) file of it."""
        return read_evidence(self.folder, observation)

    def instance(self, build: str, scenario: str) -> Evidence | None:
        """The evidence of one Postfix instance, read now; None where there is no (whole) file."""
        return read_instance(self.folder, build, scenario)

    def find(self, cell_id: str) -> Observation | None:
        """The observation of a cell, if it was made."""
        return next((cell for cell in self.observations if cell.cell == cell_id), None)


def read_evidence(folder: Path, observation: Observation) -> Evidence | None:
    """The evidence of a cell of a run folder; None where there is no file of it.

    Raises:
        FileError: the file is no evidence; with line and key.
    """
    if observation.evidence is None:
        return None
    return read_evidence_file(folder, observation.evidence)


def read_instance(folder: Path, build: str, scenario: str) -> Evidence | None:
    """The evidence of a Postfix instance of a run folder; None where there is no file.

    Raises:
        FileError: the file is no evidence; with line and key.
    """
    from harness.observations.evidence_forms import InstanceEvidence

    instance = _read_object(folder, instance_path(build, scenario), InstanceEvidence)
    earlier = earlier_instance_path(build, scenario)
    return _read_object(folder, earlier, InstanceEvidence) if instance is None else instance


def has_run(folder: Path) -> bool:
    """Whether a folder is, or is meant to be, a run: reading it says what is wrong with it."""
    return is_there(folder / RUN_FILE) or (is_there(folder) and not folder.is_dir())


def load_run(folder: Path) -> RunData:
    """Read a run folder.

    Raises:
        UsageError: the folder is no run, or its run.json has another schema or a wrong field.
        FileError: a line of observations.jsonl, other than a torn last one, is no observation.
    """
    run = load_record(folder)
    observations, notes = _read_observations(folder / "observations.jsonl")
    if run.finished is None:
        notes = ("the run is not finished: it was stopped, or is still going on", *notes)
    if run.pace is not None and run.pace.most_stretched > 1:
        notes = (
            *notes,
            f"the machine was busy: limits were {run.pace.most_stretched:g} times as long",
        )
    return RunData(folder, run, observations, notes)


def load_record(folder: Path) -> RunRecord:
    """Read ``run.json`` alone.

    Raises:
        UsageError: the folder is no run, or its run.json has another schema or a wrong field.
    """
    path = folder / RUN_FILE
    text = read_text_file(path, next_step="name a folder that 'postfix-matrix run' made")
    data = parse_json(text, path, next_step=_RUN_AGAIN)
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != RUN_SCHEMA or type(schema) is not int:
        line = find_lines(text, [("schema",)])[("schema",)]
        raise FileError(
            FileLocation(path, line, "schema"),
            f"has schema {show_value(schema)}, this tool reads {RUN_SCHEMA}",
            cause="the run was made by another version of postfix-matrix",
            next_step="make the reports with the version that made the run",
        )
    # It takes as long to load as half of this package.
    from harness.observations.record_forms import RunVocabularies

    checked = json.dumps(hide_in_record(data))
    try:
        run = read_json_data(RunRecord, checked)
        read_json_data(RunVocabularies, checked)
    except DataError as error:
        errors = locate_problems(error, text, path)
        raise join_errors(errors, f"{path} has", next_step=_RUN_AGAIN) from None
    return run


def _read_observations(path: Path) -> tuple[tuple[Observation, ...], tuple[str, ...]]:
    """The observations, by cell; where a cell has two (a resumed run), the later one counts."""
    if not is_there(path):
        return (), ("no cell was measured: there is no observations.jsonl",)
    lines = read_file(path).split(b"\n")
    by_cell: dict[str, Observation] = {}
    notes: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            observation = parse_observation(line)
        except ValueError as error:
            if number < len(lines):
                raise not_an_observation(path, number, error) from None
            notes.append(f"the last line of {path.name} is torn and was dropped")
            continue
        if by_cell.pop(observation.cell, None) and observation.again is None:
            notes.append(f"{observation.cell} was measured more than once; the last one is shown")
        by_cell[observation.cell] = observation
    return tuple(by_cell.values()), (*notes, *_note_again(by_cell.values()))


def _note_again(observations: Iterable[Observation]) -> list[str]:
    """How many cells were measured again in the run, and why; nothing where none was."""
    counts = Counter(cell.again.why for cell in observations if cell.again is not None)
    reasons = ", ".join(f"{counts[why]} {_AGAIN[why]}" for why in AgainReason if counts[why])
    return [f"measured again, and the second result is shown: {reasons}"] if reasons else []


def list_flaky_observations(data: RunData) -> tuple[Observation, ...]:
    """Every result of the cells that a merged run calls flaky, in the order of their lines."""
    if not data.run.flaky:
        return ()
    flaky = set(data.run.flaky)
    lines = (data.folder / "observations.jsonl").read_bytes().split(b"\n")
    observations: list[Observation] = []
    for line in lines:
        # load_run() refused lines that are no observations, but for a torn last one.
        with suppress(ValueError):
            observations.append(parse_observation(line))
    return tuple(observation for observation in observations if observation.cell in flaky)


def not_an_observation(path: Path, number: int, error: ValueError) -> FileError:
    """The error of a line of observations.jsonl that is no observation; lines count from 1."""
    expected = "one JSON object of schema 1 per line"
    key, what = None, f"{error}"[:200]
    if isinstance(error, DataError):
        first = error.problems[0]
        key, what, expected = first.key or None, first.what, first.expected or expected
    return FileError(
        FileLocation(path, number, key),
        f"not an observation: {what}",
        expected=expected,
        next_step="move the line out of the file; the other cells can then be read",
    )


def read_evidence_file(folder: Path, name: str) -> Evidence | None:
    """An evidence file of a run folder by its name; None where there is no such file inside it.

    Raises:
        FileError: the file is no evidence; with line and key.
    """
    file = read_evidence_text(folder, name)
    return None if file is None else file[1]


def read_evidence_text(folder: Path, name: str) -> tuple[str, Evidence] | None:
    """The same with its text before it, without a byte order mark."""
    # It takes as long to load as half of this package.
    from harness.observations.evidence_forms import CellEvidence

    return _read_object_text(folder, name, CellEvidence)


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a file lies in a folder, wherever links lead to."""
    if path.is_symlink():
        return Path(os.path.realpath(path)).is_relative_to(_resolve_path(folder))
    parent = _resolve_path(path.parent)
    return ".." not in path.parts and parent.is_relative_to(_resolve_path(folder))


@lru_cache(maxsize=4096)
def _resolve_path(folder: Path) -> Path:
    # pathlib refuses links in a circle.
    return Path(os.path.realpath(folder))


def _read_object(folder: Path, name: str, model: type[Any]) -> Evidence | None:
    file = _read_object_text(folder, name, model)
    return None if file is None else file[1]


def _read_object_text(folder: Path, name: str, model: type[Any]) -> tuple[str, Evidence] | None:
    """A JSON object below ``folder``, as text and read; never one outside it, whatever its name is.

    None where there is none, or an empty file, as a machine that lost its power leaves.

    Raises:
        FileError: the file is something else; with line and key.
    """
    path = folder / name
    if "\0" in name or not _is_inside(path, folder) or not is_there(path):
        return None
    text = read_text_file(path, most=_MOST_EVIDENCE, next_step=_REMOVE_EVIDENCE)
    if not text:
        return None
    data: Evidence = parse_json(text, path, next_step=_REMOVE_EVIDENCE)
    check_json_file(model, text, path)
    return text, data
