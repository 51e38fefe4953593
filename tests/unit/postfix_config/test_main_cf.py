"""main.cf as postconf(5) reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import FileError
from harness.postfix_config.logical_lines import split_chunks
from harness.postfix_config.main_cf import parse_main_cf

LINES = st.lists(
    st.one_of(
        st.sampled_from(["", "  ", "# c", "   # c", "  more", "\tmore", "name = v", "n=", "x"]),
        st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]), max_size=12),
    ),
    max_size=12,
)


def test_name_and_value_without_the_space_around() -> None:
    """Space around "=" and at the ends is no part of name or value, as Postfix trims it."""
    parsed = parse_main_cf("a=1\nb  =  two words \nc =\n")
    assert parsed.values == {"a": "1", "b": "two words", "c": ""}


def test_a_value_may_contain_equals_signs() -> None:
    """Only the first "=" separates; map parameters have more of them."""
    assert parse_main_cf("a = b = c\n").values == {"a": "b = c"}


def test_continuation_lines_join_across_comments_and_blank_lines() -> None:
    """postconf(5): comments and empty lines do not end a logical line, only new text does."""
    text = "ciphers = aNULL,\n# a comment\n\n    LOW\n  # another\nnext = 1\n"
    parsed = parse_main_cf(text)
    assert parsed.values == {"ciphers": "aNULL,    LOW", "next": "1"}
    assert [setting.line for setting in parsed.settings] == [1, 6]


def test_the_last_setting_of_a_name_wins_and_the_others_are_listed() -> None:
    """Evidence names the lines that a later one overrides."""
    parsed = parse_main_cf("a = 1\nb = 2\na = 3\n")
    assert parsed.values == {"a": "3", "b": "2"}
    assert [(s.name, s.line) for s in parsed.overridden] == [("a", 1)]


@pytest.mark.parametrize("line", ["no equals sign", "= value", "two words = value"])
def test_what_postfix_would_refuse_is_kept_for_postfix(line: str) -> None:
    """Postfix's error for such a line is the result, so we must neither drop nor refuse it."""
    parsed = parse_main_cf(f"a = 1\n{line}\n")
    assert parsed.values == {"a": "1"}
    assert parsed.settings[1].name == ""
    assert parsed.settings[1].text == f"{line}\n"


def test_windows_line_ends_are_whitespace() -> None:
    """A file copied from Windows works in Postfix, which takes a carriage return as a space."""
    assert parse_main_cf("a = 1\r\nb = 2\r\n").values == {"a": "1", "b": "2"}


def test_a_line_separator_of_unicode_ends_no_line() -> None:
    """Only a line feed does for Postfix; Python's splitlines would cut the value in two."""
    assert parse_main_cf("a = 1\u2028b = 2\n").values == {"a": "1\u2028b = 2"}


@pytest.mark.parametrize(("text", "line"), [(" a = 1\n", 1), ("# c\n\n\tmore\n", 3)])
def test_a_continuation_of_nothing_is_refused_with_its_line(text: str, line: int) -> None:
    """It would otherwise continue the last line of the base settings."""
    with pytest.raises(FileError) as caught:
        parse_main_cf(text, Path("x/main.cf"))
    assert (caught.value.place.file, caught.value.place.line) == (Path("x/main.cf"), line)


def test_a_nul_is_refused_with_its_line() -> None:
    """Postfix would cut the file's text there, so what applies would not be what was written."""
    with pytest.raises(FileError) as caught:
        parse_main_cf("a = 1\nb = \0\n")
    assert caught.value.place.line == 2


@given(LINES, st.booleans())
def test_no_byte_is_lost(lines: list[str], ended: bool) -> None:
    """The chunks joined are the file, so a candidate is applied verbatim."""
    text = "\n".join(["first = 1", *lines]) + ("\n" if ended else "")
    chunks = split_chunks(text, Path("main.cf"))
    assert "".join(chunk.text for chunk in chunks) == text
    for chunk in chunks:
        assert text.split("\n")[chunk.line - 1] == chunk.text.split("\n")[0]


@given(st.dictionaries(st.text("abc_2", min_size=1), st.text("xyz,!:= ").map(str.strip)))
def test_settings_written_are_settings_read(values: dict[str, str]) -> None:
    """Names and values survive the way through the file."""
    text = "".join(f"{name} = {value}\n" for name, value in values.items())
    assert parse_main_cf(text).values == values
