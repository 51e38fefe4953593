"""Texts and bytes of any kind: they are decoded, read in time, or refused; nothing fails."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config_input.forms import (
    read_configuration,
)
from harness.config_input.text import (
    STDIN,
    decode_text,
)
from harness.errors import FileError, UsageError
from harness.postfix_config.main_cf import parse_main_cf
from harness.scenarios.redaction import redact_scenario
from harness.scenarios.scenario import Scenario
from harness.tls import Service
from tests.unit.config_input.form_samples import MAIN


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (b"\xef\xbb\xbfa = 1\n", "byte order mark"),
        ("\ufeffa = 1\n".encode("utf-16-le"), "byte order mark"),
        ("\ufeffa = 1\n".encode("utf-16-be"), "byte order mark"),
        (b"a = 1\n# caf\xe9\n", "line 2: is not UTF-8"),
    ],
)
def test_bytes_of_all_kinds_become_text(data: bytes, note: str) -> None:
    """A BOM, UTF-16 of PowerShell, or Latin-1 cause no traceback: they are read, with a note."""
    text, notes = decode_text(data, STDIN)
    assert parse_main_cf(text).values == {"a": "1"}
    assert note in notes[0]


def test_a_nul_and_what_is_too_large_are_refused() -> None:
    """Protects from reading a binary as a configuration."""
    with pytest.raises(FileError, match="NUL"):
        decode_text(b"a = 1\nb\0", MAIN)
    with pytest.raises(FileError, match="4 MiB"):
        decode_text(b"a" * (4 << 20) + b"b", MAIN)


FRAGMENTS = st.sampled_from(
    ["a = 1", "smtp inet n - n - - smtpd", "-o a=b", "  -o a=b", "> ", ">> ", "```", "$ ", "# ",
     "postconf ", "-e ", "-n", "'a = b'", '"', "'", "\\", "\n", "\r\n", " ", "\t", "\u00a0", "=",
     "root@mail:~# ", "{", "}", "smtp/inet/x = y", "-P ", "-M ", "word. ", "\ufeff", "$(x)", "`"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(FRAGMENTS, max_size=40), st.sampled_from(["-", "main.cf", "master.cf", "x.txt"]))
def test_no_text_makes_the_reader_fail(parts: list[str], name: str) -> None:
    """Protects from tracebacks: FileError and UsageError only, whatever is pasted together."""
    try:
        read = read_configuration({Path(name): "".join(parts)}, Service.SMTP)
    except UsageError:
        return
    scenario = Scenario("x", "x", "x", "x", main_cf=read.main_cf, master_cf=read.master_cf)
    redact_scenario(scenario)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["-", "main.cf", "master.cf", "x.txt"]))
def test_no_bytes_make_the_reader_fail(data: bytes, name: str) -> None:
    """Protects from tracebacks on arbitrary bytes."""
    try:
        text, notes = decode_text(data, Path(name))
        read_configuration({Path(name): text}, None, None, notes)
    except UsageError:
        pass


@pytest.mark.parametrize(
    "unit",
    ["a = 1\n", "word\n", " x\n", "-o a=b\n", "smtp inet { - - - - smtpd\n", "{ ", "> ",
     "postconf -e 'a = b\n", "postconf -P 'smtp/inet/x=y'\n", "postconf -M 'a/b=a b c'\n",
     "root@mail:~# ", "`", "a.b.c ", "1.2.3.4 ", "::", "x/inet/y=z\n", "  -o a=b\n", " word\n\n"],
)  # fmt: skip
def test_the_reader_takes_time_in_proportion_to_the_text(unit: str) -> None:
    """Protects from a paste that hangs: eight times the text, not 64 times the time."""
    seconds = []
    for size in (6_000, 48_000):
        text = unit * (size // len(unit))
        begin = time.process_time()
        for head in ("", "x = ", "smtp inet n - n - - smtpd\n"):
            try:
                read = read_configuration({STDIN: head + text}, Service.SMTP)
            except UsageError:
                continue
            redact_scenario(
                Scenario("x", "x", "x", "x", main_cf=read.main_cf, master_cf=read.master_cf)
            )
        seconds.append(time.process_time() - begin)
    assert seconds[1] < 25 * max(seconds[0], 0.02), seconds
