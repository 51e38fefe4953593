"""On which builds a test runs, and what the tests of a scenario are called."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.pytest_plugin.build_choice import choose_globs, list_builds
from harness.pytest_plugin.expectation_names import name_expectations
from harness.scenarios.expectations import Expectation


def test_the_marker_comes_before_the_option_before_the_file() -> None:
    """Protects the documented precedence."""
    assert choose_globs(["debian-12"], "debian-13", ["ubuntu-*"]) == ("debian-12",)
    assert choose_globs(None, "debian-13", ["ubuntu-*"]) == ("debian-13",)
    assert choose_globs(None, None, ["ubuntu-*"]) == ("ubuntu-*",)
    assert choose_globs(None, None, []) == ()


@pytest.mark.parametrize("arguments", [[], [12], [""]])
def test_a_marker_without_globs_is_refused(arguments: list[object]) -> None:
    """Protects against a marker that silently means every build."""
    with pytest.raises(UsageError, match="postfix_builds"):
        choose_globs(arguments, None, [])


def test_globs_are_those_of_the_command_line() -> None:
    """Protects the likeness of both: commas, exclusions, and an error for what matches nothing."""
    assert list_builds(("debian-12,debian-13",)) == ("debian-12", "debian-13")
    assert "debian-12" not in list_builds(("debian-*", "!debian-12"))
    with pytest.raises(UsageError, match="debain"):
        list_builds(("debain-*",))


def test_names_are_readable_unique_and_safe() -> None:
    """Protects node ids: xdist's loadgroup reads '@', pytest itself '::'."""
    texts = ["a client that offers TLSv1 is refused", "no @ here: a::b", "é", "same", "same"]
    texts.append("word " * 40)
    names = name_expectations(Expectation(says=text) for text in texts)
    assert names[:2] == ["a-client-that-offers-TLSv1-is-refused", "no-here-a-b"]
    assert names[3:5] == ["same", "same~2"]
    assert len(set(names)) == len(names)
    assert all(name and "@" not in name and "::" not in name for name in names)
    assert max(map(len, names)) <= 60
