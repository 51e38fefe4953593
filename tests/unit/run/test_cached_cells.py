"""Cells in the cache: kept after one run, found by the next, wherever that one's folder is."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.catalog.cells import Cell
from harness.observations.journal import Journal
from harness.observations.record import Outcome, TakenOver
from harness.observations.reuse import Surroundings, inputs_of
from harness.run.cached_cells import CachedCells, cell_name, store_cells
from harness.run.cell_cache import CellCache
from harness.tls import Offer
from tests.unit.reuse_samples import (
    CLIENT,
    CONTROL,
    CONTROLS,
    COPY,
    FORBIDDING,
    IMAGES,
    NOW,
    PLAN,
    SETUP,
    STARTED,
    all_observations,
    observe,
    with_outcome,
    write_run,
)

BASELINE = [cell for cell in PLAN.cells() if cell.scenario == "defaults"]


@pytest.fixture
def cache(tmp_path: Path) -> CellCache:
    """A cache with the baseline and the controls of the sample run, whose folder is gone."""
    cache = CellCache(tmp_path / "cells")
    run = write_run(tmp_path / "before")
    store_cells(cache, run, {"defaults"})
    shutil.rmtree(run.folder)
    return cache


def take(cache: CellCache, folder: Path, now: Surroundings = NOW) -> tuple[CachedCells, set[str]]:
    """What a new run takes over of its baseline."""
    known = CachedCells(cache, now, BASELINE)
    journal = Journal(folder)
    taken = {observation.cell for observation in known.take_cells(journal)}
    journal.close()
    return known, taken


def test_the_baseline_is_taken_over_with_all_that_belongs_to_it(
    cache: CellCache, tmp_path: Path
) -> None:
    """Observation, evidence, instance and images are in the new folder; the earlier one is gone."""
    known, taken = take(cache, tmp_path / "after")
    assert taken == {cell.id for cell in BASELINE}
    assert (tmp_path / "after/instances/debian-12/defaults.json").is_file()
    assert set(known.images) == {"debian-12", "debian-13", CLIENT, "sasl"}
    lines = (tmp_path / "after/observations.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == len(BASELINE)
    for line in lines:
        observation = type(observe(CONTROL)).from_json(line)
        assert observation.taken_over == TakenOver("before", STARTED)
        assert (tmp_path / "after" / str(observation.evidence)).is_file()


def test_a_candidate_is_never_kept(cache: CellCache) -> None:
    """A second verify measures the candidate."""
    for cell in PLAN.cells():
        inputs = inputs_of(cell, NOW)
        assert inputs is not None
        assert cache.has(cell_name(inputs)) == (cell.scenario == "defaults")


def test_controls_are_taken_when_they_are_asked_for(cache: CellCache, tmp_path: Path) -> None:
    """A run's folder has the controls' cells that its candidate needed, and no others."""
    known = CachedCells(cache, NOW, ())
    journal = Journal(tmp_path / "after")
    assert known.take_cells(journal) == ()
    for cell in CONTROLS:
        observation = known.take_control(cell, journal)
        assert observation is not None
        assert known.take_control(cell, journal) is observation
    journal.close()
    lines = (tmp_path / "after/observations.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == len(CONTROLS)
    assert (tmp_path / "after/instances/control-debian-13/open.json").is_file()
    assert CONTROL.build in known.images
    assert known.knows_controls_of(CLIENT, CONTROL.offer)
    assert not known.knows_controls_of(CLIENT, Offer.parse("TLSv1"))
    assert not known.knows_controls_of("aiosmtplib-debian12", CONTROL.offer)


@pytest.mark.parametrize("name", ["debian-12", CLIENT, "sasl"])
def test_another_image_is_measured(cache: CellCache, tmp_path: Path, name: str) -> None:
    """The key is over the images that take part."""
    now = replace(NOW, images={**IMAGES, name: "sha256:other"})
    _, taken = take(cache, tmp_path / "after", now)
    expected = {cell.id for cell in BASELINE if name == "debian-12" and cell.build != name}
    assert taken == expected


def test_another_control_is_measured_and_what_rests_on_it(cache: CellCache, tmp_path: Path) -> None:
    """The controls are compared when an entry is read; without TLS none takes part."""
    now = replace(NOW, images={**IMAGES, FORBIDDING.build: "sha256:other"})
    _, taken = take(cache, tmp_path / "after", now)
    assert taken == {cell.id for cell in BASELINE if cell.offer.plaintext}


def test_other_code_is_another_key(cache: CellCache, tmp_path: Path) -> None:
    """After an update of the harness everything is measured once."""
    setup = replace(SETUP, version="sha256:" + "ef" * 32)
    _, taken = take(cache, tmp_path / "after", replace(NOW, setup=setup))
    assert not taken


def test_a_refusal_comes_with_the_controls_that_show_it(tmp_path: Path) -> None:
    """Its control's cell is in the new folder, or the refusal is measured."""
    cache = CellCache(tmp_path / "cells")
    refused = next(cell for cell in BASELINE if not cell.offer.plaintext)
    store_cells(
        cache, write_run(tmp_path / "a", with_outcome(refused, Outcome.REFUSED)), {"defaults"}
    )
    _, taken = take(cache, tmp_path / "b")
    assert {refused.id, CONTROL.id} <= taken
    inputs = inputs_of(CONTROL, NOW)
    assert inputs is not None
    cache.discard(cell_name(inputs))
    _, taken = take(cache, tmp_path / "c")
    assert refused.id not in taken


def test_what_was_not_settled_is_not_kept(tmp_path: Path) -> None:
    """Time-outs and errors, of a cell or of a control that it rests on."""
    cache = CellCache(tmp_path / "cells")
    observations = with_outcome(BASELINE[1], Outcome.ERROR, with_outcome(COPY, Outcome.TIMEOUT))
    store_cells(cache, write_run(tmp_path / "a", observations), {"defaults"})
    _, taken = take(cache, tmp_path / "b")
    kept = {cell.id for cell in BASELINE if cell.build == "debian-13" and cell.offer.plaintext}
    kept |= {cell.id for cell in BASELINE if cell.build == "debian-12"} - {BASELINE[1].id}
    assert taken == kept


def test_a_run_that_does_not_record_its_code_is_not_kept(tmp_path: Path) -> None:
    """Its cells were measured in more than one way."""
    cache = CellCache(tmp_path / "cells")
    store_cells(cache, write_run(tmp_path / "a", all_observations(), None), {"defaults"})
    assert not cache.folder.exists()


@pytest.mark.parametrize("damage", ["torn", "other form"])
def test_a_damaged_entry_is_measured(cache: CellCache, tmp_path: Path, damage: str) -> None:
    """With a count, so that the user gets to know of it."""
    cell: Cell = BASELINE[0]
    inputs = inputs_of(cell, NOW)
    assert inputs is not None
    name = cell_name(inputs)
    if damage == "torn":
        path = cache.folder / f"{name}.json"
        path.write_bytes(path.read_bytes()[:-30])
    else:
        cache.write(name, {"inputs": {}, "observation": {}, "evidence": {}})
    _, taken = take(cache, tmp_path / "after")
    assert taken == {known.id for known in BASELINE[1:]}
    assert cache.damaged == 1
