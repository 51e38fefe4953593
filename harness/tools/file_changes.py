"""What a tool changed in a container's files: unified diffs, and what a second run changed.

A file is compared by its content, kind, mode and owner, and never by its time.
"""

from __future__ import annotations

import difflib
import re
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

#: Lines of one file's diff that are kept.
MOST_DIFF_LINES = 400
#: A larger file is not compared line by line; in bytes.
MOST_TEXT_BYTES = 256 << 10
#: Places that programs write to while they run, which are no part of a configuration.
_PASSING = re.compile(
    r"/(?:tmp|run|proc|sys|dev|var/tmp|var/run|var/log|var/cache|var/lib/apt|var/lock"
    r"|var/lib/systemd|root/\.ansible|root/\.cache|root/\.puppetlabs|var/lib/puppet|var/lib/pcp"
    r"|var/lib/postfix|var/spool/postfix|postfix-matrix-tool|etc/\.pwd\.lock)(?:/|$)"
    r"|.*/__pycache__(?:/|$)|.*\.py[co]$|.*/dpkg/.*-old$|/etc/(?:mtab|hosts|hostname|resolv\.conf)$"
    r"|(?:/usr)?/sbin/docker-init$"
)
#: Compiled tables (postmap(1)): compiling the same text again can give other bytes.
_COMPILED = re.compile(r".*\.(?:db|lmdb|cdb|dir|pag|dbm)$")


class FileKindOf(StrEnum):
    """What lies at a path."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class PathState:
    """What lies at a path: its permissions, its owner, and a file's bytes or a link's target."""

    kind: FileKindOf
    mode: int
    uid: int = 0
    gid: int = 0
    data: bytes = b""

    @property
    def permissions(self) -> str:
        """``0644 root``-like: mode, numeric owner and group."""
        return f"{stat.S_IMODE(self.mode):04o} {self.uid}:{self.gid}"

    @property
    def is_text(self) -> bool:
        """Whether it is compared line by line."""
        return (
            self.kind is FileKindOf.FILE
            and b"\0" not in self.data
            and len(self.data) <= MOST_TEXT_BYTES
        )


class ChangeKind(StrEnum):
    """What became of a path."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class FileChange:
    """A path that differs. ``diff`` are the lines of a unified diff, () for what is no text.

    ``modes`` is "0644 0:0, now 0600 0:0" where mode or owner differ, else "".
    """

    path: str
    kind: ChangeKind
    diff: tuple[str, ...] = ()
    modes: str = ""
    note: str = ""


def is_passing(path: str) -> bool:
    """Whether a path is where programs leave what is no part of a configuration."""
    return _PASSING.match(path) is not None


def is_compiled_table(path: str) -> bool:
    """Whether a path is that of a compiled table."""
    return _COMPILED.match(path) is not None


def compare_files(
    before: Mapping[str, PathState], after: Mapping[str, PathState]
) -> tuple[FileChange, ...]:
    """The changes, sorted by path; folders count only by their mode and owner."""
    changes = (
        _compare_path(path, before.get(path), after.get(path)) for path in sorted({*before, *after})
    )
    return tuple(change for change in changes if change is not None)


def add_untouched(
    states: Mapping[str, PathState], changed: Collection[str], originals: Mapping[str, PathState]
) -> dict[str, PathState]:
    """The states after a run, with those of paths that it left as the image has them.

    Args:
        states: what lay after the run at the paths that it changed.
        changed: these paths, also those that it removed, which have no state.
        originals: what the image has, also at other paths.
    """
    untouched = {path: state for path, state in originals.items() if path not in changed}
    return {**untouched, **states}


def without_compiled(changes: Iterable[FileChange]) -> tuple[FileChange, ...]:
    """The changes without compiled tables."""
    return tuple(change for change in changes if not is_compiled_table(change.path))


def _compare_path(path: str, old: PathState | None, new: PathState | None) -> FileChange | None:
    if old == new:
        return None
    if old is None:
        assert new is not None
        if new.kind is FileKindOf.FOLDER:
            return FileChange(path, ChangeKind.ADDED, note="a folder")
        return FileChange(path, ChangeKind.ADDED, _diff_lines(path, None, new), note=_note_of(new))
    if new is None:
        if old.kind is FileKindOf.FOLDER:
            return FileChange(path, ChangeKind.REMOVED, note="a folder")
        lines = _diff_lines(path, old, None)
        return FileChange(path, ChangeKind.REMOVED, lines, note=_note_of(old))
    modes = ""
    if old.permissions != new.permissions:
        modes = f"{old.permissions}, now {new.permissions}"
    note = "" if old.kind is new.kind else f"a {old.kind}, now a {new.kind}"
    lines = _diff_lines(path, old, new)
    if not lines and not note and old.data != new.data:
        note = "its bytes differ"
    return FileChange(path, ChangeKind.CHANGED, lines, modes, note)


def _note_of(state: PathState) -> str:
    if state.kind is FileKindOf.LINK:
        return f"a link to {state.data.decode('utf-8', 'replace')}"
    return "" if state.is_text else f"no text, {len(state.data)} bytes"


def _diff_lines(path: str, old: PathState | None, new: PathState | None) -> tuple[str, ...]:
    """A unified diff with three lines of context, cut after :data:`MOST_DIFF_LINES`."""
    if any(state is not None and not state.is_text for state in (old, new)):
        return ()
    lines = list(
        difflib.unified_diff(
            _text_lines(old),
            _text_lines(new),
            "/dev/null" if old is None else f"before{path}",
            "/dev/null" if new is None else f"after{path}",
            lineterm="",
        )
    )
    if len(lines) > MOST_DIFF_LINES:
        more = len(lines) - MOST_DIFF_LINES
        lines = [*lines[:MOST_DIFF_LINES], f"... and {more} more lines"]
    return tuple(lines)


def _text_lines(state: PathState | None) -> list[str]:
    return [] if state is None else state.data.decode("utf-8", "replace").splitlines()
