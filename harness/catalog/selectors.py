"""Select along one axis (builds, scenarios, services, clients, offers) with globs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from harness.errors import NothingSelectedError, UsageError

#: The commands that list what ``list`` does not.
_COMMANDS = {"image": "images list", "release": "catalog list"}


def select_names(axis: str, available: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """The names that the patterns select, in the order of ``available``.

    Each pattern is one or several globs separated by commas; ``!glob`` excludes. If no glob
    includes, the selection starts with all names.

    Args:
        axis: what is selected, in the singular, for messages: "build".
        available: the names to select from.
        patterns: the user's patterns, one per option given; empty for all.

    Raises:
        UsageError: a pattern matches no available name.
        NothingSelectedError: each pattern matches something, but all names are excluded.
    """
    globs = [glob.strip() for text in patterns for glob in text.split(",") if glob.strip()]
    for glob in globs:
        _check_glob(axis, available, glob)
    included = [glob for glob in globs if not glob.startswith("!")] or ["*"]
    excluded = [glob[1:] for glob in globs if glob.startswith("!")]
    chosen = tuple(
        name
        for name in available
        if _matches_any(name, included) and not _matches_any(name, excluded)
    )
    if not chosen:
        raise NothingSelectedError(
            f"no {axis} is left by {','.join(globs) or 'an empty list'}",
            cause=f"all of them are excluded: {', '.join(available) or 'there are none'}",
            next_step=f"leave out one of the !patterns; {_list_hint(axis)}",
        )
    return chosen


def _matches_any(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _check_glob(axis: str, available: Sequence[str], glob: str) -> None:
    """Refuse a glob that matches nothing: it is most likely a mistake, and would spoil the run."""
    bare = glob.removeprefix("!")
    if any(fnmatchcase(name, bare) for name in available):
        return
    close = difflib.get_close_matches(bare.replace("*", ""), available, n=3, cutoff=0.5)
    raise UsageError(
        f"no {axis} matches {glob!r}",
        cause=f"close to it: {', '.join(close)}" if close else "",
        next_step=_list_hint(axis),
    )


def _list_hint(axis: str) -> str:
    command = _COMMANDS.get(axis, "list")
    return f"'postfix-matrix {command}' shows each {axis}"
