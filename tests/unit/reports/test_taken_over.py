"""What the reports say of results that earlier runs measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.observations.record import Observation, TakenOver
from harness.reports.html import render_html
from harness.reports.markdown import render_markdown
from harness.reports.table_csv import render_csv
from harness.reports.taken_over import count_taken, describe_taken, taken_data
from tests.unit.reuse_samples import CONTROL, PLAN, all_observations, observe, write_run

FIRST = TakenOver("20261128T010000Z-aaaa", "2026-11-28T01:00:00Z")
SECOND = TakenOver("20261130T124326Z-355b", "2026-11-30T12:43:26Z")
CELL = next(PLAN.cells())


def taken(origin: TakenOver, cells: int, controls: int) -> list[Observation]:
    """So many observations of one origin."""
    mark = [replace(observe(CELL), taken_over=origin)] * cells
    return mark + [replace(observe(CONTROL), taken_over=origin)] * controls


@pytest.mark.parametrize(
    ("observations", "text"),
    [
        ([observe(CELL)], ""),
        (
            taken(SECOND, 1, 0),
            "1 cell, measured by run 20261130T124326Z-355b of 2026-11-30 12:43 UTC",
        ),
        (
            taken(SECOND, 0, 2),
            "2 control cells, measured by run 20261130T124326Z-355b of 2026-11-30 12:43 UTC",
        ),
        (
            [*taken(SECOND, 3, 1), *taken(FIRST, 2, 0), observe(CELL)],
            "5 cells and 1 of controls, measured by 2 runs of 2026-11-28 01:00 to "
            "2026-11-30 12:43 UTC",
        ),
    ],
)
def test_the_sentence_says_how_many_and_from_when(
    observations: list[Observation], text: str
) -> None:
    """A reader sees at once that a result is not of this run."""
    assert describe_taken(count_taken(observations)) == text


def test_the_answers_for_programs_count_by_run() -> None:
    """The oldest run first."""
    assert taken_data([*taken(SECOND, 3, 1), *taken(FIRST, 2, 0)]) == [
        {"run": FIRST.run, "measured": FIRST.measured, "cells": 2, "controls": 0},
        {"run": SECOND.run, "measured": SECOND.measured, "cells": 3, "controls": 1},
    ]


def test_every_report_says_what_was_taken_over(tmp_path: Path) -> None:
    """And none says so of a run that measured all of its cells."""
    fresh = write_run(tmp_path / "fresh")
    marked = [replace(cell, taken_over=SECOND) for cell in all_observations()]
    after = write_run(tmp_path / "after", marked)
    for render, words in (
        (render_markdown, "Taken over: 8 cells and 3 of controls, measured by run"),
        (render_html, "<dt>taken over</dt><dd>8<small> cells, of 2026-11-30"),
        (render_csv, "20261130T124326Z-355b,2026-11-30T12:43:26Z"),
    ):
        assert words in render(after)
        assert words not in render(fresh)
        assert "Taken over" not in render(fresh)
