"""Read the files of a scenario's folder."""

from __future__ import annotations

from pathlib import Path

from harness.config_input.forms import read_scenario_part
from harness.config_input.text import decode_text
from harness.errors import FileError, FileLocation
from harness.input_files import MOST_WRITTEN_BYTES, is_there, read_file, read_text_file


def read_fragment(path: Path) -> tuple[str, tuple[str, ...]]:
    """A main.cf or master.cf, "" where there is none, and what was changed in its text.

    It is read verbatim, unless it was evidently pasted (``config_input.forms``).
    """
    if not is_there(path):
        return "", ()
    data = read_file(path, most=MOST_WRITTEN_BYTES)
    text, decoded = decode_text(data, path)
    text, done = read_scenario_part(text, path)
    return text, (*decoded, *done)


def read_text(path: Path) -> str:
    """A file's text, without a byte order mark (no newline is translated).

    Raises:
        FileError: there is none, or it cannot be read; with the line of what is no text.
    """
    if not is_there(path):
        expected = f"each scenario to have a {path.name}"
        raise FileError(FileLocation(path), "is missing", expected=expected)
    return read_text_file(path, most=MOST_WRITTEN_BYTES)
