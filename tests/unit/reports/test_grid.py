"""The pivot: no cell is lost, none is misread, and what is missing says why."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog.cells import is_control
from harness.catalog.plan import Plan
from harness.observations.record import Observation, Outcome, Stage, TlsView
from harness.observations.run_folder import RunData, load_run
from harness.observations.run_json import UNPINNED, Missing
from harness.observations.run_record import closing_figures
from harness.outcomes import SIMULATED
from harness.reports.differences import differences
from harness.reports.grid import Grid, GridCell, build_grid
from harness.reports.labels import (
    REASONS,
    SIGNS,
    describe_result,
    short_word,
)
from harness.reports.summary import summarise_run
from tests.unit import sample_run


@cache
def sample() -> RunData:
    """The synthetic run, in memory."""
    with tempfile.TemporaryDirectory() as folder:
        return load_run(sample_run.write_sample_run(Path(folder)))


def cells_of(grid: Grid) -> dict[str, GridCell]:
    """All cells by id; none may come twice."""
    cells = [cell for scenario in grid.all_scenarios for cell in scenario.cells]
    assert len({cell.id for cell in cells}) == len(cells)
    return {cell.id: cell for cell in cells}


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 545)))
def test_any_subset_of_a_run_keeps_every_observation_and_every_planned_place(
    lost: set[int],
) -> None:
    """Whatever was lost: what was seen is shown, the rest keeps its place with a reason."""
    data = sample()
    kept = tuple(cell for i, cell in enumerate(data.observations) if i not in lost)
    grid = build_grid(replace(data, observations=kept))
    cells = cells_of(grid)
    assert {i for i, c in cells.items() if c.observation} == {cell.cell for cell in kept}
    planned = [c for s in grid.scenarios for c in s.cells]
    assert len(planned) == 4 * 4 * 3 * 2 * 7
    assert all(c.why for c in planned if c.observation is None)


def test_rows_and_columns_keep_the_order_of_the_axes() -> None:
    """Readers find builds, services and offers where they asked for them."""
    grid = build_grid(sample())
    assert grid.offers == sample_run.OFFERS
    assert grid.clients == sample_run.CLIENTS
    for scenario in grid.scenarios:
        assert tuple(table.service for table in scenario.tables) == sample_run.SERVICES
        for table in scenario.tables:
            assert tuple(row.build for row in table.rows) == sample_run.BUILDS


def test_a_missing_build_is_a_row_with_its_reason() -> None:
    """An unavailable build is not dropped from any table."""
    for scenario in build_grid(sample()).scenarios:
        for table in scenario.tables:
            missing = {row.build: row.missing for row in table.rows if row.missing}
            assert missing == {sample_run.MISSING_BUILD: sample_run.MISSING_WHY}


def test_a_build_that_was_lost_midway_keeps_what_it_measured() -> None:
    """Cells seen before a build went missing are shown; only the others take the reason."""
    data = sample()
    entry = Missing("debian-12", "build", "the container died")
    half = tuple(s for s in data.observations if not s.cell.endswith("default"))
    grid = build_grid(replace(data, observations=half, run=replace(data.run, missing=(entry,))))
    row = next(r for r in grid.scenarios[0].tables[0].rows if r.build == "debian-12")
    assert row.missing is None
    assert {cell.why for cell in row.cells if not cell.observation} == {entry.why}
    assert sum(cell.observation is not None for cell in row.cells) == 12


def test_a_missing_client_says_why_in_its_cells() -> None:
    """An unavailable client keeps its columns, each cell with the reason."""
    data = sample()
    entry = Missing("aiosmtplib-debian12", "client", "the image did not build")
    kept = tuple(cell for cell in data.observations if cell.client != entry.name)
    grid = build_grid(replace(data, observations=kept, run=replace(data.run, missing=(entry,))))
    row = next(r for r in grid.scenarios[0].tables[0].rows if r.build == "debian-12")
    assert {cell.why for cell in row.of_client(entry.name)} == {entry.why}


def test_controls_stand_apart() -> None:
    """A control server is no build under test: not in a scenario's table, not in the figures."""
    grid = build_grid(sample())
    assert not [c for s in grid.scenarios for c in s.cells if c.id.startswith("control-")]
    controls = [c for s in grid.controls for c in s.cells if c.observation]
    assert len(controls) == grid.summary.counts.controls == 42
    idle = [c for s in grid.controls for c in s.cells if not c.observation]
    assert {cell.text for cell in idle} == {""}


def test_summary_counts_what_was_observed() -> None:
    """The figures come from the observations, not from what the runner says of itself."""
    observations = [s for s in sample().observations if not is_control(s.build)]
    result = summarise_run(sample())
    counts = result.counts
    assert counts.measured == len(observations) == sum(counts.outcomes.values())
    assert result.planned == 672
    # No offer of the sample tells a client to hang up, and none of its clients is simulated.
    assert set(counts.outcomes) == set(Outcome) - {Outcome.HUNG_UP} - SIMULATED
    assert counts.disagreements == 1
    assert result.agreement == f"1 of {counts.views_compared} views compared disagree"
    assert counts.views_compared == counts.outcomes["accepted"]


def test_the_runners_closing_figures_are_the_reports() -> None:
    """What run.json says and what a report counts cannot be two stories."""
    data = sample()
    axes = asdict(data.run.axes)
    closing = closing_figures(
        Plan.from_axes(axes), data.observations, measured_now=504, seconds=10.0
    )
    counts = summarise_run(data).counts
    for figure in ("measured", "outcomes", "views_compared", "disagreements"):
        assert closing[figure] == getattr(counts, figure)
    assert closing["planned"] == summarise_run(data).planned


