"""Select along one axis (builds, scenarios, services, clients, offers) with globs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from harness.errors import NothingSelectedError, UsageError, suggest_names

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
    globs = split_globs(patterns)
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


def split_globs(patterns: Iterable[str]) -> list[str]:
    """The globs of options, each of which may have several with commas between.

    A text that is empty has none.

    Raises:
        UsageError: a text has no glob, such as "," or " ": it would select everything.
    """
    globs: list[str] = []
    for text in filter(None, patterns):
        named = [word.strip() for word in text.split(",") if word.strip()]
        if not named:
            raise UsageError(
                f"{text!r} has no name and no glob",
                cause="a variable of the shell that is not set",
                next_step="give names or globs with commas between, or leave the option out",
            )
        globs += named
    return globs


def _matches_any(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _check_glob(axis: str, available: Sequence[str], glob: str) -> None:
    """Refuse a glob that matches nothing: it is most likely a mistake, and would spoil the run."""
    bare = glob.removeprefix("!")
    if any(fnmatchcase(name, bare) for name in available):
        return
    close = suggest_names(bare.replace("*", ""), available)
    raise UsageError(
        f"no {axis} matches {glob!r}" + (f": {close}" if close else ""),
        next_step=_list_hint(axis),
    )


def _list_hint(axis: str) -> str:
    command = _COMMANDS.get(axis, "list")
    return f"'postfix-matrix {command}' shows each {axis}"
