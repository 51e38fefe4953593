"""A scenario beside ``defaults``: no difference is missed, nothing unmeasured is the same."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.observations.record import Outcome, TlsView
from harness.observations.run_folder import RunData, load_run
from harness.reports.differences import (
    Differences,
    DifferenceStanding,
    compare_with_baseline,
    differences,
)
from harness.reports.grid import build_grid
from tests.unit import sample_run

TLS12 = "debian-12/twin/submission/openssl-1.0.2h/TLSv1.2"
DEFAULT = "debian-12/twin/submission/openssl-1.0.2h/default"
SSL3 = "debian-12/twin/submission/openssl-1.0.2h/SSLv3"


@cache
def sample() -> RunData:
    """The synthetic run, in memory."""
    with tempfile.TemporaryDirectory() as folder:
        return load_run(sample_run.write_sample_run(Path(folder)))


def beside(data: RunData) -> Differences:
    """The twin of defaults beside it."""
    return differences(build_grid(data))["twin"]


@pytest.mark.parametrize(
    ("cell", "change", "changed", "text"),
    [
        (TLS12, {"outcome": Outcome.PLAINTEXT}, "outcome", "○*plain"),
        (SSL3, {"reason": "closed"}, "reason", "✗*closed"),
        (SSL3, {"reason": "no-protocols-available"}, "reason", "✗*reason"),
        (DEFAULT, {"client_saw": TlsView("TLSv1", "ECDHE-RSA-AES256-GCM-SHA384")}, "protocol",
         "✓*TLSv1"),
        (TLS12, {"client_saw": TlsView("TLSv1.2", "AES128-SHA")}, "cipher", "✓*cipher"),
        (DEFAULT, {"client_saw": TlsView("TLSv1.2", "AES128-SHA")}, "cipher", "✓*cipher"),
        (TLS12, {"agree": False}, "agreement", "✓*≠"),
        (TLS12, {"client_saw": TlsView("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", 256, "P-256")},
         "group", "✓*group"),
    ],
)  # fmt: skip
def test_a_planted_difference_is_found_and_named(
    cell: str, change: dict[str, Any], changed: str, text: str
) -> None:
    """Whatever differs in one cell of many, just that cell is marked, and says what it is."""
    result = beside(sample_run.twin(sample(), {cell: change}))
    differing = {name: cell for name, cell in result.cells.items() if cell.changed}
    assert list(differing) == [cell]
    assert differing[cell].changed == (changed,)
    assert differing[cell].text == text
    assert result.differing == 1
    assert result.brief == "1 differ"
    assert result.statement.startswith("Differs from defaults in 1 of 124 cells (submission; ")


@pytest.mark.parametrize(
    "change",
    [{"seconds": 9.0}, {"evidence": None}, {"control": None}, {"client_saw": None},
     {"client_saw": TlsView("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", 256, "x25519")},
     {"client_saw": TlsView("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", 256)}],
)  # fmt: skip
def test_what_is_no_difference_in_effect_is_none(change: dict[str, Any]) -> None:
    """Timing, a group's spelling, or silence about what the other names changes nothing."""
    result = beside(sample_run.twin(sample(), {TLS12: change}))
    assert result.differing == 0
    assert result.brief == "no difference seen"


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.ERROR])
@pytest.mark.parametrize("side", ["twin", "defaults"])
def test_a_cell_without_a_result_is_not_compared(outcome: Outcome, side: str) -> None:
    """A time-out and an error of the harness are no difference, and no sameness, on either side."""
    cell = TLS12.replace("/twin/", f"/{side}/")
    data = sample_run.twin(sample(), {})
    cells = tuple(replace(c, outcome=outcome) if c.cell == cell else c for c in data.observations)
    data = replace(data, observations=cells)
    result = beside(data)
    compared = result.cells[TLS12]
    assert compared.standing is DifferenceStanding.UNCOMPARED
    assert compared.changed == ()
    assert result.differing == 0
    assert "; 3 cells not compared: a time-out, or an error of the harness" in result.statement
    assert "not compared with defaults: " in compared.sentence
    observation = data.find(TLS12)
    assert observation is not None
    shown = compare_with_baseline(data, observation)
    assert shown is not None
    assert shown.standing is DifferenceStanding.UNCOMPARED


