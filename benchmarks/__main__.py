"""Measure and print: figures to standard output, progress to standard error."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from benchmarks.compare import PLACES, SCENARIO, Comparison, compare
from benchmarks.figures import Spread, ratio, table
from benchmarks.timeline import timeline
from harness.errors import ExitCode, HarnessError
from harness.run.choosing import read_scenarios
from harness.run.engine import Engine
from harness.run.events import (
    Event,
    Missing,
    Step,
)


def main(words: Sequence[str] | None = None) -> int:
    """Compare, then time one whole run; gives the exit code."""
    options = _options().parse_args(words)
    try:
        scenarios = read_scenarios(None)
        with Engine(listener=tell) as engine:
            scenario = scenarios[SCENARIO]
            compared = engine.run(compare(engine, scenario, options.rounds, options.count))
        print(rates(compared), processor(compared), sep="\n\n", flush=True)
        if not options.no_run:
            tell(Step("all cells", "one whole run; it is a warm one if no image is made in it"))
            rows = [(name, f"{at:.1f}") for name, at in timeline(scenarios)]
            print("", table(["in a whole run", "at second"], rows), sep="\n")
    except HarnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return ExitCode.OK


def tell(event: Event) -> None:
    """Progress: one line a step."""
    match event:
        case Step(name, text) | Missing(name=name, why=text) if text:
            print(f"{name}: {text}", file=sys.stderr, flush=True)


def rates(compared: Iterable[Comparison]) -> str:
    """Dialogues a second of both sides, and what part of the bare loop's speed the engine keeps."""
    head = ["client on service", "engine, cells/s", "bare, handshakes/s", "engine : bare"]
    rows = [
        [
            f"{one.client} on {one.service}",
            Spread.of(a.rate for a in one.engine).text(0),
            Spread.of(b.rate for b in one.bare).text(0),
            ratio(one.engine, one.bare).text(2),
        ]
        for one in compared
    ]
    return table(head, rows)


def processor(compared: Iterable[Comparison]) -> str:
    """Where the processor time of one dialogue goes: medians, by place."""
    head = ["processor time of one, in ms", *PLACES]
    rows = [
        [
            f"{one.client} on {one.service}, {side}",
            *(f"{Spread.of(a.cpu_each(place) for a in rounds).median:.1f}" for place in PLACES),
        ]
        for one in compared
        for side, rounds in (("engine", one.engine), ("bare", one.bare))
    ]
    return table(head, rows)


def positive(text: str) -> int:
    """A whole number above 0.

    Raises:
        ValueError: it is none; argparse reports that.
    """
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=5, help="pairs of rounds (%(default)s)")
    parser.add_argument(
        "--count", type=positive, default=200, help="dialogues a round (%(default)s)"
    )
    parser.add_argument("--no-run", action="store_true", help="leave the whole run out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
