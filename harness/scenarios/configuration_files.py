"""The further files that a configuration names: which of them are taken, and to which path. Pure.

Tables, lists and the like go with a configuration where they were given: a folder, a tar or a
container has them. Keys and certificates are never taken: the harness puts test files there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.config_input.text import decode_text
from harness.errors import FileError
from harness.postfix_config.lookup_tables import expand_references
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.scenarios.scenario import (
    FORBIDDEN_PLACES,
    OWN,
)

#: A file that is larger is passed over; it is in bytes.
MOST_FILE_BYTES = 1 << 20
#: Postfix's own folder, where nothing else is said.
CONFIG_DIRECTORY = "/etc/postfix"

#: In place of what the configuration directory is called while paths are looked for.
_MARK = f"/{OWN}"
#: A path after the start, whitespace, a comma, "=", a brace, or a table's type and its colon.
_PATH = re.compile(r"(?:(?<=[\s,={}(])|(?<=\w:)|^)(/[^\s,{}()]+)")
_SOCKET = re.compile(r"(?<![a-z])(?:unix|inet|local|fifo):$")
_SECRET = re.compile(rb"-----BEGIN (?:[A-Z0-9 ]*PRIVATE KEY|(?:TRUSTED |X509 )?CERTIFICATE)-----")
#: Postfix's own compiled tables (postmap(1)), which lie beside the text that they are made of.
_COMPILED = (".db", ".lmdb", ".cdb", ".dir", ".pag", ".dbm")
#: Values of these are of the machine: sockets, programs and folders, no files of a configuration.
_NO_FILES = re.compile(
    r".*_(?:directory|path|CApath|base|command|database|socket)|tls_random_.*|maillog_.*"
)
#: Of the environment that Postfix hands on, this alone decides TLS (openssl-env(7)).
_LIBRARY_FILE = re.compile(r"OPENSSL_CONF[ \t]*=[ \t]*(\S+)")


@dataclass(frozen=True, slots=True)
class FileFound:
    """A file that a tree has; ``data`` is at most :data:`MOST_FILE_BYTES` long."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FilePassedOver:
    """Something that a tree has at a path and that is not taken; ``why`` follows the path."""

    why: str


class FileTree(Protocol):
    """Where files of a configuration may lie. Paths are absolute, as the configuration has them."""

    def read(self, path: str) -> FileFound | FilePassedOver | None:
        """What lies at a path; None where nothing does."""


@dataclass(slots=True)
class FurtherFiles:
    """The files by the path that each is to have, as Scenario.files has them, and what to say."""

    files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def named_paths(main_cf: str, master_cf: str, directory: str | None = None) -> dict[str, str]:
    """Each file that a configuration names: the path that it is to have, and where it lies now.

    The former is ``config_directory/NAME`` where the configuration says ``$config_directory``.
    ``directory`` is what that is; None: what main.cf says, or /etc/postfix.
    """
    values = parse_main_cf(main_cf).values
    own = (directory or values.get(OWN, "")).rstrip("/") or CONFIG_DIRECTORY
    known = {**values, OWN: _MARK}
    sources: list[Mapping[str, str]] = [values]
    sources += [entry.options for entry in parse_master_cf(master_cf).entries]
    found: dict[str, str] = {}
    for settings in sources:
        for name, value in settings.items():
            if not _NO_FILES.fullmatch(name):
                if name == "import_environment":
                    value = " ".join(_LIBRARY_FILE.findall(value))
                for path in _paths(value, known):
                    inside = path.removeprefix(f"{_MARK}/")
                    if path != inside:
                        found[f"{OWN}/{inside}"] = f"{own}/{inside}"
                    else:
                        found[path] = path
    return found


def collect_files(
    main_cf: str,
    master_cf: str,
    trees: Iterable[FileTree],
    directory: str | None = None,
    is_key: Callable[[str], bool] = lambda _: False,
) -> FurtherFiles:
    """Take the files that a configuration names out of the trees; the first that has one wins.

    Args:
        main_cf: the text of main.cf, and so of ``master_cf``.
        trees: where files may lie.
        directory: as for :func:`named_paths`.
        is_key: whether a path is named for a key or a certificate, whatever lies there.
    """
    known = list(trees)
    further = FurtherFiles()
    if not known:
        return further
    left_out: list[str] = []
    for target, path in named_paths(main_cf, master_cf, directory).items():
        found, compiled = _look(path, known)
        if found is None and compiled:
            further.notes.append(f"{path}: was passed over: only its compiled table is here")
        elif isinstance(found, FilePassedOver):
            further.notes.append(f"{path}: was passed over: {found.why}")
        elif isinstance(found, FileFound) and is_key(target):
            left_out.append(path)
        elif isinstance(found, FileFound):
            _take(further, left_out, target, path, found.data)
    if left_out:
        further.notes.append(
            f"keys and certificates are not taken ({', '.join(left_out)}): "
            "test files lie at their paths"
        )
    if further.files:
        further.notes.append(f"files that it names were taken: {', '.join(further.files)}")
    return further


def _look(path: str, trees: Iterable[FileTree]) -> tuple[FileFound | FilePassedOver | None, bool]:
    """What lies at a path, and whether nothing does but a table that was compiled of it."""
    known = list(trees)
    for tree in known:
        if (found := tree.read(path)) is not None:
            return found, False
    compiled = any(tree.read(path + end) is not None for tree in known for end in _COMPILED)
    return None, compiled


def _take(further: FurtherFiles, left_out: list[str], target: str, path: str, data: bytes) -> None:
    if _SECRET.search(data):
        left_out.append(path)
        return
    if path.startswith(FORBIDDEN_PLACES):
        why = "the build's own files lie there"
    elif b"\0" in data:
        why = "it is no text"
    else:
        try:
            further.files[target], notes = decode_text(data, Path(path))
        except FileError as error:
            why = error.what
        else:
            further.notes += notes
            return
    further.notes.append(f"{path}: was passed over: {why}")


def _paths(value: str, known: Mapping[str, str]) -> list[str]:
    """The absolute paths in a value, references followed; sockets and URLs are none."""
    found: list[str] = []
    for match in _PATH.finditer(expand_references(value, known)):
        path = match[1].rstrip("/;")
        before = match.string[max(0, match.start(1) - 8) : match.start(1)]
        if (
            path
            and "$" not in path
            and not path.startswith(("//", "/dev/", "/proc/", "/sys/"))
            and not _SOCKET.search(before)
        ):
            found.append(path)
    return found
