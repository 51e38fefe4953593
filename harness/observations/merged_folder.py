"""A run folder that runs are put into, one after the other; no cell of it is lost or rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.catalog.plan import Plan
from harness.errors import UsageError
from harness.observations.evidence_names import again_path, evidence_path, instance_path
from harness.observations.journal import Journal
from harness.observations.licence import citation
from harness.observations.local_paths import hide_in_command
from harness.observations.merge_checks import SameInputs, is_one_plan, unfinished_runs, whole_axes
from harness.observations.merging import merge_axes
from harness.observations.record import Observation, Outcome
from harness.observations.run_folder import RunData, list_flaky_observations
from harness.observations.run_json import RUN_SCHEMA, Axes, MergedRun, Missing, ScopeAxes
from harness.observations.run_record import (
    closing_figures,
    describe_host,
    describe_image,
    describe_merged,
)

#: Fields of an observation that differ between two runs with the same result.
OF_THE_RUN = frozenset({"seconds", "evidence", "control", "run", "measured", "taken_over", "again"})


@dataclass(frozen=True, slots=True)
class FlakyCell:
    """A cell that runs measured with different results; ``results`` has each with its run's id."""

    cell: str
    results: tuple[tuple[str, Observation], ...]


class MergedFolder:
    """The cells of several runs in one folder, with their evidence; ``add`` puts one more in.

    A cell that is there twice with the same result is there once, as it was added first. With
    different results both observations stay in the folder, each with its own evidence, and the cell
    is flaky. An error of the harness is no result: it stays, and the measured one counts.
    """

    def __init__(self, folder: Path, *, known: RunData | None = None) -> None:
        """``known`` are the cells that the folder has already."""
        self.images: dict[str, dict[str, Any]] = {}
        self.missing: list[Missing] = []
        self._inputs = SameInputs()
        self._cells: dict[str, list[tuple[str, Observation]]] = {}
        if known is not None:
            self._note_run(known, "")
            # What was unavailable then is asked for again.
            self.missing.clear()
            for observation in known.observations:
                self._cells[observation.cell] = [(known.run.id, observation)]
        self._journal = Journal(folder)

    def expect_code(self, version: str, digest: str, label: str) -> None:
        """Refuse runs that were made by other code; see :meth:`SameInputs.expect_code`."""
        self._inputs.expect_code(version, digest, label)

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._journal.folder

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The observation of each cell that counts."""
        return tuple(kept[-1][1] for kept in self._cells.values())

    @property
    def flaky(self) -> tuple[FlakyCell, ...]:
        """The cells with different results."""
        return tuple(
            FlakyCell(cell, tuple(results))
            for cell, kept in self._cells.items()
            if len(results := [item for item in kept if _is_result(item[1])]) > 1
        )

    def add(self, data: RunData, label: str = "") -> tuple[Observation, ...]:
        """Put a run in; gives the observations that were written. ``label`` names it in messages.

        Raises:
            UsageError: it was made from other inputs than those before; then nothing is written.
        """
        self._note_run(data, label)
        # Of a run that was merged itself, a flaky cell has several results.
        cells = (*list_flaky_observations(data), *data.observations)
        written = [cell for cell in cells if self._add_cell(data, cell)]
        for path in sorted(data.folder.glob("instances/*/*.json")):
            name = instance_path(path.parent.name, path.stem)
            if not (self.folder / name).exists():
                self._journal.take_file(path, name)
        return tuple(written)

    def write_run(self, record: Mapping[str, Any]) -> None:
        """Replace ``run.json``."""
        self._journal.write_run(dict(record))

    def close(self) -> None:
        """Bring the observations to disk."""
        self._journal.close()

    def _note_run(self, data: RunData, label: str) -> None:
        self._inputs.add(data, label)
        for name, image in data.run.images.items():
            self.images.setdefault(name, describe_image(image))
        known = {(entry.kind, entry.name) for entry in self.missing}
        self.missing += [
            entry for entry in data.run.missing if (entry.kind, entry.name) not in known
        ]

    def _add_cell(self, data: RunData, observation: Observation) -> bool:
        """Write a cell, unless the folder has it with this result.

        Raises:
            UsageError: its name is none of a cell.
        """
        if observation.cell.count("/") != 4:
            raise UsageError(
                f"{data.folder} has the cell {observation.cell!r}, which is no name of a cell",
                cause="observations.jsonl was changed by hand",
                next_step="merge without this run, or move the line out of the file",
            )
        kept = self._cells.setdefault(observation.cell, [])
        if any(is_same_result(known, observation) for _, known in kept):
            return False
        placed = observation
        if observation.evidence is not None:
            placed = replace(observation, evidence=self._place_evidence(observation.cell))
            evidence = _find_evidence(data.folder, observation.evidence)
            if evidence is not None:
                self._journal.take_file(evidence, str(placed.evidence))
            placed = self._take_earlier(data, placed)
        self._journal.add_line(placed)
        kept.append((data.run.id, placed))
        if len(kept) > 1 and not _is_result(placed):
            # The last line of a cell counts, and an error is no result.
            counting = next(item for item in reversed(kept) if _is_result(item[1]))
            kept.remove(counting)
            kept.append(counting)
            self._journal.add_line(counting[1])
        return True

    def _take_earlier(self, data: RunData, placed: Observation) -> Observation:
        """Take over the evidence of the measurement before, of a cell that was measured again."""
        again = placed.again
        if again is None or again.evidence is None or placed.evidence is None:
            return placed
        place = again_path(placed.evidence)
        while (self.folder / place).exists():
            place = again_path(place)
        evidence = _find_evidence(data.folder, again.evidence)
        if evidence is not None:
            self._journal.take_file(evidence, place)
        return replace(placed, again=replace(again, evidence=place if evidence else None))

    def _place_evidence(self, cell: str) -> str:
        """Where a cell's evidence goes; beside that of the same cell it is in evidence-2/…"""
        first, number = evidence_path(cell), 1
        # A name whose file is lost is not given to the file of another result.
        taken = {observation.evidence for _, observation in self._cells.get(cell, ())}
        place = first
        while place in taken or (self.folder / place).exists():
            number += 1
            place = f"evidence-{number}/{first.partition('/')[2]}"
        return place


