"""Reads files that users and other machines give: regular files, of a bounded size, in UTF-8.

Whatever else is at a path (a named pipe, a device, a folder, a link to nowhere) is refused with a
sentence, and never opened, so that nothing waits for it and nothing is read for ever.
"""

from __future__ import annotations

import codecs
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from harness.errors import FileError, FileLocation

#: A larger file is none of ours; the observations of 100,000 cells have 120 MiB.
MOST_BYTES = 1 << 30
#: A description that a user writes (TOML, a lock file) has some KiB.
MOST_WRITTEN_BYTES = 4 << 20
#: Paths of pipes that a shell opened for us, as in ``<(generate)``.
OPENED = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
_CHUNK = 1 << 20
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_file(path: Path, *, most: int = MOST_BYTES, next_step: str = "") -> bytes:
    """The content of a regular file, or of a pipe that a shell opened.

    Raises:
        FileError: there is none, it is something else, it has more than ``most`` bytes, or it
            cannot be read.
    """
    place = FileLocation(path)
    status = check_file(path, next_step=next_step)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = _read_bytes(file, most) if status.st_size <= most else b""
    except (OSError, ValueError) as error:
        raise FileError(place, describe_unreadable(path, error), next_step=next_step) from None
    if len(data) > most or status.st_size > most:
        what = f"has more than {most >> 20} MiB"
        raise FileError(place, what, expected="a smaller file", next_step=next_step)
    return data


def _read_bytes(file: BinaryIO, most: int) -> bytes:
    """A file's bytes, ``most`` and one at most; the size of a pipe is not known before."""
    chunks, left = [], most + 1
    while left > 0 and (chunk := file.read(min(left, _CHUNK))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def check_file(path: Path, *, next_step: str = "") -> os.stat_result:
    """What stat(2) says of a regular file, or of a pipe that a shell opened.

    Raises:
        FileError: there is none, or it is something else.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        what = describe_unreadable(path, error)
        raise FileError(FileLocation(path), what, next_step=next_step) from None
    if not stat.S_ISREG(status.st_mode) and not str(path).startswith(OPENED):
        what = f"is {describe_kind(status.st_mode)}"
        raise FileError(FileLocation(path), what, expected="a file", next_step=next_step)
    return status


def read_text_file(path: Path, *, most: int = MOST_BYTES, next_step: str = "") -> str:
    """The text of a file in UTF-8, without a byte order mark; no newline is translated.

    Raises:
        FileError: as :func:`read_file`, or it is not UTF-8, or has a NUL; with the line.
    """
    return decode_file(read_file(path, most=most, next_step=next_step), path, next_step=next_step)


def decode_file(data: bytes, path: Path, *, next_step: str = "") -> str:
    """The text in a file's bytes, without a byte order mark.

    Raises:
        FileError: it is not UTF-8, or has a NUL; with the line.
    """
    if data.startswith(_UTF_16):
        what = "is UTF-16"
        raise FileError(FileLocation(path, 1), what, expected="UTF-8 text", next_step=next_step)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = FileLocation(path, data.count(b"\n", 0, error.start) + 1)
        what = f"byte {data[error.start]:#04x} is not UTF-8"
        raise FileError(place, what, expected="UTF-8 text", next_step=next_step) from None
    if "\0" in text:
        place = FileLocation(path, text.count("\n", 0, text.index("\0")) + 1)
        what = "there is a NUL in the text"
        raise FileError(place, what, expected="plain text", next_step=next_step)
    return text.removeprefix("\ufeff")


def is_there(path: Path) -> bool:
    """Whether there is anything at a path, also a link that leads nowhere: then it is an error."""
    return os.path.lexists(path)


def describe_unreadable(path: Path, error: Exception) -> str:
    """Why a path cannot be read, as the end of a sentence that begins with the path."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ELOOP:
        return "is a link in a circle of links"
    if number in (errno.ENOENT, errno.ENOTDIR):
        if path.is_symlink():
            return f"is a dangling link: there is no {path.readlink()}"
        return "there is no such file"
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"cannot be read: {reason or error}"


def describe_kind(mode: int) -> str:
    """What a path is that is no regular file, by its mode (stat(2))."""
    for test, name in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISLNK, "a link"),
    ):
        if test(mode):
            return name
    return "a device"
