"""What a command line names as a candidate: a scenario's id, files, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.config.candidate import read_candidate
from harness.config.claims import Claims
from harness.config.scenario import Scenario
from harness.errors import FileError, Place, UsageError
from harness.tls import Service

STDIN = "-"


def named_candidate(
    names: tuple[str, ...],
    scenarios: dict[str, Scenario],
    service: str | None,
    claims: Claims | None = None,
) -> Scenario:
    """A scenario by its id, or a candidate made of files.

    Raises:
        UsageError: neither a file nor a scenario, or a file that cannot be read.
    """
    if len(names) == 1 and names[0] in scenarios and not Path(names[0]).is_file():
        return scenarios[names[0]]
    texts = {Path(name): _text(name) for name in names or (STDIN,)}
    return read_candidate(texts, Service(service) if service else None, claims)


def _text(name: str) -> str:
    if name == STDIN:
        if sys.stdin.isatty():
            click.echo("reading lines of main.cf or master.cf; end with Ctrl-D", err=True)
        return sys.stdin.read()
    path = Path(name)
    if not path.exists():
        raise UsageError(
            f"{name} is neither a file nor a scenario",
            next_step="name a main.cf, a master.cf, or a scenario of 'postfix-matrix list'",
        )
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(Place(path), f"cannot be read: {error}") from error
