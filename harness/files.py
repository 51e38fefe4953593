"""Files: written whole or not at all, and known by their SHA-256."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from harness.errors import InfrastructureError


def write_atomically(path: Path, text: str) -> Path:
    """Write a file of a run folder with ``replace_file``, and report how an error can be resolved.

    Raises:
        InfrastructureError: the folder cannot be written; the file that was there is unchanged.
    """
    try:
        replace_file(path, text, mode=0o644)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {path}: {error.strerror}",
            cause="the run folder is read-only, or the disk is full",
            next_step="make the folder writable, then make the reports again",
        ) from error
    return path


def replace_file(path: Path, text: str, *, mode: int) -> None:
    """Write UTF-8 text under a temporary name in the same folder, then rename it into place.

    A reader sees the old file or the new one; of several writers, the last one wins.

    Raises:
        OSError: the folder cannot be written; the file that was there is unchanged.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(
            handle, "w", encoding="utf-8", errors="backslashreplace", newline=""
        ) as file:
            file.write(text)
        temporary.chmod(mode)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def file_digest(path: Path) -> str:
    """A file's SHA-256, in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_full_disk(error: OSError) -> bool:
    """Whether an operation failed because the disk, or the user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
