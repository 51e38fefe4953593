"""What a cold build of images costs, compared with the compilers alone.

``python -m benchmarks.builds`` removes the project's images first (a cold build), and uses a new
cache, so sources are fetched again. "The compilers alone" is the processor time of all commands of
the build scripts (configure, make, install), divided by the processors: no build of the same
sources by the same compilers takes less on this machine.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import format_table
from harness.catalog.selectors import select_names
from harness.docker_engine.session import (
    DockerSession,
    connect,
)
from harness.errors import ExitCode, HarnessError
from harness.images.batch_build import (
    BuildResult,
    add_parts,
    build_all,
    list_orderables,
)
from harness.images.image_builder import ImageBuilder
from harness.images.pruning import our_images, remove_images
from harness.paths import images_dir

PAIRS = "postfix-*+openssl-*"

#: build.sh prints it at the end of a step (images/README.md): wall and processor seconds.
_STEP = re.compile(r"^step (?P<name>\S+) (?P<wall>[\d.]+) (?P<cpu>[\d.]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an image's build script; seconds of wall and of processor time."""

    image: str
    name: str
    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Cold:
    """A cold build: ``wall`` seconds in all, what became of each order, and the scripts' steps."""

    wall: float
    results: Sequence[BuildResult]
    steps: Sequence[Step]

    @property
    def compilers(self) -> float:
        """Seconds that the compilers alone would take on all processors."""
        return sum(step.cpu for step in self.steps) / (os.cpu_count() or 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build cold and print the figures; returns the exit code."""
    options = _make_parser().parse_args(arguments)
    try:
        cold = build_cold(options.globs or [PAIRS])
    except HarnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(shares_table(cold), outcomes_table(cold), total_ratio(cold), sep="\n\n")
    return ExitCode.OK


def build_cold(globs: Sequence[str]) -> Cold:
    """Remove our images, build those that the globs choose, and read the kept logs."""
    known = list_orderables()
    orders = add_parts([known[name] for name in select_names("image", list(known), globs)])
    with DockerSession(connect()) as session, tempfile.TemporaryDirectory() as folder:
        remove_images(session.client, our_images(session.client), _print_progress)
        builder = ImageBuilder(
            session.client,
            images_dir=images_dir(),
            cache_dir=Path(folder),
            on_step=lambda name, text: _print_progress(f"{name}: {text}") if text else None,
            run_labels=session.labels,
        )
        began = time.monotonic()
        results = build_all(
            builder, orders, lambda result: _print_progress(f"{result.name}: {result.state}")
        )
        wall = time.monotonic() - began
        return Cold(wall, results, read_steps((Path(folder) / "logs").glob("*.log")))


def read_steps(logs: Iterable[Path]) -> list[Step]:
    """The steps in kept build logs."""
    return [
        Step(log.stem, match["name"], float(match["wall"]), float(match["cpu"]))
        for log in sorted(logs)
        for match in _STEP.finditer(log.read_text("utf-8", errors="replace"))
    ]


def shares_table(cold: Cold) -> str:
    """A table of processor seconds by product and step, with their shares."""
    total = sum(step.cpu for step in cold.steps) or 1.0
    sums: defaultdict[tuple[str, str], float] = defaultdict(float)
    for step in cold.steps:
        sums[_product_of(step.image), step.name] += step.cpu
    rows = [
        (product, name, f"{cpu:.0f}", f"{100 * cpu / total:.1f} %")
        for (product, name), cpu in sorted(sums.items(), key=lambda row: -row[1])
    ]
    return format_table(["what", "step", "processor seconds", "share"], rows)


def outcomes_table(cold: Cold) -> str:
    """A table of the state of each image, and after how long."""
    rows = [
        (
            result.name,
            str(result.state),
            f"{result.seconds:.0f}",
            result.error.what.split("\n")[0][:100],
        )
        if result.error
        else (result.name, str(result.state), f"{result.seconds:.0f}", "")
        for result in cold.results
    ]
    return format_table(["image", "state", "after seconds", "why"], rows)


def total_ratio(cold: Cold) -> str:
    """The whole build compared with the compilers alone, as a sentence."""
    return (
        f"{cold.wall:.0f} s in all, {cold.compilers:.0f} s for the compilers alone on "
        f"{os.cpu_count()} processors: {cold.wall / (cold.compilers or 1.0):.2f} times"
    )


def _product_of(image: str) -> str:
    kinds: Mapping[str, str] = {
        "-objects-": "Postfix, shared objects",
        "-openssl-": "Postfix, a pair",
        "openssl-": "OpenSSL",
    }
    return next((title for mark, title in kinds.items() if mark in image), "other")


def _print_progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.builds", description=__doc__)
    parser.add_argument("globs", nargs="*", help=f"images to build (default: {PAIRS})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
