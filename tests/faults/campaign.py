"""The fault campaign: ``python -m tests.faults.campaign --seed 1 --runs 20``.

Each run measures a small matrix on the Docker engine. While it does, faults are injected at random;
then it is resumed without faults, and what must hold is checked. See docs/faults.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import docker

from harness.catalog.cells import is_control
from harness.observations.run_folder import load_run
from tests.faults.clock import clock_environment
from tests.faults.invariants import (
    CLI,
    Result,
    find_closed_folder,
    find_double_lines,
    find_leftovers,
    find_lost_cells,
    find_wrong_results,
    plan_cells,
    results_of,
)
from tests.faults.kinds import KINDS, WEIGHTS, RunUnderTest
from tests.faults.processes import list_containers
from tests.faults.second_engine import SecondEngine

#: What is measured; a few hundred cells, with mail that is sent, a login, and a Dovecot.
SELECTION = (
    *("-b", "debian-12", "-s", "defaults", "-s", "answer-1-whole"),
    *("-c", "openssl-1.0.2h,aiosmtplib-debian12", "-S", "smtp,submission,submissions"),
)
#: The mean of the seconds between two faults.
MEAN_PAUSE = 1.0
#: Seconds that a run, or a resumed one, may take.
LONGEST_RUN = 420.0
#: The size of the file system of a run that may become full.
ROOM = "24m"


@dataclass(slots=True)
class RunReport:
    """One run: the faults that were injected, and the rules that were broken."""

    seed: int
    faults: list[tuple[str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    folder: str = ""
    seconds: float = 0.0


class Campaign:
    """Runs with faults, one after another."""

    def __init__(self, place: Path, kinds: Sequence[str], engine: SecondEngine | None) -> None:
        self._place = place
        self._kinds = kinds
        self._engine = engine
        self.client = engine.connect() if engine else docker.from_env()
        self._sessions: set[str] = set()

    def measure_quiet(self) -> dict[str, Result]:
        """The results without faults; of an earlier campaign at the same place, if there is one."""
        known = self._place / "quiet" / "latest"
        if known.exists() and load_run(known).run.finished is not None:
            return results_of(known)
        process = self._start(self._place / "quiet", None, ())
        code = process.wait(LONGEST_RUN)
        if code != 0:
            raise SystemExit(f"the run without faults ends with {code}")
        return results_of(self._place / "quiet" / "latest")

    def make_run(self, seed: int, most: int, quiet: dict[str, Result]) -> RunReport:
        """One run with up to ``most`` faults; then it is resumed, and checked."""
        report = RunReport(seed)
        draw = random.Random(seed)
        began = time.monotonic()
        with self._open_runs(seed, report) as (runs, room, clock):
            process = self._start(runs, clock, ())
            if self._await_first_cell(process, runs):
                folder = (runs / "latest").resolve()
                report.folder = folder.name
                run = RunUnderTest(
                    self.client, folder.name, process, folder, draw, room, clock,
                    self._engine.restart if self._engine else None,
                )  # fmt: skip
                self._inject(run, report, most)
                run.finish()
            self._finish(process, report, "the run")
            self._check(runs, report, quiet)
        report.seconds = round(time.monotonic() - began, 1)
        return report

    def _inject(self, run: RunUnderTest, report: RunReport, most: int) -> None:
        weights = [WEIGHTS.get(kind, 1.0) for kind in self._kinds]
        while len(report.faults) < most and run.process.poll() is None:
            time.sleep(run.draw.expovariate(1 / MEAN_PAUSE))
            if run.process.poll() is not None:
                break
            kind = run.draw.choices(self._kinds, weights)[0]
            if what := KINDS[kind](run):
                report.faults.append((kind, what))
                print(f"  {report.seed}: {kind}: {what}", flush=True)

    def _check(self, runs: Path, report: RunReport, quiet: dict[str, Result]) -> None:
        if not (runs / "latest" / "run.json").exists():
            return
        folder = (runs / "latest").resolve()
        broken = [*find_closed_folder(folder), *find_double_lines(folder)]
        data = load_run(folder)
        planned = set(plan_cells(data))
        quiet = {name: quiet[name] for name in quiet if name in planned or is_control(name)}
        broken += [*find_wrong_results(data, quiet), *find_lost_cells(data, quiet)]
        self._sessions.add(folder.name)
        resumed = self._start(runs, None, ("--resume", str(folder)))
        self._finish(resumed, report, "the resumed run")
        data = load_run(folder)
        lost = planned - {cell.cell for cell in data.observations}
        broken += [f"{cell} is not there after --resume" for cell in sorted(lost)]
        broken += [*find_double_lines(folder), *find_wrong_results(data, quiet)]
        broken += [*find_closed_folder(folder), *find_leftovers(self.client, self._sessions)]
        report.violations += dict.fromkeys(broken)

    def _start(
        self, runs: Path, clock: Path | None, resume: Sequence[str]
    ) -> subprocess.Popen[bytes]:
        runs.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **(self._engine.environment if self._engine else {})}
        environment |= clock_environment(clock) if clock else {}
        words = ("run", "-q", "--runs", str(runs), *(resume or SELECTION))
        with (runs / "stderr.txt").open("ab") as errors:
            return subprocess.Popen(
                [*CLI, *words], env=environment, stdout=subprocess.DEVNULL, stderr=errors,
                preexec_fn=_hear_signals,
            )  # fmt: skip

    def _await_first_cell(self, process: subprocess.Popen[bytes], runs: Path) -> bool:
        """Whether a run has containers before it ends."""
        while process.poll() is None:
            latest = runs / "latest"
            if latest.exists() and len(list_containers(self.client, latest.resolve().name)) > 2:
                return True
            time.sleep(0.1)
        return False

    def _finish(self, process: subprocess.Popen[bytes], report: RunReport, what: str) -> None:
        try:
            report.codes.append(process.wait(LONGEST_RUN))
        except subprocess.TimeoutExpired:
            report.violations.append(f"{what} does not end in {LONGEST_RUN:g} s")
            process.kill()
            process.wait()

    @contextmanager
    def _open_runs(
        self, seed: int, report: RunReport
    ) -> Iterator[tuple[Path, Path | None, Path | None]]:
        """The folder of a run's runs, on a small file system where that is possible."""
        runs = self._place / f"run-{seed}"
        runs.mkdir(parents=True, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(runs)]
        is_small = (
            "run folder full" in self._kinds and subprocess.run(mount, check=False).returncode == 0
        )
        clock = None
        if "clock jumps" in self._kinds:
            clock = self._place / f"clock-{seed}"
            clock.write_text("+0")
        try:
            yield runs, runs if is_small else None, clock
            if report.violations:
                kept = self._place / f"kept-{seed}"
                subprocess.run(["cp", "-a", str(runs), str(kept)], check=False)
        finally:
            if is_small:
                subprocess.run(["umount", "-l", str(runs)], check=False)


