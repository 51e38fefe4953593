"""The scan beside nmap, sslscan and sslyze, on one server: ``python -m benchmarks.scan``.

Whole commands, interleaved; each also against a port where nobody listens, which is what its start
takes. What each says is accepted is compared, and each difference needs a reason: exit code 1 where
one has none. nmap and sslscan are the machine's own; sslyze is put into a virtual environment.
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

from benchmarks.__main__ import positive
from benchmarks.figures import Spread, table
from benchmarks.relay import relay
from benchmarks.scanners import Pairs, Scanner, nmap, ours, sslscan, sslyze
from harness.catalog.builds import Build
from harness.catalog.ciphers import all_ciphers
from harness.cli.progress import Display
from harness.docker_engine.session import (
    DockerSession,
    connect,
)
from harness.errors import ExitCode, HarnessError, InfrastructureError, UsageError
from harness.images import recipes
from harness.run.builders import open_builder
from harness.run.choosing import read_scenarios
from harness.targets.lab import Lab
from harness.targets.postfix import PostfixTarget
from harness.targets.sasl import start_sasl
from harness.tls import Protocol, Service

#: nmap looks for STARTTLS on the registered ports alone; on the last nobody listens.
PORTS = {Service.SMTP: 25, Service.SUBMISSION: 587, Service.SUBMISSIONS: 465}
NOBODY = 26
SSLYZE = "sslyze==6.3.1"


@dataclass(slots=True)
class Taken:
    """What a scanner took, in seconds a round, and what it said."""

    scanner: Scanner
    whole: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    out: str = ""

    @property
    def found(self) -> Pairs:
        """What it said is accepted, the last time."""
        return self.scanner.read(self.out)


def scanners(folder: Path, given: Path | None) -> list[Scanner]:
    """All of them.

    Raises:
        InfrastructureError: one is not on this machine, or sslyze cannot be had.
    """
    missing = [name for name in ("nmap", "sslscan", "openssl") if shutil.which(name) is None]
    if missing:
        raise InfrastructureError(
            f"not on this machine: {', '.join(missing)}",
            cause="the benchmark compares with them, and installs nothing into the system",
            next_step=f"apt-get install {' '.join(missing)}",
        )
    return [
        ours("--ciphers-only"),
        ours(),
        nmap(),
        sslscan(),
        sslyze(given or _install_sslyze(folder)),
    ]


def _install_sslyze(folder: Path) -> Path:
    print(f"installing {SSLYZE} into {folder}", file=sys.stderr)
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    words = [str(python), "-m", "pip", "install", "--quiet", SSLYZE]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InfrastructureError(
            f"{SSLYZE} cannot be installed: {done.stderr.strip()[-400:]}",
            cause="PyPI is not reached from here",
            next_step="install it yourself into an environment, and name its Python by --sslyze",
        )
    return python


def measure(host: str, every: Sequence[Scanner], rounds: int) -> list[Taken]:
    """Time all scanners against a host, interleaved."""
    taken = [Taken(one) for one in every]
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for one in taken:
            seconds, _ = _run(one.scanner.command(host, NOBODY))
            one.start.append(seconds)
            seconds, out = _run(one.scanner.command(host, PORTS[Service.SMTP]))
            one.whole.append(seconds)
            one.out = out
    return taken


def _run(words: Sequence[str]) -> tuple[float, str]:
    began = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return time.monotonic() - began, done.stdout


def speeds(taken: Sequence[Taken]) -> str:
    """Medians in seconds, and how many times ours; with and without what the start takes."""
    head = ["scanner", "whole command, s", "times ours", "less its start, s", "times ours", "found"]
    first = taken[0]
    rows = []
    for one in taken:
        apart = median(one.whole) - median(one.start)
        rows.append(
            [
                one.scanner.name,
                Spread.of(one.whole).text(2),
                f"{median(one.whole) / median(first.whole):.1f}",
                f"{apart:.2f}",
                f"{apart / (median(first.whole) - median(first.start)):.1f}",
                str(len(one.found)),
            ]
        )
    return table(head, rows)


def differences(found: Pairs, other: Pairs, asks: Pairs) -> tuple[list[str], list[str]]:
    """What differs between our set and another's, by name: explained (it cannot ask), and not."""
    names = {one.code: one.iana for one in all_ciphers()}
    explained: list[str] = []
    unexplained: list[str] = []
    for protocol, code in sorted(found ^ other, key=_place):
        ours_alone = (protocol, code) in found
        can_tell = ours_alone and (protocol, code) not in asks
        who = "ours alone" if ours_alone else "not ours"
        (explained if can_tell else unexplained).append(f"{protocol} {names[code]}: {who}")
    return explained, unexplained


