"""``python -m benchmarks.pytest_plugin``: what pytest costs beyond bare pytest, and beyond a run.

Two ratios, each of pairs taken in turn: the processor time of collecting scenario folders to that
of a bare pytest with as many tests; and the time of ``pytest scenarios/`` to that of
``postfix-matrix run`` with the same cells.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.paths import scenarios_dir

ROOT = Path(__file__).parents[1]
_PLUGIN = "postfix_matrix.pytest_plugin"
_COLLECTED = "debian-11,debian-12,debian-13,ubuntu-16.04"
_MEASURED = "debian-12,debian-13"
_CANDIDATES = {
    "as-it-comes": "smtpd_tls_security_level = may\n",
    "tls12": "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1\n",
    "no-rsa": "smtpd_tls_exclude_ciphers = kRSA\n",
}
#: An expectation of every cell, and no baseline beside, so that both sides measure the same.
_SCENARIO = """\
title = "{name}"
source = "a benchmark"
claim = "Something is negotiated, or nothing."
against = "{name}"

[[expect]]
protocol = ">=SSLv2"
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process took: processor time and time, in seconds; and what it printed."""

    cpu: float
    seconds: float
    output: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both ratios with their pairs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pytest_plugin")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of each ratio")
    parser.add_argument("--only", choices=("collect", "measure"), help="one of the two ratios")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        if options.only != "measure":
            print(compare_collection(folder, options.rounds), flush=True)
        if options.only != "collect":
            print(compare_measuring(folder, options.rounds), flush=True)
    return 0


def compare_collection(folder: Path, rounds: int) -> str:
    """The ratio of processor times, scenarios to bare."""
    scenarios = ("--collect-only", "-q", "--postfix-builds", _COLLECTED, str(scenarios_dir()))
    count = _count_tests(run_pytest(folder, *scenarios).output)
    bare = folder / "test_bare.py"
    bare.write_text(
        f"import pytest\n@pytest.mark.parametrize('n', range({count}))\ndef test_a(n): pass\n"
    )
    pairs = []
    for _ in range(rounds):
        plugin = run_pytest(folder, *scenarios).cpu
        pairs.append((plugin, run_pytest(folder, "--collect-only", "-q", str(bare)).cpu))
    return _describe_pairs(f"collecting {count} tests, CPU s: scenarios, bare", pairs)


def compare_measuring(folder: Path, rounds: int) -> str:
    """The ratio of times, ``pytest scenarios/`` to ``postfix-matrix run``."""
    root = folder / "scenarios"
    for name, main_cf in _CANDIDATES.items():
        (root / name).mkdir(parents=True)
        (root / name / "scenario.toml").write_text(_SCENARIO.format(name=name))
        (root / name / "main.cf").write_text(main_cf)
    pairs, cells = [], set()
    for number in range(rounds):
        runs = folder / f"runs-{number}"
        plugin = run_pytest(
            folder, str(root), "-q", "--postfix-builds", _MEASURED, "--postfix-runs", str(runs)
        )
        command = ("run", "-q", "--scenarios-dir", str(root), "-b", _MEASURED, "--runs", str(runs))
        matrix = run_process(folder, "-m", "harness.cli", *command)
        pairs.append((plugin.seconds, matrix.seconds))
        cells |= {_count_cells(path) for path in runs.glob("2*/run.json")}
    title = f"measuring {' or '.join(map(str, cells))} cells, s: pytest, run"
    return _describe_pairs(title, pairs)


def run_pytest(folder: Path, *arguments: str) -> Usage:
    """Run pytest with the plugin."""
    is_installed = any(e.value == _PLUGIN for e in entry_points(group="pytest11"))
    loading = () if is_installed else ("-p", _PLUGIN)
    return run_process(folder, "-m", "pytest", *loading, *arguments)


def run_process(folder: Path, *arguments: str) -> Usage:
    """Run Python with arguments in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        end = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}:\n{end}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Usage(cpu, seconds, done.stdout)


def _count_tests(output: str) -> int:
    match = re.search(r"(\d+) tests collected", output)
    assert match is not None, output
    return int(match[1])


def _count_cells(path: Path) -> int:
    return int(json.loads(path.read_text())["summary"]["measured"])


def _describe_pairs(title: str, pairs: Sequence[tuple[float, float]]) -> str:
    listed = "  ".join(f"{first:.2f}/{second:.2f}" for first, second in pairs)
    ratio = statistics.median(first / second for first, second in pairs)
    return f"{title}: {listed}  median ratio {ratio:.2f}"


if __name__ == "__main__":
    sys.exit(main())
