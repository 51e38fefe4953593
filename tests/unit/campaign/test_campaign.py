"""The campaign of bad inputs: every one is refused, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import click
import pytest

from harness.cli.main import cli
from tests.campaign.argument_bases import COMMANDS
from tests.campaign.case import CampaignCase
from tests.campaign.run_campaign import make_cases, run_case

#: The same seed gives the same cases; the night's campaign has another each day.
SEED, LEAST = 20261130, 1500
#: Of the bad files the unit tests take one of so many, and of each kind one; the night takes all.
FILES_STEP = 3
#: The cases are run in so many tests, which the workers of pytest share.
BLOCKS = 12


@cache
def list_campaign() -> list[CampaignCase]:
    """The cases, made once by each worker: the command lines, and a part of the files."""
    cases = make_cases(SEED, LEAST)
    lines = [case for case in cases if is_command_line(case)]
    return lines + pick_cases([case for case in cases if not is_command_line(case)])


def pick_cases(cases: Sequence[CampaignCase]) -> list[CampaignCase]:
    """The first case of each kind, and of the others every third."""
    first = {case.kind: case for case in reversed(cases)}
    others = [case for case in cases if first[case.kind] is not case]
    return [*first.values(), *others[::FILES_STEP]]


def is_command_line(case: CampaignCase) -> bool:
    """Whether it is a case of ``argument_inputs``, and not a file."""
    return ":badargs/" in case.id


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_bad_command_line_is_refused(block: int, tmp_path: Path) -> None:
    """Protects users from tracebacks, and from runs that a slip of theirs starts.

    Exit code, place, no traceback, nothing started, nothing left: ``tests/campaign``.
    """
    check_cases(
        [case for case in list_campaign() if is_command_line(case)][block::BLOCKS], tmp_path
    )


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_bad_file_is_refused(block: int, tmp_path: Path) -> None:
    """Protects users in the same way from what files, clients and other machines give."""
    others = [case for case in list_campaign() if not is_command_line(case)]
    check_cases(others[block::BLOCKS], tmp_path)


def check_cases(cases: Sequence[CampaignCase], tmp_path: Path) -> None:
    """All cases are right; the message has each that is wrong."""
    results = [run_case(case, tmp_path / str(index)) for index, case in enumerate(cases)]
    wrong = [str(result) for result in results if result.faults]
    assert wrong == [], "\n".join(wrong)


def test_the_campaign_has_many_inputs_of_every_kind() -> None:
    """Protects the campaign from shrinking: at least 1,500 inputs, a third of command lines."""
    cases = list_campaign()
    assert len(cases) >= LEAST
    assert sum(map(is_command_line, cases)) >= 500
    assert {case.kind for case in cases} == {case.kind for case in make_cases(SEED, LEAST)}


def test_the_same_seed_gives_the_same_inputs() -> None:
    """Protects who repeats a failure of the night: ids and command lines are those of the seed."""
    first, second = ([case.id for case in make_cases(3, LEAST)] for _ in range(2))
    assert first == second
    assert first != [case.id for case in make_cases(4, LEAST)]


def list_commands(command: click.Command, name: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The names of all commands that are no group."""
    if not isinstance(command, click.Group):
        yield name
        return
    context = click.Context(command)
    for part in command.list_commands(context):
        below = command.get_command(context, part)
        assert below is not None
        yield from list_commands(below, (*name, part))


def test_every_command_is_in_the_campaign() -> None:
    """Protects new commands: each has a right command line, whose options are then spoilt."""
    assert {base.name for base in COMMANDS} == set(list_commands(cli))


def make_wrong(arguments: list[str], codes: set[int], *mentions: str) -> CampaignCase:
    """A case in an empty folder."""
    return CampaignCase(
        "a", "a", lambda _: None, lambda _: arguments, frozenset(codes), tuple(mentions)
    )


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        (make_wrong(["list", "builds"], {4}), "exit code 0, not 4"),
        (make_wrong(["list", "nowhere"], {4}, "nobody"), "'nobody' is not named"),
        (make_wrong(["images", "list", "debian-12"], {4}), "started: socket.connect"),
        (make_wrong(["images", "key", "--references", "new"], {0}), "'work/new' is left behind"),
    ],
)
def test_the_campaign_notices(case: CampaignCase, fault: str, tmp_path: Path) -> None:
    """Protects the campaign itself: a case that is taken, starts or leaves something is wrong."""
    result = run_case(case, tmp_path / "case")
    assert fault in "; ".join(result.faults)


def test_the_campaign_runs_as_a_script() -> None:
    """Protects the night's campaign: its processes give back results, which it counts by kind."""
    code = (
        "import pickle, sys; from tests.campaign import run_campaign as c;"
        "c.make_cases = lambda seed, count: c.argument_cases(seed, 20);"
        "results = pickle.loads(pickle.dumps(c.run_part(1, 20, 0, 2)));"
        "print(*c.format_table(results), sep='\\n');"
        "sys.exit(0 if len(results) == 10 else 1)"
    )
    environment = {**os.environ, "PYTHONPATH": "."}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
