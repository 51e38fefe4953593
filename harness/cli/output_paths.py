"""Paths that a command writes to, checked before it measures: a late failure loses the result."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import click

from harness.errors import UsageError


class OutputFile(click.Path):
    """A file to be written: there is none yet, or it is a regular one."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path.

        Raises:
            UsageError: something else is there, or its folder cannot be written to.
        """
        path = Path(value)
        if path.is_dir():
            raise UsageError(f"{path} is a folder", next_step="name a file in it")
        if path.exists() and not path.is_file():
            raise UsageError(
                f"{path} is not a regular file, but a device, a pipe or a socket",
                next_step="name a file; it is written as a whole, and takes that place",
            )
        # What a link leads to is written.
        _check_writable(path, Path(os.path.realpath(path)).parent)
        return super().convert(value, param, ctx)


class OutputFolder(click.Path):
    """A folder to be written to, which is made if it is not there."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path.

        Raises:
            UsageError: it is a file, or cannot be made or written to.
        """
        path = Path(value)
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is not a folder", next_step="name a folder, or a new one")
        # The default is not checked: not each call writes to it.
        if param is None or value != param.default:
            _check_writable(path, Path(os.path.realpath(path)))
        return super().convert(value, param, ctx)


def _check_writable(path: Path, folder: Path) -> None:
    """Refuse a path unless files can be made in a folder, or in the first above it that is there.

    A file without a name is made there and vanishes: permissions alone do not tell of a read-only
    file system, nor of one as /proc is.
    """
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise UsageError(
            f"{path} cannot be written: {folder} is not a folder",
            next_step="name a path below a folder",
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {folder}: {error.strerror or error}",
            cause="the folder is read-only, the disk is full, or it belongs to another user",
            next_step="name a path that you may write to",
        ) from error
