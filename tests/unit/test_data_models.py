"""Data of users' files: strict types, and messages with place, value and what was expected."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from annotated_types import Ge

from harness.data_models import DataError, check_json_file, read_json_data, show_value, suggest
from harness.errors import FileError, FileErrors, FileLocation


@dataclass(frozen=True, slots=True)
class Inner:
    """A part."""

    bits: Annotated[int, Ge(0)] | None = None
    names: tuple[str, ...] = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole file."""

    title: str
    inner: Inner | None = None
    is_on: bool = False
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}


@pytest.mark.parametrize(
    ("data", "key", "what"),
    [
        ({"title": 1}, "title", "cannot be 1 (expected a text)"),
        ({}, "title", "this key is missing"),
        ({"title": "t", "inner": {"bits": True}}, "inner.bits", "cannot be True"),
        ({"title": "t", "inner": {"bits": -1}}, "inner.bits", "expected at least 0"),
        ({"title": "t", "inner": {"bits": "1"}}, "inner.bits", "expected a whole number"),
        ({"title": "t", "inner": {"names": "a"}}, "inner.names", "expected a list"),
        ({"title": "t", "inner": 3}, "inner", "expected an object"),
        ({"title": "t", "is_on": 1}, "is_on", "expected true or false"),
        ({"titel": "t"}, "titel", "unknown key (expected title, or another of inner, is_on)"),
        ({"title": "t", "inner": {"bit": 1}}, "inner.bit", "unknown key (expected bits"),
    ],
)
def test_a_wrong_value_is_named(data: dict[str, Any], key: str, what: str) -> None:
    """Protects the message: key, value and what was expected; a misspelt key is told once."""
    text = json.dumps(data, indent=1)
    with pytest.raises(FileError) as caught:
        check_json_file(Whole, text, Path("some.json"))
    assert caught.value.place.key == key
    assert what in str(caught.value)
    assert caught.value.place.line is not None


def test_a_value_of_the_right_type_is_read() -> None:
    """Protects files that are right."""
    whole = read_json_data(Whole, '{"title": "t", "inner": {"bits": 3, "names": ["a"]}}')
    assert whole == Whole("t", Inner(3, ("a",)))


def test_what_is_no_object_is_refused() -> None:
    """Protects against a list where an object belongs."""
    with pytest.raises(DataError):
        read_json_data(Whole, "[1]")


def test_a_message_shows_twenty_errors_and_counts_the_others() -> None:
    """Protects the terminal from a file in which everything is wrong."""
    errors = [FileError(FileLocation(Path("f"), n), f"wrong {n}") for n in range(1000)]
    message = str(FileErrors(errors, "the file has"))
    assert message.count("\n- f:") == 20
    assert "and 980 more" in message


def test_a_long_or_deep_value_is_shortened() -> None:
    """Protects the message from values of any size."""
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    assert len(show_value(deep)) < 200
    assert len(show_value("x" * 100_000)) < 200


def test_the_closest_name_comes_first_and_all_are_listed() -> None:
    """Protects "did you mean": the closest one, then the whole vocabulary."""
    assert suggest("refusd", ["accepted", "refused"]) == "refused, or another of accepted"
    assert suggest("x", ["accepted", "refused"]) == "one of accepted, refused"