def _hear_signals() -> None:
    """A shell's background jobs pass an ignored SIGINT on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> int:
    """Make the runs, print and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; then one more")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--faults", type=int, default=15, help="of a run, at most")
    parser.add_argument("--seconds", type=float, default=1e9, help="after these no run begins")
    parser.add_argument("--kinds", default="", help="names with commas between; all if not given")
    parser.add_argument("--second-engine", action="store_true", help="start one, and restart it")
    parser.add_argument("--place", type=Path, default=None, help="where the runs are")
    parser.add_argument("--report", type=Path, default=None, help="a JSON file that lines go into")
    options = parser.parse_args()
    place = options.place or Path(tempfile.mkdtemp(prefix="faults-"))
    kinds = [kind.strip() for kind in options.kinds.split(",") if kind.strip()] or list(KINDS)
    engine = SecondEngine(place) if options.second_engine else None
    began = time.monotonic()
    reports: list[RunReport] = []
    try:
        if engine:
            engine.start()
        campaign = Campaign(place, kinds, engine)
        quiet = campaign.measure_quiet()
        print(f"{len(quiet)} cells without faults", flush=True)
        for seed in range(options.seed, options.seed + options.runs):
            if time.monotonic() - began > options.seconds:
                break
            reports.append(report := campaign.make_run(seed, options.faults, quiet))
            line = json.dumps(asdict(report))
            if options.report:
                with options.report.open("a") as file:
                    file.write(line + "\n")
            print(line, flush=True)
    finally:
        if engine:
            engine.stop()
    counts = Counter(kind for report in reports for kind, _ in report.faults)
    broken = sum(len(report.violations) for report in reports)
    for kind, count in counts.most_common():
        print(f"{count:5} {kind}")
    print(f"{counts.total()} faults in {len(reports)} runs, {broken} rules broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
