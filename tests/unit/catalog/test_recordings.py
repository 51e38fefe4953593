"""Files of recorded hellos: the catalog's, and a user's with faults."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.catalog.cells import is_simulated
from harness.catalog.client_hello import write_fresh_hello
from harness.catalog.recordings import (
    COLUMNS,
    RECORDED_PREFIX,
    all_recordings,
    format_recording,
    parse_recordings,
    read_recordings,
)
from harness.errors import FileError

HEAD = "\t".join(COLUMNS)
RECORDING = all_recordings()[0]
LINE = format_recording(RECORDING, write_fresh_hello(RECORDING.hello, ""))
MINE = Path("mine.tsv")


def test_the_catalog_has_its_recordings() -> None:
    """Protects the number of recordings, and the names that ``clients record`` gives."""
    names = [recording.client for recording in all_recordings()]
    assert len(names) == len(set(names)) >= 60
    assert all(map(is_simulated, names))
    assert not any(name.startswith(RECORDED_PREFIX) for name in names)


def test_a_written_line_is_read_back() -> None:
    """Protects ``clients record``: what it prints is what --client reads."""
    (read,) = parse_recordings(f"# mine\n{HEAD}\n{LINE}\n", MINE)
    assert (read.client, read.limits, read.highest) == (
        RECORDING.client,
        RECORDING.limits,
        RECORDING.highest,
    )
    assert read.hello.ciphers == RECORDING.hello.ciphers


def with_column(name: str, text: str) -> str:
    """The good line with another text in one column."""
    values = LINE.split("\t")
    values[COLUMNS.index(name)] = text
    return "\t".join(values)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("", "mine.tsv: this is not the head"),
        (LINE, "mine.tsv:1: this is not the head"),
        (f"{HEAD}\n\n{LINE[:20]}", "mine.tsv:3: the line has 1 columns"),
        (f"{HEAD}\n{with_column('client', 'curl')}", "mine.tsv:2: client: 'curl' cannot be"),
        (f"{HEAD}\n{with_column('lowest', 'TLS 1.0')}", "mine.tsv:2: lowest: unknown version"),
        (f"{HEAD}\n{with_column('max_dh_bits', '-1')}", "mine.tsv:2: max_dh_bits: '-1' is no"),
        (f"{HEAD}\n{with_column('requires_sha2', 'no')}", "mine.tsv:2: requires_sha2: cannot be"),
        (
            f"{HEAD}\n{with_column('hello_hex', '16030q')}",
            "mine.tsv:2: hello_hex: 'q', character 6",
        ),
        (f"{HEAD}\n{with_column('hello_hex', '160')}", "mine.tsv:2: hello_hex: it has 3 hexadec"),
        (f"{HEAD}\n{with_column('hello_hex', '160301')}", "not a ClientHello: it is cut off"),
        (f"{HEAD}\n{LINE}\n{LINE}", "mine.tsv:2: client: .* is here twice"),
    ],
)
def test_a_fault_is_named_by_file_line_and_column(lines: str, what: str) -> None:
    """Protects users: a recording that is none stops the command before anything runs."""
    with pytest.raises(FileError, match=what):
        parse_recordings(lines, MINE)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Protects against a traceback for a missing file or one that is not text, and a wait for ever.

    Nothing ever writes to the pipe.
    """
    binary, pipe = tmp_path / "capture.pcap.tsv", tmp_path / "pipe.tsv"
    binary.write_bytes(b"\xd4\xc3\xb2\xa1")
    os.mkfifo(pipe)
    for path, what in (
        (tmp_path / "absent.tsv", "absent.tsv: there is no such file"),
        (binary, "capture.pcap.tsv:1: byte 0xd4 is not UTF-8"),
        (pipe, "pipe.tsv: is a named pipe"),
    ):
        with pytest.raises(FileError, match=what) as raised:
            read_recordings(path)
        assert "clients record" in raised.value.next_step
