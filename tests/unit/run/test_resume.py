"""Going on with a run that was made from the user's own sources or images."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalog.builds import NO_ADDITIONS, UserAdditions
from harness.catalog.releases import Release, Source, SourceKind
from harness.cli.commands.run import _check_additions
from harness.errors import UsageError
from harness.observations.run_folder import RunData
from harness.observations.run_json import Axes, RunRecord

_SOURCE = Source(SourceKind.LOCAL, "a" * 64, 0, "x", path="/x", origin="/home/me/x")
_MINE = UserAdditions(
    {"postfix-3.1.0": Release("postfix", "3.1.0", None, (_SOURCE,))}, {"ours": "ours:1"}
)


def _run(*words: str) -> RunData:
    run = RunRecord(
        "20261123", "2026-11-23T00:00:00Z", Axes(), command=("postfix-matrix", "run", *words)
    )
    return RunData(Path("runs/x"), run, ())


@pytest.mark.parametrize(
    "words",
    [
        ("--source", "postfix-3.1.0=/home/me/x", "--image", "ours=ours:1"),
        ("--image=ours=ours:1", "--source=postfix-3.1.0=/home/me/x", "-q"),
    ],
)
def test_a_run_goes_on_with_what_it_began_with(words: tuple[str, ...]) -> None:
    """Otherwise the catalog's release would go on in the place of a user's, without its mark."""
    _check_additions(_run(*words), _MINE)
    with pytest.raises(UsageError, match=r"was started with --source postfix-3\.1\.0") as caught:
        _check_additions(_run(*words), NO_ADDITIONS)
    assert " ".join(words) in caught.value.next_step


def test_nothing_is_added_to_a_run_half_way() -> None:
    """A run of the catalog's releases stays one."""
    _check_additions(_run("-b", "debian-12"), NO_ADDITIONS)
    with pytest.raises(UsageError, match="started with --source not given"):
        _check_additions(_run("-b", "debian-12"), _MINE)