def is_same_result(first: Observation, second: Observation) -> bool:
    """Whether two observations of a cell say the same.

    Times do not count, nor where the evidence is, nor which control was asked, nor the fingerprint
    of a certificate, which each run makes anew. Two errors of the harness are the same: no result.
    """
    if not _is_result(first) and not _is_result(second):
        return True
    return _describe_result(first) == _describe_result(second)


def _describe_result(observation: Observation) -> dict[str, Any]:
    """What an observation says of the cell, without what belongs to the run that made it."""
    values = asdict(observation)
    if values["certificate"] is not None:
        values["certificate"]["sha256"] = ""
    return {key: value for key, value in values.items() if key not in OF_THE_RUN}


def _is_result(observation: Observation) -> bool:
    return observation.outcome is not Outcome.ERROR


def _find_evidence(folder: Path, name: str) -> Path | None:
    """An evidence file of a run folder; None where there is none, or it is not inside."""
    path = (folder / name).resolve()
    return path if path.is_file() and path.is_relative_to(folder.resolve()) else None


def merged_axes(runs: Sequence[RunData]) -> Axes:
    """The axes of runs together: those of the whole plan where they are its shards."""
    if is_one_plan(runs):
        return whole_axes(runs[0])
    axes = runs[0].run.axes
    for run in runs[1:]:
        axes = merge_axes(axes, run.run.axes)
    return replace(axes, scopes={**axes.scopes, **_narrow_scenarios(axes, runs)})


def _narrow_scenarios(axes: Axes, runs: Sequence[RunData]) -> dict[str, ScopeAxes]:
    """The scopes of the scenarios that were not measured on all builds."""
    scopes: dict[str, ScopeAxes] = {}
    for name in axes.scenarios:
        measured = {
            build
            for run in runs
            if name in run.run.axes.scenarios
            for build in run.run.axes.builds_of(name)
        }
        if measured != set(axes.builds):
            builds = tuple(build for build in axes.builds if build in measured)
            scopes[name] = replace(axes.scope(name), builds=builds)
    return scopes


def merged_record(
    folder: MergedFolder, runs: Sequence[RunData], command: Sequence[str], name: str
) -> dict[str, Any]:
    """The whole of ``run.json`` for a folder that these runs were put into; ``name`` is its id."""
    axes = merged_axes(runs)
    is_finished = not unfinished_runs(runs)
    plan = Plan.from_axes(asdict(axes))
    tool = runs[0].run.tool
    licence = " AND ".join(sorted({run.run.licence for run in runs}))
    started = min(run.run.started for run in runs)
    setup, *_ = setups = {run.run.measured_with for run in runs}
    return {
        "schema": RUN_SCHEMA,
        "id": name,
        "tool": asdict(tool),
        "licence": licence,
        "citation": citation(f"{tool.name} {tool.version}", name, started, licence),
        "host": describe_host(),
        "command": list(hide_in_command(command)),
        "started": started,
        "finished": max(run.run.finished or "" for run in runs) if is_finished else None,
        "measured_with": asdict(setup) if setup is not None and len(setups) == 1 else None,
        "axes": plan.axes(),
        "scenarios": {of: asdict(info) for of, info in _in_order_of(axes.scenarios, runs)},
        "images": folder.images,
        "missing": [asdict(entry) for entry in folder.missing],
        "summary": closing_figures(plan, folder.observations, 0, None) if is_finished else None,
        "merged": _describe_runs(runs),
        "flaky": [cell.cell for cell in folder.flaky],
    }


def _in_order_of(names: Iterable[str], runs: Sequence[RunData]) -> list[tuple[str, Any]]:
    """The scenarios of all runs, in the order of the axis."""
    known = {name: info for run in runs for name, info in run.run.scenarios.items()}
    return [(name, known[name]) for name in names if name in known]


def _describe_runs(runs: Sequence[RunData]) -> list[dict[str, Any]]:
    """What was merged; a run that was merged itself is replaced by those that it was made of."""
    parts: dict[str, MergedRun] = {}
    for run in (data.run for data in runs):
        itself = MergedRun(run.id, run.started, run.finished, run.command, run.host, run.shard)
        for part in run.merged or (itself,):
            parts.setdefault(part.id, part)
    return [describe_merged(part) for part in parts.values()]
