"""The scan compared with nmap, sslscan and sslyze, on one server: ``python -m benchmarks.scan``.

Whole commands are timed, interleaved; each also against a port where no server listens, which gives
the time of its start. The accepted pairs are compared, and each difference needs a reason: the exit
code is 1 where one has none. nmap and sslscan are the machine's; sslyze is installed into a virtual
environment.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.__main__ import positive_number
from benchmarks.figures import Spread, format_table
from benchmarks.relay import start_relay
from benchmarks.scanners import (
    Pairs,
    Scanner,
    nmap_scanner,
    our_scanner,
    sslscan_scanner,
    sslyze_scanner,
)
from harness.catalog.builds import Build
from harness.catalog.ciphers import all_ciphers
from harness.cli.progress import Display
from harness.docker_engine.session import (
    DockerSession,
    connect,
)
from harness.errors import ExitCode, HarnessError, InfrastructureError, UsageError
from harness.images import recipes
from harness.run.choosing import read_scenarios
from harness.run.session_builder import open_builder
from harness.targets.lab import Lab
from harness.targets.postfix import PostfixTarget
from harness.targets.sasl import start_sasl
from harness.tls import Protocol, Service

#: nmap uses STARTTLS on the registered ports only; no server listens on the last one.
PORTS = {Service.SMTP: 25, Service.SUBMISSION: 587, Service.SUBMISSIONS: 465}
CLOSED_PORT = 26
SSLYZE = "sslyze==6.3.1"


@dataclass(slots=True)
class Timing:
    """The times of a scanner, in seconds per round, and its output."""

    scanner: Scanner
    whole: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    out: str = ""

    @property
    def accepted(self) -> Pairs:
        """The accepted pairs of its last output."""
        return self.scanner.read(self.out)


def make_scanners(folder: Path, given: Path | None) -> list[Scanner]:
    """All scanners.

    Raises:
        InfrastructureError: one is not on this machine, or sslyze cannot be installed.
    """
    missing = [name for name in ("nmap", "sslscan", "openssl") if shutil.which(name) is None]
    if missing:
        raise InfrastructureError(
            f"not installed on this machine: {', '.join(missing)}",
            cause="the benchmark compares with them, and installs nothing into the system",
            next_step=f"apt-get install {' '.join(missing)}",
        )
    return [
        our_scanner("--ciphers-only"),
        our_scanner(),
        nmap_scanner(),
        sslscan_scanner(),
        sslyze_scanner(given or _install_sslyze(folder)),
    ]


def _install_sslyze(folder: Path) -> Path:
    print(f"installing {SSLYZE} into {folder}", file=sys.stderr)
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", SSLYZE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InfrastructureError(
            f"{SSLYZE} cannot be installed: {done.stderr.strip()[-400:]}",
            cause="PyPI is not reached from here",
            next_step="install it yourself into an environment, and name its Python by --sslyze",
        )
    return python


def measure_all(host: str, scanners: Sequence[Scanner], rounds: int) -> list[Timing]:
    """Time all scanners against a host, interleaved."""
    taken = [Timing(scanner) for scanner in scanners]
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for timing in taken:
            seconds, _ = _run_command(timing.scanner.command(host, CLOSED_PORT))
            timing.start.append(seconds)
            seconds, out = _run_command(timing.scanner.command(host, PORTS[Service.SMTP]))
            timing.whole.append(seconds)
            timing.out = out
    return taken


def _run_command(command: Sequence[str]) -> tuple[float, str]:
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return time.monotonic() - began, done.stdout


def speeds_table(taken: Sequence[Timing]) -> str:
    """A table of medians in seconds and in multiples of ours, with and without the start."""
    head = ["scanner", "whole command, s", "times ours", "less its start, s", "times ours", "found"]
    first = taken[0]
    rows = []
    for timing in taken:
        without_start = median(timing.whole) - median(timing.start)
        rows.append(
            [
                timing.scanner.name,
                Spread.of(timing.whole).text(2),
                f"{median(timing.whole) / median(first.whole):.1f}",
                f"{without_start:.2f}",
                f"{without_start / (median(first.whole) - median(first.start)):.1f}",
                str(len(timing.accepted)),
            ]
        )
    return format_table(head, rows)


def find_differences(ours: Pairs, other: Pairs, asks: Pairs) -> tuple[list[str], list[str]]:
    """The differences of two sets of pairs: explained (the other cannot offer them), and not."""
    names = {cipher.code: cipher.iana for cipher in all_ciphers()}
    explained: list[str] = []
    unexplained: list[str] = []
    for protocol, code in sorted(ours ^ other, key=_sort_key):
        ours_alone = (protocol, code) in ours
        has_reason = ours_alone and (protocol, code) not in asks
        who = "ours alone" if ours_alone else "not ours"
        (explained if has_reason else unexplained).append(f"{protocol} {names[code]}: {who}")
    return explained, unexplained


def _sort_key(pair: tuple[Protocol, int]) -> tuple[int, int]:
    return pair[0].rank, pair[1]


def compare_results(taken: Sequence[Timing]) -> tuple[list[str], bool]:
    """Lines on all comparisons, and whether each difference is explained."""
    lines, all_explained = [], True
    for timing in taken[1:]:
        explained, unexplained = find_differences(
            taken[0].accepted, timing.accepted, timing.scanner.asks(timing.out)
        )
        if not explained and not unexplained:
            lines.append(f"{timing.scanner.name}: the same {len(timing.accepted)}")
        if explained:
            lines.append(
                f"{timing.scanner.name}: {len(explained)} more are ours; {timing.scanner.why}:"
            )
            lines += [f"  {text}" for text in explained]
        if unexplained:
            all_explained = False
            lines.append(f"{timing.scanner.name}: NO REASON KNOWN for")
            lines += [f"  {text}" for text in unexplained]
    return lines, all_explained


async def measure_build(
    build: str, scenario: str, scanners: Sequence[Scanner], rounds: int, delay: float
) -> list[Timing]:
    """Start a build's Postfix on the registered ports and measure, ``delay`` seconds away."""
    scenarios = read_scenarios(None)
    if scenario not in scenarios:
        raise UsageError(f"unknown scenario {scenario!r}")
    configuration = scenarios[scenario]
    with DockerSession(connect()) as session, Lab(session) as lab, Display(quiet=True) as display:
        builder = open_builder(session, display.show_event)
        image = builder.build(Build.parse(build))
        sasl = start_sasl(lab, builder.ensure(recipes.sasl_recipe()).id)
        loop = asyncio.get_running_loop()
        target = PostfixTarget.start(lab, build, image.id, loop)
        try:
            instance = target.start_instance(configuration, sasl, PORTS)
            if not instance.started:
                raise InfrastructureError(f"{build} does not start: {instance.output}")
            host = lab.address(target.container)
            # Reading the server's log would take processor time from the scanners.
            target.close()
            if not delay:
                return await asyncio.to_thread(measure_all, host, scanners, rounds)
            async with start_relay(host, PORTS[Service.SMTP], delay) as far:
                return await asyncio.to_thread(measure_all, far, scanners, rounds)
        finally:
            target.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    options = _make_parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="postfix-matrix-sslyze-") as folder:
            scanners = make_scanners(Path(folder), options.sslyze)
            delay = options.delay / 1000
            taken = asyncio.run(
                measure_build(options.build, options.scenario, scanners, options.rounds, delay)
            )
            lines, all_explained = compare_results(taken)
    except HarnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(
        f"{options.build}, {options.scenario}, {options.rounds} rounds",
        speeds_table(taken),
        sep="\n\n",
    )
    print("", *lines, sep="\n")
    return ExitCode.OK if all_explained else ExitCode.DIFFERS


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.scan", description=__doc__)
    parser.add_argument("--build", default="debian-12", help="which build (%(default)s)")
    parser.add_argument("--scenario", default="defaults", help="its configuration (%(default)s)")
    parser.add_argument("--rounds", type=positive_number, default=5, help="of all (%(default)s)")
    parser.add_argument(
        "--delay", type=float, default=0, metavar="MS", help="of a round trip, by a relay"
    )
    parser.add_argument(
        "--sslyze", type=Path, metavar="PYTHON", help="of an environment that has sslyze already"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
