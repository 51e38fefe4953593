"""Choosing along one axis (builds, scenarios, services, clients, offers) with globs. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from harness.errors import NothingSelectedError, UsageError


def select(axis: str, available: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """The names that the patterns choose, in the order of ``available``.

    Each pattern is one or several globs with commas between; ``!glob`` takes away. With no glob
    that adds, all are there to begin with.

    Args:
        axis: what is chosen, in the singular, for messages: "build".
        available: the names there are.
        patterns: what the user wrote, one element an option given; empty for all.

    Raises:
        UsageError: a pattern matches nothing that is available.
        NothingSelectedError: each pattern matches something, and nothing is left.
    """
    globs = [glob.strip() for text in patterns for glob in text.split(",") if glob.strip()]
    for glob in globs:
        _check(axis, available, glob)
    wanted = [glob for glob in globs if not glob.startswith("!")] or ["*"]
    unwanted = [glob[1:] for glob in globs if glob.startswith("!")]
    chosen = tuple(
        name for name in available if _matches(name, wanted) and not _matches(name, unwanted)
    )
    if not chosen:
        raise NothingSelectedError(
            f"no {axis} is left by {','.join(globs) or 'an empty list'}",
            cause=f"all of them are excluded: {', '.join(available) or 'there are none'}",
            next_step=f"leave out one of the !patterns; {_listing(axis)}",
        )
    return chosen


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _check(axis: str, available: Sequence[str], glob: str) -> None:
    """Refuse a glob that matches nothing: most likely a slip, and its silence would cost a run."""
    bare = glob.removeprefix("!")
    if any(fnmatchcase(name, bare) for name in available):
        return
    close = difflib.get_close_matches(bare.replace("*", ""), available, n=3, cutoff=0.5)
    raise UsageError(
        f"no {axis} matches {glob!r}",
        cause=f"close to it: {', '.join(close)}" if close else "",
        next_step=_listing(axis),
    )


def _listing(axis: str) -> str:
    command = "images list" if axis == "image" else "list"
    return f"'postfix-matrix {command}' shows each {axis} there is"
