"""Choosing along an axis with globs."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.selectors import select_names
from harness.errors import ExitCode, NothingSelectedError, UsageError

BUILDS = ("debian-11", "debian-12", "debian-13", "postfix-3.7.11+openssl-1.1.1w")


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ([], BUILDS),
        ([""], BUILDS),
        (["debian-12"], ("debian-12",)),
        (["debian-13,debian-11"], ("debian-11", "debian-13")),
        (["debian-*"], BUILDS[:3]),
        (["postfix-3.7.*+openssl-1.1.1?"], BUILDS[3:]),
        (["!debian-12"], (BUILDS[0], BUILDS[2], BUILDS[3])),
        (["debian-*", "!*-12"], ("debian-11", "debian-13")),
        (["!debian-12, debian-*"], ("debian-11", "debian-13")),
        (["debian-12", "debian-*"], BUILDS[:3]),
    ],
)
def test_select(patterns: list[str], chosen: tuple[str, ...]) -> None:
    """Globs include, !globs exclude in any position, and the order of the axis stays."""
    assert select_names("build", BUILDS, patterns) == chosen


def test_a_pattern_that_matches_nothing_is_an_error_that_helps() -> None:
    """A misspelt build must not shrink the matrix in silence; the message names the way out."""
    with pytest.raises(UsageError) as caught:
        select_names("build", BUILDS, ["debian-11", "debain-12"])
    assert caught.value.exit_code is ExitCode.USAGE
    for word in ("build", "'debain-12'", "debian-12", "postfix-matrix list"):
        assert word in str(caught.value)


def test_an_exclusion_that_matches_nothing_is_an_error_too() -> None:
    """With a misspelt exclusion, the build would be measured although it should be left out."""
    with pytest.raises(UsageError, match="!debian-21"):
        select_names("build", BUILDS, ["!debian-21"])


def test_nothing_left_has_its_own_exit_code() -> None:
    """CI must see "nothing selected" (5), not success, when exclusions empty an axis."""
    with pytest.raises(NothingSelectedError) as caught:
        select_names("build", BUILDS, ["debian-12", "!debian-*"])
    assert caught.value.exit_code is ExitCode.NOTHING_SELECTED


def test_an_empty_axis_is_nothing_selected() -> None:
    """An axis with nothing on it cannot make a cell, whatever the patterns."""
    with pytest.raises(NothingSelectedError):
        select_names("client", (), [])


@given(
    st.lists(st.text("ab1-", min_size=1, max_size=4), min_size=1, max_size=8, unique=True),
    st.lists(st.text("ab1-*?", min_size=1, max_size=3), max_size=4),
)
def test_a_choice_is_what_matches_in_order(names: list[str], globs: list[str]) -> None:
    """Nothing is chosen that no glob matches, nothing is left out that one matches."""
    expected = [n for n in names if not globs or any(fnmatchcase(n, g) for g in globs)]
    try:
        assert list(select_names("client", names, globs)) == expected
    except UsageError:
        assert any(not any(fnmatchcase(n, g) for n in names) for g in globs)
