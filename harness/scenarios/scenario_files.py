"""Read the files of a scenario's folder."""

from __future__ import annotations

from pathlib import Path

from harness.config_input.forms import read_scenario_part
from harness.config_input.text import decode_text
from harness.errors import FileError, FileLocation


def read_fragment(path: Path) -> tuple[str, tuple[str, ...]]:
    """A main.cf or master.cf, "" where there is none, and what was changed in its text.

    It is read verbatim, unless it was evidently pasted (``config_input.forms``).
    """
    data = _read_bytes(path)
    if data is None:
        return "", ()
    text, decoded = decode_text(data, path)
    text, done = read_scenario_part(text, path)
    return text, (*decoded, *done)


def read_text(path: Path) -> str:
    """A file's text, verbatim (no newline is translated)."""
    data = _read_bytes(path)
    if data is None:
        expected = f"each scenario to have a {path.name}"
        raise FileError(FileLocation(path), "is missing", expected=expected)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        what = f"byte {error.object[error.start]:#04x} is not UTF-8"
        raise FileError(FileLocation(path, line), what, expected="UTF-8 text") from error


def _read_bytes(path: Path) -> bytes | None:
    """A file's content; None where there is no such file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(FileLocation(path), f"cannot be read: {error.strerror}") from error