def test_two_time_outs_are_neither_different_nor_the_same() -> None:
    """A time-out beside a time-out shows nothing, whatever else the two record."""
    data = sample_run.twin(sample(), {TLS12: {"reason": "x"}})
    both = (TLS12, TLS12.replace("/twin/", "/defaults/"))
    cells = tuple(
        replace(c, outcome=Outcome.TIMEOUT) if c.cell in both else c for c in data.observations
    )
    result = beside(replace(data, observations=cells))
    assert result.cells[TLS12].standing is DifferenceStanding.UNCOMPARED
    assert result.differing == 0


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 251)))
def test_a_lost_cell_never_counts_as_the_same(lost: set[int]) -> None:
    """Each planned cell is counted once; only a pair that was measured twice can be the same."""
    twins = sample_run.twin(sample(), {})
    kept = tuple(cell for at, cell in enumerate(twins.observations) if at not in lost)
    result = beside(replace(twins, observations=kept))
    ids = {cell.cell for cell in kept}
    here = {cell for cell in ids if "/twin/" in cell}
    both = {cell for cell in here if cell.replace("/twin/", "/defaults/") in ids}
    same = {
        cell
        for cell, comparison in result.cells.items()
        if comparison.standing is DifferenceStanding.SAME
    }
    unknown = {cell for cell in both if result.cells[cell].unobserved}
    assert same == both - unknown
    assert result.count(DifferenceStanding.UNCOMPARED) == len(here - both | unknown)
    assert result.count(DifferenceStanding.UNMEASURED) == 168 - len(here)
    assert result.differing == 0


def test_nothing_measured_is_no_sameness() -> None:
    """A scenario that was not measured at all is not said to be the same."""
    twins = sample_run.twin(sample(), {})
    kept = tuple(cell for cell in twins.observations if cell.scenario == "defaults")
    result = beside(replace(twins, observations=kept))
    assert result.statement == (
        "Not compared with defaults: no cell has a result under both; 168 cells not measured here."
    )
    assert result.brief == "not compared"
    assert result.cells[TLS12].sentence == (
        "not compared with defaults: this cell not measured: no observation was recorded"
    )


def test_every_scenario_but_defaults_and_the_controls_is_compared() -> None:
    """The baseline comes first, and controls are not compared with it."""
    grid = build_grid(sample())
    assert set(differences(grid)) == set(sample_run.SCENARIOS) - {"defaults"}
    axes = replace(sample().run.axes, scenarios=("bad-list", "defaults", "answer-1-protocols"))
    grid = build_grid(replace(sample(), run=replace(sample().run, axes=axes)))
    assert [scenario.id for scenario in grid.scenarios][:3] == [
        "defaults",
        "bad-list",
        "answer-1-protocols",
    ]


def test_a_run_without_defaults_has_nothing_to_compare() -> None:
    """No other scenario is taken for the one that follows no advice."""
    axes = replace(sample().run.axes, scenarios=("bad-list",))
    kept = tuple(cell for cell in sample().observations if cell.scenario == "bad-list")
    data = replace(sample(), run=replace(sample().run, axes=axes), observations=kept)
    assert differences(build_grid(data)) == {}
    assert compare_with_baseline(data, kept[0]) is None


def test_one_cell_beside_defaults() -> None:
    """The same comparison for one cell; controls and defaults itself have none."""
    data = sample_run.twin(sample(), {TLS12: {"client_saw": TlsView("TLSv1.2", "AES128-SHA")}})
    by_cell = {cell.cell: cell for cell in data.observations}
    result = compare_with_baseline(data, by_cell[TLS12])
    assert result is not None
    assert result.sentence == (
        "differs in cipher; under defaults: accepted, TLSv1.2, ECDHE-RSA-AES256-GCM-SHA384"
    )
    assert compare_with_baseline(data, by_cell[TLS12.replace("/twin/", "/defaults/")]) is None
    control = next(cell for cell in sample().observations if cell.build.startswith("control-"))
    assert compare_with_baseline(sample(), control) is None
