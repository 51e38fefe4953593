"""Read a run folder (docs/run-folder.md): what ran, what was observed, and evidence on demand.

A run that was killed is a run: a torn last line is dropped with a note, and a missing evidence file
is None. Anything else that violates the contract is an error that names the file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import FileError, FileLocation, UsageError
from harness.observations.evidence_names import earlier_instance_path, instance_path
from harness.observations.local_paths import hide_in_record
from harness.observations.record import AgainReason, Observation
from harness.observations.run_json import RUN_SCHEMA, RunRecord

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_AGAIN = {
    AgainReason.TIMEOUT: "after a time-out",
    AgainReason.ERROR: "after an error of the harness",
    AgainReason.FAULT: "after a fault of what they were measured with",
}
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
    """The evidence of a cell of a run folder; None where there is no (whole) file of it."""
    return None if observation.evidence is None else _read_object(folder, observation.evidence)


def read_instance(folder: Path, build: str, scenario: str) -> Evidence | None:
    """The evidence of a Postfix instance of a run folder; None where there is no (whole) file."""
    instance = _read_object(folder, instance_path(build, scenario))
    earlier = earlier_instance_path(build, scenario)
    return _read_object(folder, earlier) if instance is None else instance


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


@cache
def load_run_form() -> TypeAdapter[RunRecord]:
    """What checks ``run.json``: it takes as long to load as half of this package."""
    from pydantic import TypeAdapter

    return TypeAdapter(RunRecord)


def load_record(folder: Path) -> RunRecord:
    """Read ``run.json`` alone.

    Raises:
        UsageError: the folder is no run, or its run.json has another schema or a wrong field.
    """
    path = folder / "run.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path.parent} is not a run folder: {path.name}: {error.strerror}",
            cause="the path is wrong, or the run ended before it began to measure",
            next_step="name a folder that 'postfix-matrix run' made",
        ) from None
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}", next_step="run again") from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != RUN_SCHEMA:
        raise UsageError(
            f"{path} has schema {schema!r}, this tool reads {RUN_SCHEMA}",
            cause="the run was made by another version of postfix-matrix",
            next_step="make the reports with the version that made the run",
        )
    return _validate_run(path, data)


def _validate_run(path: Path, data: Evidence) -> RunRecord:
    from pydantic import ValidationError

    try:
        run = load_run_form().validate_python(hide_in_record(data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise FileError(FileLocation(path, key=key), first["msg"]) from None
    for name, info in run.scenarios.items():
        try:
            _ = info.claimed
        except (UsageError, ValueError, KeyError, TypeError) as error:
            place = FileLocation(path, key=f"scenarios.{name}.expect")
            raise FileError(place, f"is no expectation: {error!r}") from None
    return run


def _read_observations(path: Path) -> tuple[tuple[Observation, ...], tuple[str, ...]]:
    """The observations, by cell; where a cell has two (a resumed run), the later one counts."""
    if not path.exists():
        return (), ("no cell was measured: there is no observations.jsonl",)
    lines = path.read_bytes().split(b"\n")
    by_cell: dict[str, Observation] = {}
    notes: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            observation = Observation.from_json(line.decode("utf-8"))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
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
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            observations.append(Observation.from_json(line.decode("utf-8")))
    return tuple(observation for observation in observations if observation.cell in flaky)


def not_an_observation(path: Path, number: int, error: Exception) -> FileError:
    """The error of a line of observations.jsonl that is no observation; lines count from 1."""
    return FileError(
        FileLocation(path, line=number),
        f"not an observation: {error!r}",
        expected="one JSON object of schema 1 per line",
        next_step="move the line out of the file; the other cells can then be read",
    )


def _read_object(folder: Path, name: str) -> Evidence | None:
    """A JSON object below ``folder``; never one outside it, whatever the name is."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None
