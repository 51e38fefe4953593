"""The commands of the campaign, each with a command line that is right but for what a case adds.

Every command of the program is here: ``tests/unit/campaign`` compares the two lists.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness.snapshots.snapshot_text import format_snapshot
from tests.campaign.file_bases import PLAIN_SCENARIO, RUN_FOLDER
from tests.unit.snapshots.test_snapshot_file import sample

CELL = "debian-12/defaults/smtp/openssl-1.0.2h/TLSv1"
_TOOL = """\
title = "A script"
command = ["sh", "./harden.sh"]
files = ["harden.sh"]
"""


@dataclass(frozen=True)
class CommandBase:
    """A command line by its parts: the command's name, its arguments, and options that it needs.

    ``needs_run``: a run folder ``run`` must be there.
    """

    name: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    needs_run: bool = False

    @property
    def line(self) -> list[str]:
        """The whole command line."""
        return [*self.name, *self.arguments, *self.options]


@dataclass(frozen=True)
class PathKinds:
    """Paths of :func:`write_place` that a command cannot read, or cannot write to."""

    no_folder: tuple[str, ...] = ("main.cf", "nowhere", "main.cf/x", "loop", "dangling", "fifo")
    no_file: tuple[str, ...] = ("folder", "nowhere", "main.cf/x", "loop", "dangling")
    no_output_file: tuple[str, ...] = ("folder", "main.cf/x", "loop", "fifo", "/dev/full")
    no_output_folder: tuple[str, ...] = ("main.cf", "main.cf/x", "loop", "fifo", "/dev/null")
    everywhere: tuple[str, ...] = ("", "a\0b", "n" * 300, "n/" * 2100, "/proc/nowhere/x")


PATHS = PathKinds()
_MEASURE = ("-b", "debian-12", "-c", "openssl-3.5.7", "-q")

COMMANDS = (
    CommandBase(("answer",), ("answer-1-protocols", "run"), needs_run=True),
    CommandBase(("catalog", "add"), ("postfix", "3.99.1"), ("--dry-run",)),
    CommandBase(("catalog", "list")),
    CommandBase(("check",), ("snapshot.json", "main.cf"), ("-q",)),
    CommandBase(("clients", "check"), ("openssl-3.5.7",), ("-q",)),
    CommandBase(("clients", "list")),
    CommandBase(("clients", "record"), ("openssl-3.5.7",), ("-q",)),
    CommandBase(("compare",), ("run", "run"), needs_run=True),
    CommandBase(("doctor",), (), ("--offline",)),
    CommandBase(("explain",), ("main.cf",), ("-y", *_MEASURE)),
    CommandBase(("images", "build"), ("debian-12",), ("-q",)),
    CommandBase(("images", "check"), ("registry.example/mail:7",)),
    CommandBase(("images", "key")),
    CommandBase(("images", "list")),
    CommandBase(("images", "prune"), (), ("--dry-run",)),
    CommandBase(("images", "push"), ("debian-12",), ("--registry", "127.0.0.1:9/images")),
    CommandBase(("list",)),
    CommandBase(("merge",), ("run",), ("-o", "merged"), needs_run=True),
    CommandBase(("publish",), ("run",), ("--into", "site"), needs_run=True),
    CommandBase(("record",), ("main.cf",), ("-o", "new.json", *_MEASURE)),
    CommandBase(("report",), ("run",), needs_run=True),
    CommandBase(("run",), (), ("--scenarios-dir", "scenarios", "-s", "plain", *_MEASURE)),
    CommandBase(("scan",), ("debian-12",), ("-C", "main.cf", "-q")),
    CommandBase(("show",), (CELL,), ("--run", "run"), needs_run=True),
    CommandBase(("since",), ("defaults", "run"), needs_run=True),
    CommandBase(("tool",), ("tool.toml",), _MEASURE),
    CommandBase(("verdicts",), ("run",), needs_run=True),
    CommandBase(("verify",), ("main.cf",), ("-p", "tls12-or-newer", *_MEASURE)),
)


@cache
def _snapshot_text() -> str:
    return format_snapshot(sample())


@dataclass(frozen=True)
class Place:
    """What a case's folder has; ``variables`` are of the environment."""

    has_run: bool = False
    variables: tuple[tuple[str, str], ...] = field(default=())

    def write(self, folder: Path) -> None:
        """Write the files, and set the variables, which the campaign sets back."""
        write_place(folder, has_run=self.has_run)
        os.environ.update(self.variables)


def write_place(folder: Path, *, has_run: bool) -> None:
    """The files that right command lines name, and what is neither file nor folder."""
    (folder / "main.cf").write_text("smtpd_tls_security_level = may\n")
    (folder / "harden.sh").write_text("#!/bin/sh\ntrue\n")
    (folder / "tool.toml").write_text(_TOOL)
    (folder / "snapshot.json").write_text(_snapshot_text())
    scenario = folder / "scenarios/plain"
    scenario.mkdir(parents=True)
    (scenario / "scenario.toml").write_text(PLAIN_SCENARIO)
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "fifo")
    if has_run:
        shutil.copytree(RUN_FOLDER, folder / "run")
