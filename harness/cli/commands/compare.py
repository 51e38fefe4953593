"""``postfix-matrix compare``: two runs beside each other."""

from __future__ import annotations

from pathlib import Path

import click

from harness.errors import ExitCode
from harness.observations.record import Observation
from harness.observations.run_folder import load_run
from harness.reports.labels import sentence
from harness.reports.plain_text import plain
from harness.run.run_folders import run_folder
from harness.verdicts.comparison import (
    Comparison,
    Differing,
    compare_runs,
)
from harness.verdicts.observation_diff import cipher_of


@click.command("compare")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path), required=False)
def compare_command(before: Path, after: Path | None) -> int:
    """Tell what differs between the run in BEFORE and the one in AFTER (the latest).

    Cells are compared by outcome, reason, protocol, cipher and group, verdicts by name. A cell that
    differs under one configuration and image is flaky. Exit code 1 where anything differs.
    """
    found = compare_runs(load_run(run_folder(before)), load_run(run_folder(after)))
    for line in _lines(found):
        click.echo(plain(line))
    return ExitCode.DIFFERS if found.differing or found.turned else ExitCode.OK


def _lines(found: Comparison) -> list[str]:
    lines = [line for one in found.differing for line in _differing(one)]
    lines += [f"{t.scenario} on {t.build}: {t.before}, then {t.after}" for t in found.turned]
    both = found.same + len(found.differing)
    lines.append(f"{len(found.differing)} of {both} cells differ")
    lines.append(f"{len(found.turned)} of {found.verdicts} verdicts differ")
    for cells, which in ((found.only_before, "first"), (found.only_after, "second")):
        if cells:
            lines.append(f"{len(cells)} cells are of the {which} run only, such as {cells[0]}")
    return lines


def _differing(one: Differing) -> list[str]:
    kind = "flaky" if one.flaky else "another configuration or image"
    return [
        f"{one.before.cell}: {', '.join(one.names)} ({kind})",
        f"  first:  {_said(one.before)}",
        f"  second: {_said(one.after)}",
    ]


def _said(seen: Observation) -> str:
    cipher = cipher_of(seen)
    return sentence(seen) + (f", {cipher}" if cipher else "")
