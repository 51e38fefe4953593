"""Files of users and other machines: what is no regular text file is refused, unopened."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import FileError
from harness.input_files import decode_file, read_file, read_text_file


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda _: None, "there is no such file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: os.mkfifo(path), "is a named pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device"),
        (lambda path: path.symlink_to("/dev/full"), "is a device"),
        (lambda path: path.symlink_to("nowhere"), "is a dangling link: there is no nowhere"),
        (lambda path: path.symlink_to(path.name), "is a link in a circle of links"),
        (lambda path: path.symlink_to("/proc/self/mem"), "cannot be read: "),
        (lambda path: os.truncate(path, 3 << 30) if not path.touch() else None, "has more than"),
    ],
)
def test_what_is_no_file_is_named(
    tmp_path: Path, make: Callable[[Path], object], what: str
) -> None:
    """Protects against a command that waits for a pipe, or reads a device for ever."""
    make(path := tmp_path / "some.toml")
    with pytest.raises(FileError, match=what) as caught:
        read_file(path)
    assert caught.value.place.file == path


def test_a_pipe_that_a_shell_opened_is_read() -> None:
    """Protects ``--known <(generate)``."""
    reading, writing = os.pipe()
    os.write(writing, b"text")
    os.close(writing)
    try:
        assert read_file(Path(f"/dev/fd/{reading}")) == b"text"
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("data", "line", "what"),
    [
        (b"a\nb\xff\n", 2, "byte 0xff is not UTF-8"),
        (b"a\n\nb\0", 3, "there is a NUL"),
        ("text".encode("utf-16"), 1, "is UTF-16"),
    ],
)
def test_what_is_no_text_is_named_by_line(data: bytes, line: int, what: str) -> None:
    """Protects users of editors that save in another encoding."""
    with pytest.raises(FileError, match=what) as caught:
        decode_file(data, Path("some.toml"))
    assert caught.value.place.line == line


def test_a_byte_order_mark_is_left_out_and_line_ends_stay(tmp_path: Path) -> None:
    """Protects files that Windows' editors wrote: TOML and JSON are the same without the mark."""
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfa\r\nb")
    assert read_text_file(tmp_path / "a") == "a\r\nb"