def _place(pair: tuple[Protocol, int]) -> tuple[int, int]:
    return pair[0].rank, pair[1]


def compared(taken: Sequence[Taken]) -> tuple[list[str], bool]:
    """Lines about the sets of all, and whether each difference has its reason."""
    lines, well = [], True
    for one in taken[1:]:
        explained, unexplained = differences(taken[0].found, one.found, one.scanner.asks(one.out))
        if not explained and not unexplained:
            lines.append(f"{one.scanner.name}: the same {len(one.found)}")
        if explained:
            lines.append(f"{one.scanner.name}: {len(explained)} more are ours; {one.scanner.why}:")
            lines += [f"  {text}" for text in explained]
        if unexplained:
            well = False
            lines.append(f"{one.scanner.name}: NO REASON KNOWN for")
            lines += [f"  {text}" for text in unexplained]
    return lines, well


async def serve(
    build: str, scenario: str, every: Sequence[Scanner], rounds: int, delay: float
) -> list[Taken]:
    """Start a build's Postfix on the registered ports and measure, ``delay`` seconds away."""
    scenarios = read_scenarios(None)
    if scenario not in scenarios:
        raise UsageError(f"unknown scenario {scenario!r}")
    wanted = scenarios[scenario]
    with DockerSession(connect()) as session, Lab(session) as lab, Display(quiet=True) as display:
        shop = open_builder(session, display.show_event)
        image = shop.build(Build.parse(build))
        sasl = start_sasl(lab, shop.ensure(recipes.sasl_recipe()).id)
        loop = asyncio.get_running_loop()
        target = PostfixTarget.start(lab, build, image.id, loop)
        try:
            instance = target.start_instance(wanted, sasl, PORTS)
            if not instance.started:
                raise InfrastructureError(f"{build} does not start: {instance.words}")
            host = lab.address(target.container)
            # A harness that reads the server's log takes processor time from whoever scans it.
            target.close()
            if not delay:
                return await asyncio.to_thread(measure, host, every, rounds)
            async with relay(host, PORTS[Service.SMTP], delay) as far:
                return await asyncio.to_thread(measure, far, every, rounds)
        finally:
            target.close()


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print; gives the exit code."""
    options = _options().parse_args(words)
    try:
        with tempfile.TemporaryDirectory(prefix="postfix-matrix-sslyze-") as folder:
            every = scanners(Path(folder), options.sslyze)
            delay = options.delay / 1000
            taken = asyncio.run(
                serve(options.build, options.scenario, every, options.rounds, delay)
            )
            lines, well = compared(taken)
    except HarnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(
        f"{options.build}, {options.scenario}, {options.rounds} rounds", speeds(taken), sep="\n\n"
    )
    print("", *lines, sep="\n")
    return ExitCode.OK if well else ExitCode.DIFFERS


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.scan", description=__doc__)
    parser.add_argument("--build", default="debian-12", help="which build (%(default)s)")
    parser.add_argument("--scenario", default="defaults", help="its configuration (%(default)s)")
    parser.add_argument("--rounds", type=positive, default=5, help="of all (%(default)s)")
    parser.add_argument(
        "--delay", type=float, default=0, metavar="MS", help="of a round trip, by a relay"
    )
    parser.add_argument(
        "--sslyze", type=Path, metavar="PYTHON", help="of an environment that has sslyze already"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