def test_an_accepted_cell_that_one_side_did_not_see_counts_as_unconfirmed() -> None:
    """An accepted cell without a comparison is not passed off as an agreement."""
    data = sample()
    accepted = next(s for s in data.observations if s.agree)
    blind = tuple(
        replace(s, server_saw=None, agree=None) if s is accepted else s for s in data.observations
    )
    before, after = summarise_run(data), summarise_run(replace(data, observations=blind))
    assert (after.counts.unconfirmed, before.counts.unconfirmed) == (1, 0)
    assert after.counts.views_compared == before.counts.views_compared - 1


def observation(outcome: Outcome, offer: str = "TLSv1", **more: object) -> Observation:
    """One observation with defaults for all that a test does not name."""
    base = Observation(
        f"b/s/smtp/c/{offer}", "b", "s", "sha256:0", "smtp", "c", offer, outcome=outcome
    )
    return replace(base, **more)  # type: ignore[arg-type]


def test_outcomes_can_be_told_apart_without_colour() -> None:
    """No two outcomes share a glyph or a title."""
    assert set(SIGNS) == {*Outcome, "not-measured"}
    assert len({sign.glyph for sign in SIGNS.values()}) == len(SIGNS)
    assert len({sign.title for sign in SIGNS.values()}) == len(SIGNS)


@pytest.mark.parametrize(
    ("observation", "text"),
    [
        (observation(Outcome.ACCEPTED, client_saw=TlsView("TLSv1")), "✓"),
        (observation(Outcome.ACCEPTED, "default", client_saw=TlsView("TLSv1.2")), "✓ TLSv1.2"),
        (observation(Outcome.ACCEPTED, "TLSv1..TLSv1.2", server_saw=TlsView("TLSv1")), "✓ TLSv1"),
        (observation(Outcome.ACCEPTED, "TLSv1.2", client_saw=TlsView("TLSv1")), "✓ TLSv1"),
        (observation(Outcome.ACCEPTED, client_saw=TlsView("TLSv1"), agree=False), "✓≠"),
        (observation(Outcome.REFUSED, reason="protocol-version"), "✗ version"),
        (observation(Outcome.REFUSED, reason="something-new"), "✗ something-new"),
        (observation(Outcome.REFUSED, stage=Stage.RCPT), "✗ at rcpt"),
        (observation(Outcome.REFUSED), "✗ refused"),
        (observation(Outcome.CLIENT_INCAPABLE, reason="protocol-version"), "– can't"),
        (observation(Outcome.NOT_OFFERED), "∅ no TLS"),
        (observation(Outcome.TIMEOUT), "… timeout"),
    ],
)
def test_what_a_cell_says(observation: Observation, text: str) -> None:
    """The short text names the protocol where the offer does not, and the reason of a refusal."""
    cell = build_grid(replace(sample(), observations=(observation,)))
    assert cells_of(cell)[observation.cell].text == text


def test_every_word_of_the_vocabulary_fits_a_terminal_cell() -> None:
    """Nine characters with the glyph, so that seven offers fit into 100 columns."""
    # A client that reports one of these is incapable, and its cell says so instead.
    incapable = {"version-not-built", "unknown-option"}
    shown = [reason for reason in REASONS if reason not in incapable]
    reasons = [observation(Outcome.REFUSED, reason=reason) for reason in shown]
    stages = [observation(Outcome.REFUSED, stage=stage) for stage in (Stage.RCPT, Stage.AUTH)]
    labels = [short_word(reason) for reason in reasons + stages] + [s.word for s in SIGNS.values()]
    assert [label for label in labels if len(label) > 7] == []


def test_the_sentence_spells_out_stage_reason_and_disagreement() -> None:
    """The sentence has everything that the glyph and the label stand for."""
    refused = observation(Outcome.REFUSED, stage=Stage.HANDSHAKE, reason="no-shared-cipher")
    assert describe_result(refused) == "refused at handshake: no shared cipher"
    both = observation(Outcome.ACCEPTED, client_saw=TlsView("TLSv1"), agree=False)
    assert describe_result(both) == "accepted, TLSv1 (client and server disagree)"
    assert describe_result(None, "no disk") == "not measured: no disk"


def test_a_client_that_cannot_be_told_leaves_no_gap() -> None:
    """Protects the figures: an offer that a shop was never to make is not "not measured"."""
    data = sample()
    shop, *others = data.run.axes.clients
    axes = replace(data.run.axes, unpinned=(shop,))
    kept = [cell for cell in data.observations if cell.client != shop or cell.offer == "default"]
    grid = build_grid(replace(data, run=replace(data.run, axes=axes), observations=tuple(kept)))
    empty = [cell for s in grid.scenarios for cell in s.cells if not cell.planned]
    assert {cell.column.client for cell in empty} == {shop}
    assert "default" not in {cell.column.offer for cell in empty}
    assert all(cell.observation is None and cell.why == UNPINNED for cell in empty)
    planned = len(axes.builds) * len(axes.scenarios) * len(axes.services)
    assert grid.summary.planned == planned * (1 + len(others) * len(axes.offers))
    for difference in differences(grid).values():
        assert {cell.id for cell in empty}.isdisjoint(difference.cells)
