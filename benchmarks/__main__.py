"""``make bench``: measures, and prints figures on standard output, progress on standard error."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from benchmarks.compare import PLACES, SCENARIO, Comparison, compare_sides
from benchmarks.figures import Spread, format_table, rate_ratio
from benchmarks.timeline import time_run
from harness.errors import ExitCode, HarnessError
from harness.run.choosing import read_scenarios
from harness.run.engine import Engine
from harness.run.events import (
    Event,
    Missing,
    Step,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, then time one whole run; returns the exit code."""
    options = _make_parser().parse_args(arguments)
    try:
        scenarios = read_scenarios(None)
        with Engine(listener=print_progress) as engine:
            scenario = scenarios[SCENARIO]
            compared = engine.run(compare_sides(engine, scenario, options.rounds, options.count))
        print(rates_table(compared), processor_table(compared), sep="\n\n", flush=True)
        if not options.no_run:
            print_progress(
                Step("all cells", "one whole run; it is warm if no image is built in it")
            )
            rows = [(name, f"{at:.1f}") for name, at in time_run(scenarios)]
            print("", format_table(["in a whole run", "at second"], rows), sep="\n")
    except HarnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return ExitCode.OK


def print_progress(event: Event) -> None:
    """Print the progress: one line per step."""
    match event:
        case Step(name, text) | Missing(name=name, why=text) if text:
            print(f"{name}: {text}", file=sys.stderr, flush=True)


def rates_table(compared: Iterable[Comparison]) -> str:
    """A table of dialogues per second on both sides, and of their ratio."""
    head = ["client on service", "engine, cells/s", "bare, handshakes/s", "engine : bare"]
    rows = [
        [
            f"{comparison.client} on {comparison.service}",
            Spread.of(a.rate for a in comparison.engine).text(0),
            Spread.of(b.rate for b in comparison.bare).text(0),
            rate_ratio(comparison.engine, comparison.bare).text(2),
        ]
        for comparison in compared
    ]
    return format_table(head, rows)


def processor_table(compared: Iterable[Comparison]) -> str:
    """A table of the processor time of one dialogue: medians, by place."""
    head = ["processor time of one, in ms", *PLACES]
    rows = [
        [
            f"{comparison.client} on {comparison.service}, {side}",
            *(f"{Spread.of(a.cpu_each(place) for a in rounds).median:.1f}" for place in PLACES),
        ]
        for comparison in compared
        for side, rounds in (("engine", comparison.engine), ("bare", comparison.bare))
    ]
    return format_table(head, rows)


def positive_number(text: str) -> int:
    """A whole number above 0.

    Raises:
        ValueError: it is not one; argparse reports that.
    """
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "--rounds", type=positive_number, default=5, help="pairs of rounds (%(default)s)"
    )
    parser.add_argument(
        "--count", type=positive_number, default=200, help="dialogues a round (%(default)s)"
    )
    parser.add_argument("--no-run", action="store_true", help="leave the whole run out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
