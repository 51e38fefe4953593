"""The benchmark's own arithmetic; no test here, nor anywhere, asserts how fast something is."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import positive_number, processor_table, rates_table
from benchmarks.compare import Comparison
from benchmarks.figures import Round, Spread, find_milestones, format_table, rate_ratio
from harness.observations.record import Observation, Outcome
from harness.run.events import (
    Event,
    Missing,
    Planned,
    Seen,
    Step,
)
from harness.tls import Service


def a_round(done: int, seconds: float) -> Round:
    """A round in which each place used a tenth of a second for every second, "other" two."""
    used = seconds / 10
    return Round(
        done, seconds, {"harness": used, "client": used, "server": used, "other": 2 * used}
    )


def seen_event(build: str) -> Seen:
    """An event that a cell, or a control's, was measured."""
    return Seen(
        Observation(
            cell=f"{build}/defaults/smtp/openssl-1.0.2h/TLSv1.2",
            build=build,
            scenario="defaults",
            config="sha256:0",
            service="smtp",
            client="openssl-1.0.2h",
            offer="TLSv1.2",
            outcome=Outcome.ACCEPTED,
        )
    )


def test_a_round_counts_dialogues_a_second_and_milliseconds_each() -> None:
    """Protects the units: a factor of 1000 or an inverted rate would go into the documentation."""
    milestone = a_round(50, 0.5)
    assert milestone.rate == 100
    assert milestone.cpu_each("client") == pytest.approx(1.0)


def test_a_spread_is_the_median_between_its_extremes() -> None:
    """Protects against a mean in the median's place: one slow round must not move the figure."""
    assert Spread.of([10.0, 1.0, 2.0]).text(1) == "2.0 (1.0–10.0)"


def test_no_rounds_have_no_median() -> None:
    """Protects against a figure that nothing was measured for."""
    with pytest.raises(ValueError, match="no round was measured"):
        Spread.of([])


def test_the_ratio_is_taken_pair_by_pair() -> None:
    """Protects the comparison from the machine's moods: both sides of a pair had the same one.

    The ratio of the medians would be 1 here, while the engine kept half the speed in most pairs.
    """
    engine = [a_round(100, 1.0), a_round(100, 2.0), a_round(100, 4.0)]
    bare = [a_round(100, 2.0), a_round(100, 1.0), a_round(100, 2.0)]
    assert rate_ratio(engine, bare) == Spread(0.5, 0.5, 2.0)


def test_a_round_without_its_pair_is_an_error() -> None:
    """Protects against a ratio that silently leaves measured rounds out."""
    with pytest.raises(ValueError, match="zip"):
        rate_ratio([a_round(1, 1.0)], [])


def test_a_table_lines_up_and_is_markdown() -> None:
    """Protects the output's two readers: the terminal, and docs/benchmarks.md it is copied to."""
    assert format_table(["name", "n"], [["a", "10.5"], ["longer", "2"]]).splitlines() == [
        "| name   |    n |",
        "| ------ | ---: |",
        "| a      | 10.5 |",
        "| longer |    2 |",
    ]


def test_both_sides_get_their_own_figures() -> None:
    """Protects the columns: engine and bare loop swapped would turn the finding round."""
    compared = [Comparison("openssl-1.0.2h", Service.SMTP, [a_round(50, 1.0)], [a_round(100, 1.0)])]
    *_, row = rates_table(compared).splitlines()
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "openssl-1.0.2h on smtp", "50 (50–50)", "100 (100–100)", "0.50 (0.50–0.50)",
    ]  # fmt: skip
    *_, engine, bare = processor_table(compared).splitlines()
    assert engine.split("|")[1:-1] == [
        " openssl-1.0.2h on smtp, engine ", "     2.0 ", "    2.0 ", "    2.0 ", "   4.0 ",
    ]  # fmt: skip
    assert "bare" in bare
    assert "1.0" in bare


def test_milestones_are_the_first_and_last_of_each_kind_in_order() -> None:
    """Protects the timeline: controls are no cells, instances no containers, and images neither."""
    events: list[tuple[float, Event]] = [
        (0.0, Planned(2, 0)),
        (0.1, Step("debian-12", "built in 3 s")),
        (0.2, Step("debian-12", "starting Postfix")),
        (1.0, Step("debian-12", "starting an instance with defaults")),
        (1.5, seen_event("control-openssl-3.5")),
        (2.0, seen_event("debian-12")),
        (2.5, Missing("debian-13", "build", "no room")),
        (3.0, seen_event("debian-12")),
    ]
    assert find_milestones(events) == [
        ("first container started", 0.2),
        ("last container started (of 1)", 0.2),
        ("first instance started", 1.0),
        ("last instance started (of 1)", 1.0),
        ("first control measured", 1.5),
        ("last control measured (of 1)", 1.5),
        ("first cell measured", 2.0),
        ("last cell measured (of 2)", 3.0),
    ]


@pytest.mark.parametrize("text", ["0", "-3", "many"])
def test_rounds_and_counts_are_above_zero(text: str) -> None:
    """Protects against a division by no dialogues at all."""
    with pytest.raises(ValueError, match=text):
        positive_number(text)
