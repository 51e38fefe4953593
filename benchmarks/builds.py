"""What a cold build of images costs, beside the compilers alone: ``python -m benchmarks.builds``.

Removes the project's own images first (that is what cold means), and uses a cache of its own, so
sources are fetched anew. "The compilers alone" is the processor time of all that the build scripts
ran (configure, make, install), divided by the processors: no build of the same sources by the same
compilers takes less on this machine.
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

from benchmarks.figures import table
from harness.catalog.selectors import select
from harness.docker_engine.session import (
    DockerSession,
    connect,
)
from harness.errors import ExitCode, HarnessError
from harness.images.batch_build import (
    BuildResult,
    build_all,
    catalogue,
    with_parts,
)
from harness.images.image_builder import ImageBuilder
from harness.images.pruning import our_images, remove
from harness.paths import images_dir

PAIRS = "postfix-*+openssl-*"

#: What build.sh prints when a step has ended (images/README.md): wall and processor seconds.
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


def main(words: Sequence[str] | None = None) -> int:
    """Build cold and print the figures; gives the exit code."""
    options = _options().parse_args(words)
    try:
        cold = build_cold(options.globs or [PAIRS])
    except HarnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(shares(cold), outcomes(cold), verdict(cold), sep="\n\n")
    return ExitCode.OK


def build_cold(globs: Sequence[str]) -> Cold:
    """Remove our images, build those that the globs choose, and read the kept logs."""
    known = catalogue()
    orders = with_parts([known[name] for name in select("image", list(known), globs)])
    with DockerSession(connect()) as session, tempfile.TemporaryDirectory() as folder:
        remove(session.client, our_images(session.client), _tell)
        shop = ImageBuilder(
            session.client,
            images_dir=images_dir(),
            cache_dir=Path(folder),
            on_step=lambda name, text: _tell(f"{name}: {text}") if text else None,
            run_labels=session.labels,
        )
        began = time.monotonic()
        results = build_all(shop, orders, lambda one: _tell(f"{one.name}: {one.state}"))
        wall = time.monotonic() - began
        return Cold(wall, results, read_steps((Path(folder) / "logs").glob("*.log")))


def read_steps(logs: Iterable[Path]) -> list[Step]:
    """The steps in kept build logs."""
    return [
        Step(log.stem, found["name"], float(found["wall"]), float(found["cpu"]))
        for log in sorted(logs)
        for found in _STEP.finditer(log.read_text("utf-8", errors="replace"))
    ]


def shares(cold: Cold) -> str:
    """Processor seconds by product and step, and their share of all."""
    total = sum(step.cpu for step in cold.steps) or 1.0
    sums: defaultdict[tuple[str, str], float] = defaultdict(float)
    for step in cold.steps:
        sums[_product(step.image), step.name] += step.cpu
    rows = [
        (product, name, f"{cpu:.0f}", f"{100 * cpu / total:.1f} %")
        for (product, name), cpu in sorted(sums.items(), key=lambda row: -row[1])
    ]
    return table(["what", "step", "processor seconds", "share"], rows)


def outcomes(cold: Cold) -> str:
    """What became of each image, and after how long."""
    rows = [
        (one.name, str(one.state), f"{one.seconds:.0f}", one.error.what.split("\n")[0][:100])
        if one.error
        else (one.name, str(one.state), f"{one.seconds:.0f}", "")
        for one in cold.results
    ]
    return table(["image", "state", "after seconds", "why"], rows)


def verdict(cold: Cold) -> str:
    """The ratio of the whole to the compilers alone."""
    return (
        f"{cold.wall:.0f} s in all, {cold.compilers:.0f} s for the compilers alone on "
        f"{os.cpu_count()} processors: {cold.wall / (cold.compilers or 1.0):.2f} times"
    )


def _product(image: str) -> str:
    kinds: Mapping[str, str] = {
        "-objects-": "Postfix, shared objects",
        "-openssl-": "Postfix, a pair",
        "openssl-": "OpenSSL",
    }
    return next((title for mark, title in kinds.items() if mark in image), "other")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.builds", description=__doc__)
    parser.add_argument("globs", nargs="*", help=f"images to build (default: {PAIRS})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
