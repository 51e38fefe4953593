"""The folders of scenarios: which there are, and whether the names in one can be a scenario's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from harness.data_models import suggest
from harness.errors import FileError, FileLocation, UsageError
from harness.input_files import describe_unreadable

_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
TOML, MAIN, MASTER = "scenario.toml", "main.cf", "master.cf"
SCENARIO_FILES = (TOML, MAIN, MASTER)
#: The folder of further files, each at its target path: files/etc/postfix/tls_policy.
FURTHER_FILES = "files"


def list_folders(root: Path) -> list[Path]:
    """The folders of a folder of scenarios: scenarios, and collections of them.

    Raises:
        UsageError: there is no such folder, or no folder in it.
    """
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        raise UsageError(
            f"the folder of scenarios {root} {_describe_no_folder(root, error)}",
            next_step="name the folder that has one folder per scenario",
        ) from error
    folders = _visible_folders(entries)
    if not folders:
        raise UsageError(
            f"there is no scenario in {root}",
            next_step="make a folder in it; docs/writing-a-scenario.md describes its content",
        )
    return folders


def _visible_folders(entries: Iterable[Path]) -> list[Path]:
    """Folders, and links that lead nowhere, which reading them reports."""
    return [
        entry
        for entry in entries
        if not entry.name.startswith(".") and (entry.is_dir() or _is_lost_link(entry))
    ]


def _is_lost_link(path: Path) -> bool:
    """Whether it is a symbolic link to nothing, or in a circle of links."""
    return path.is_symlink() and not path.exists()


def _describe_no_folder(path: Path, error: OSError) -> str:
    """Why a path that should be a folder is none, as the end of a sentence."""
    if isinstance(error, NotADirectoryError):
        return "is no folder"
    return describe_unreadable(path, error).replace("such file", "such folder")


def folders_of_collection(folder: Path) -> list[Path]:
    """The folders of a collection: a folder that has scenarios, but is not a scenario itself."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    if any(entry.name in SCENARIO_FILES for entry in entries):
        return []
    return [inner for inner in _visible_folders(entries) if (inner / TOML).is_file()]


def check_folder(folder: Path) -> list[FileError]:
    """Errors in the names of the folder and of its files (a misspelt main.cf is not applied)."""
    errors: list[FileError] = []
    if not folder.is_dir():
        return [
            FileError(
                FileLocation(folder), "there is no such folder", expected="a scenario's folder"
            )
        ]
    if not _ID.fullmatch(folder.resolve().name):
        expected = "lower-case letters, digits and hyphens, a letter or digit first"
        errors.append(
            FileError(FileLocation(folder), "a folder's name is its id", expected=expected)
        )
    for path in sorted(folder.iterdir()):
        if path.name == FURTHER_FILES:
            continue
        if (
            path.name not in SCENARIO_FILES
            and path.suffix != ".md"
            and not path.name.startswith(".")
        ):
            expected = f"{suggest(path.name, SCENARIO_FILES)}, or a .md file"
            errors.append(
                FileError(FileLocation(path), "unknown file in a scenario", expected=expected)
            )
    return errors
