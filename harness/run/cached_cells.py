"""Cells in the user's cache: those of baselines and controls that ``verify`` measured before.

An entry is named after the cell's input key, so it is found only where all inputs but the controls
are equal; these are compared when it is read. Instances and images have entries of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.catalog.cells import Cell, is_control
from harness.clients.controls import control_cells
from harness.observations.journal import Journal
from harness.observations.record import MeasuredWith, Observation
from harness.observations.reuse import (
    CellInputs,
    Surroundings,
    explain_difference,
    inputs_of,
    lasting_reasons,
    mark_taken,
    recorded_surroundings,
)
from harness.observations.run_folder import RunData
from harness.observations.run_record import describe_image
from harness.run.cell_cache import CellCache
from harness.run.reuse import find_unusable
from harness.tls import Offer


class CachedCells:
    """What of the cache a plan can use (``run.known_cells.KnownCells``).

    ``now`` is with what the plan is measured, ``cells`` are those of the plan that may be taken
    over.
    """

    def __init__(self, cache: CellCache, now: Surroundings, cells: Iterable[Cell]) -> None:
        self._cache = cache
        self._now = now
        self._cells = tuple(cells)
        self._taken: dict[str, Observation] = {}
        self._instances: set[tuple[str, str]] = set()
        self._images: dict[str, dict[str, Any]] = {}

    @property
    def images(self) -> Mapping[str, dict[str, Any]]:
        """The records of the images of what was taken over so far."""
        return self._images

    def take_cells(self, journal: Journal) -> Sequence[Observation]:
        """Record those of the cells that are there, and the controls' cells that they rest on."""
        for cell in self._cells:
            self.take_control(cell, journal)
        return tuple(self._taken.values())

    def take_control(self, cell: Cell, journal: Journal) -> Observation | None:
        """Record a cell, and what it rests on; None: it must be measured."""
        if cell.id in self._taken:
            return self._taken[cell.id]
        inputs = inputs_of(cell, self._now)
        entry = None if inputs is None else self._cache.read(cell_name(inputs))
        if inputs is None or entry is None:
            return None
        try:
            before = _read_inputs(entry["inputs"])
            observation = Observation.from_json(json.dumps(entry["observation"]))
            evidence = dict(entry["evidence"])
        except (ValueError, TypeError, KeyError):
            self._cache.discard(cell_name(inputs))
            return None
        names = tuple(inputs.images)
        if observation.cell != cell.id or explain_difference(before, inputs):
            return None
        if not self._find_images(names) or not self._take_grounds(observation, evidence, journal):
            return None
        journal.append(observation, evidence)
        self._taken[cell.id] = observation
        self._take_instance(cell, inputs, journal)
        return observation

    def knows_controls_of(self, client: str, offer: Offer) -> bool:
        """Whether some control's cell with a client and offer is there."""
        every = (inputs_of(cell, self._now) for cell in control_cells(client, offer))
        return any(inputs is not None and self._cache.has(cell_name(inputs)) for inputs in every)

    def _take_grounds(
        self, observation: Observation, evidence: Mapping[str, Any], journal: Journal
    ) -> bool:
        """Take over the controls' cells that a cell rests on; False: one of them is not there."""
        grounds = (evidence.get("grounds") or {}).get("controls") or {}
        names = [*([observation.control] if observation.control else []), *grounds]
        return all(self.take_control(Cell.parse(name), journal) is not None for name in names)

    def _find_images(self, names: Iterable[str]) -> bool:
        """Whether the records of images are there; they are noted for run.json."""
        for name in names:
            if name not in self._images:
                record = self._cache.read(_image_name(name, self._now.images.get(name, "")))
                if record is None:
                    return False
                self._images[name] = record
        return True

    def _take_instance(self, cell: Cell, inputs: CellInputs, journal: Journal) -> None:
        place = (cell.build, cell.scenario)
        if place not in self._instances:
            self._instances.add(place)
            if (instance := self._cache.read(_instance_name(place, inputs))) is not None:
                journal.write_instance(*place, instance)


def store_cells(cache: CellCache, data: RunData, scenarios: Collection[str]) -> None:
    """Keep the cells of these scenarios and of controls that a run measured itself."""
    unusable = find_unusable(data)
    lasting = lasting_reasons(data.observations, unusable)
    surroundings = recorded_surroundings(data)
    images: set[str] = set()
    for observation in data.observations:
        is_kept = is_control(observation.build) or observation.scenario in scenarios
        if is_kept and observation.taken_over is None and observation.cell not in lasting:
            inputs = inputs_of(Cell.parse(observation.cell), surroundings)
            if inputs is not None and None not in inputs.images.values():
                _store_cell(cache, data, observation, inputs)
                images |= set(inputs.images)
    for name in images:
        image = data.run.images[name]
        cache.write(_image_name(name, image.id), describe_image(image))
    if images:
        cache.prune()


def cell_name(inputs: CellInputs) -> str:
    """The name of a cell's entry."""
    return f"cell-{inputs.key}"


def _store_cell(
    cache: CellCache, data: RunData, observation: Observation, inputs: CellInputs
) -> None:
    evidence = data.evidence(observation)
    if evidence is None:
        return
    entry = {
        "inputs": asdict(inputs),
        "observation": json.loads(mark_taken(observation, data).to_json()),
        "evidence": evidence,
    }
    cache.write(cell_name(inputs), entry)
    place = (observation.build, observation.scenario)
    name = _instance_name(place, inputs)
    if not cache.has(name) and (instance := data.instance(*place)) is not None:
        cache.write(name, instance)


def _instance_name(place: tuple[str, str], inputs: CellInputs) -> str:
    """The name of an instance's entry: its inputs are those of its cells but for the client."""
    client = inputs.cell.split("/")[3]
    images = sorted((name, image) for name, image in inputs.images.items() if name != client)
    parts = [place, inputs.config, asdict(inputs.setup), images]
    return f"instance-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"


def _image_name(name: str, image: str) -> str:
    return f"image-{hashlib.sha256(f'{name} {image}'.encode()).hexdigest()}"


def _read_inputs(data: Mapping[str, Any]) -> CellInputs:
    return CellInputs(**{**data, "setup": MeasuredWith(**data["setup"])})
