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
#: What a folder of a configuration has.
CONFIG_FILES = ("main.cf", "master.cf")


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


def config_candidate(names: tuple[str, ...], service: str | None) -> Scenario:
    """A candidate made of files, and of folders that have a main.cf, a master.cf or both.

    Raises:
        UsageError: a name that is neither, a folder without them, or a file that cannot be read.
    """
    files = tuple(file for name in names for file in _files(name))
    return named_candidate(files, {}, service)


def _files(name: str) -> tuple[str, ...]:
    folder = Path(name)
    if not folder.is_dir():
        return (name,)
    found = tuple(str(folder / file) for file in CONFIG_FILES if (folder / file).is_file())
    if not found:
        raise UsageError(
            f"{name} has neither a main.cf nor a master.cf",
            next_step="name a folder such as /etc/postfix, or the files themselves",
        )
    return found


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
