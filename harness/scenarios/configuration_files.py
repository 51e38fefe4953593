"""The further files that a configuration names: which of them are used, and at which path.

Tables, lists and similar files are used if they were given together with the configuration, in a
folder, a tar archive or a container. Keys and certificates never are: the harness puts test files
at their paths.
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
    CONFIG_DIRECTORY,
    FORBIDDEN_PLACES,
)

#: A larger file is skipped; in bytes.
MOST_FILE_BYTES = 1 << 20
#: Postfix's default config_directory.
DEFAULT_CONFIG_DIRECTORY = "/etc/postfix"

#: Stands for the configuration directory while paths are extracted.
_MARK = f"/{CONFIG_DIRECTORY}"
#: A path after the start, whitespace, a comma, "=", a brace, or a table's type and its colon.
_PATH = re.compile(r"(?:(?<=[\s,={}(])|(?<=\w:)|^)(/[^\s,{}()]+)")
_SOCKET = re.compile(r"(?<![a-z])(?:unix|inet|local|fifo):$")
_SECRET = re.compile(rb"-----BEGIN (?:[A-Z0-9 ]*PRIVATE KEY|(?:TRUSTED |X509 )?CERTIFICATE)-----")
#: Suffixes of compiled tables (postmap(1)), which are in the folder of their source text.
_COMPILED = (".db", ".lmdb", ".cdb", ".dir", ".pag", ".dbm")
#: Parameters whose values are sockets, programs and folders of the machine, not files to use.
_NO_FILES = re.compile(
    r".*_(?:directory|path|CApath|base|command|database|socket)|tls_random_.*|maillog_.*"
)
#: The only variable of the environment that Postfix passes on that affects TLS (openssl-env(7)).
_LIBRARY_FILE = re.compile(r"OPENSSL_CONF[ \t]*=[ \t]*(\S+)")


@dataclass(frozen=True, slots=True)
class FileFound:
    """A file that a tree has; ``data`` is at most :data:`MOST_FILE_BYTES` long."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FilePassedOver:
    """Something at a path of a tree that is not used; ``why`` follows the path in messages."""

    why: str


class FileTree(Protocol):
    """A source of a configuration's files. Paths are absolute, as in the configuration."""

    def read(self, path: str) -> FileFound | FilePassedOver | None:
        """The content at a path; None if there is nothing."""


@dataclass(slots=True)
class FurtherFiles:
    """The files by their target path, in the form of Scenario.files, and notes about them."""

    files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def named_paths(main_cf: str, master_cf: str, directory: str | None = None) -> dict[str, str]:
    """Each file that a configuration names: its target path, and its present path.

    The target is ``config_directory/NAME`` where the configuration uses ``$config_directory``.
    ``directory`` is the value of that; None: main.cf's value, or /etc/postfix.
    """
    values = parse_main_cf(main_cf).values
    config_directory = (directory or values.get(CONFIG_DIRECTORY, "")).rstrip(
        "/"
    ) or DEFAULT_CONFIG_DIRECTORY
    known = {**values, CONFIG_DIRECTORY: _MARK}
    sources: list[Mapping[str, str]] = [values]
    sources += [entry.options for entry in parse_master_cf(master_cf).entries]
    places: dict[str, str] = {}
    for settings in sources:
        for name, value in settings.items():
            if not _NO_FILES.fullmatch(name):
                if name == "import_environment":
                    value = " ".join(_LIBRARY_FILE.findall(value))
                for path in _absolute_paths(value, known):
                    inside = path.removeprefix(f"{_MARK}/")
                    if path != inside:
                        places[f"{CONFIG_DIRECTORY}/{inside}"] = f"{config_directory}/{inside}"
                    else:
                        places[path] = path
    return places


def collect_files(
    main_cf: str,
    master_cf: str,
    trees: Iterable[FileTree],
    directory: str | None = None,
    is_key: Callable[[str], bool] = lambda _: False,
) -> FurtherFiles:
    """Read the files that a configuration names from the trees; the first that has one wins.

    Args:
        main_cf: the text of main.cf.
        master_cf: the text of master.cf.
        trees: where files may be.
        directory: as for :func:`named_paths`.
        is_key: whether the configuration names a path as that of a key or a certificate.
    """
    known = list(trees)
    further = FurtherFiles()
    if not known:
        return further
    left_out: list[str] = []
    for target, path in named_paths(main_cf, master_cf, directory).items():
        content, compiled = _look_up(path, known)
        if content is None and compiled:
            further.notes.append(f"{path}: was skipped: only its compiled table was given")
        elif isinstance(content, FilePassedOver):
            further.notes.append(f"{path}: was skipped: {content.why}")
        elif isinstance(content, FileFound) and is_key(target):
            left_out.append(path)
        elif isinstance(content, FileFound):
            _take_file(further, left_out, target, path, content.data)
    if left_out:
        further.notes.append(
            f"keys and certificates are not used ({', '.join(left_out)}): "
            "test files replace them at their paths"
        )
    if further.files:
        further.notes.append(f"files that it names are used: {', '.join(further.files)}")
    return further


def _look_up(
    path: str, trees: Iterable[FileTree]
) -> tuple[FileFound | FilePassedOver | None, bool]:
    """The content at a path, and whether there is only a table that was compiled from it."""
    known = list(trees)
    for tree in known:
        if (content := tree.read(path)) is not None:
            return content, False
    compiled = any(tree.read(path + end) is not None for tree in known for end in _COMPILED)
    return None, compiled


def _take_file(
    further: FurtherFiles, left_out: list[str], target: str, path: str, data: bytes
) -> None:
    if _SECRET.search(data):
        left_out.append(path)
        return
    if path.startswith(FORBIDDEN_PLACES):
        why = "the build's files are there"
    elif b"\0" in data:
        why = "it is not a text"
    else:
        try:
            further.files[target], notes = decode_text(data, Path(path))
        except FileError as error:
            why = error.what
        else:
            further.notes += notes
            return
    further.notes.append(f"{path}: was skipped: {why}")


def _absolute_paths(value: str, known: Mapping[str, str]) -> list[str]:
    """The absolute paths in a value, with references expanded; without sockets and URLs."""
    paths: list[str] = []
    for match in _PATH.finditer(expand_references(value, known)):
        path = match[1].rstrip("/;")
        before = match.string[max(0, match.start(1) - 8) : match.start(1)]
        if (
            path
            and "$" not in path
            and not path.startswith(("//", "/dev/", "/proc/", "/sys/"))
            and not _SOCKET.search(before)
        ):
            paths.append(path)
    return paths
