"""The order of Postfix and OpenSSL versions, and constraints on them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.versions import Constraint, Version, is_next_version
from harness.errors import ExitCode, UsageError

POSTFIX = [
    "2.3.19",
    "2.5.0",
    "2.10.1",
    "2.11.0",
    "3.0-20141228",
    "3.0.0",
    "3.1.0",
    "3.5.25",
    "3.6-RC1",
    "3.6",
    "3.7.11",
    "3.8-20220816",
    "3.8-20221023-nonprod",
    "3.8.1",
    "3.10.13",
]
OPENSSL = [
    "0.9.7",
    "0.9.8",
    "0.9.8a",
    "0.9.8z",
    "0.9.8za",
    "0.9.8zh",
    "1.0.1",
    "1.0.1e",
    "1.0.2",
    "1.0.2h",
    "1.0.2u",
    "1.1.0-pre1",
    "1.1.0",
    "1.1.1w",
    "3.0.0-alpha17",
    "3.0.0-beta1",
    "3.0.0-beta2",
    "3.0.0",
    "3.0.2",
    "3.0.20",
    "3.5.7",
    "4.0.0",
]
VERSIONS = st.builds(
    "{}.{}.{}{}".format,
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(0, 20),
    st.sampled_from(["", "a", "h", "z", "za", "zh", "-rc1", "-beta2", "-20220816"]),
).map(Version.parse)


@pytest.mark.parametrize("names", [POSTFIX, OPENSSL], ids=["postfix", "openssl"])
def test_releases_are_in_the_order_they_came_out(names: list[str]) -> None:
    """3.10 comes after 3.9, letters count up, and a pre-release comes before its release."""
    parsed = [Version.parse(name) for name in names]
    parsed.reverse()
    assert [str(version) for version in sorted(parsed)] == names
    assert len(set(parsed)) == len(names)


def test_trailing_zeros_say_nothing() -> None:
    """A constraint on 3.6 also means 3.6.0, as a user who writes it expects."""
    assert Version.parse("3.6") == Version.parse("3.6.0")
    assert hash(Version.parse("3.6")) == hash(Version.parse("3.6.0"))
    assert Version.parse("3.6") < Version.parse("3.6.1")


def test_fips_builds_count_as_their_release() -> None:
    """Distributions mark OpenSSL 1.0.2k-fips; constraints must treat it as 1.0.2k."""
    assert Version.parse("1.0.2k-fips") == Version.parse("1.0.2k")


def test_text_is_kept_as_written() -> None:
    """Messages and labels show the version as its source spells it."""
    assert str(Version.parse(" 3.6.0 ")) == "3.6.0"


@given(VERSIONS, VERSIONS, VERSIONS)
def test_order_is_total(a: Version, b: Version, c: Version) -> None:
    """Sorting builds gives one answer: exactly one of <, == and > holds, transitively."""
    assert [a < b, a == b, a > b].count(True) == 1
    low, middle, high = sorted([a, b, c])
    assert low <= middle <= high
    assert low <= high


@pytest.mark.parametrize("text", ["", "three", "3.", "3..1", "1.0.2-h", "1.0.2abc", "3.1 0", "²"])
def test_what_is_no_version_is_refused(text: str) -> None:
    """A mistake in a selector must stop the run."""
    with pytest.raises(UsageError, match="is not a version") as caught:
        Version.parse(text)
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("constraint", "inside", "outside"),
    [
        (">=2.5,<3.6", ["2.5", "2.5.0", "3.5.25", "3.6-RC1"], ["2.4.9", "3.6", "3.10.13"]),
        ("< 1.1", ["1.0.2u", "0.9.8zh"], ["1.1.0", "3.0.2"]),
        ("==1.0.2h", ["1.0.2h"], ["1.0.2", "1.0.2i"]),
        ("!=3.1", ["3.1.1"], ["3.1.0"]),
        (">1.0.1,<=3.0.2", ["1.0.1a", "3.0.2"], ["1.0.1", "3.0.3"]),
    ],
)
def test_constraint_allows(constraint: str, inside: list[str], outside: list[str]) -> None:
    """Each operator means what it says, and all terms must hold."""
    parsed = Constraint.parse(constraint)
    assert [text for text in inside if not parsed.allows(text)] == []
    assert [text for text in outside if parsed.allows(Version.parse(text))] == []


@given(st.lists(st.tuples(st.sampled_from([">=", "<", "!="]), VERSIONS), min_size=1))
def test_constraint_round_trips(terms: list[tuple[str, Version]]) -> None:
    """A constraint printed into a report can be pasted back."""
    text = ",".join(f"{name}{version}" for name, version in terms)
    assert str(Constraint.parse(text)) == text


@pytest.mark.parametrize("text", ["", "2.5", ">=", ">=2.5,", "=>2.5", "~=2.5", ">=2.5 <3.6"])
def test_what_is_no_constraint_is_refused(text: str) -> None:
    """A malformed constraint is an error, not one that allows all or nothing."""
    with pytest.raises(UsageError):
        Constraint.parse(text)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("3.7.10", "3.7.11"),
        ("3.6", "3.6.1"),
        ("3.0.0", "3.0.1"),
        ("1.1.1", "1.1.1a"),
        ("1.0.2g", "1.0.2h"),
        ("0.9.8z", "0.9.8za"),
        ("0.9.8za", "0.9.8zb"),
    ],
)
def test_releases_between_which_no_number_is_left(first: str, second: str) -> None:
    """A border between these is exact, whatever the catalog has."""
    assert is_next_version(Version.parse(first), Version.parse(second))
    assert not is_next_version(Version.parse(second), Version.parse(first))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("3.7.4", "3.7.11"),
        ("3.9.2", "3.10.0"),
        ("1.1.0", "1.1.1"),
        ("1.1.1q", "1.1.1s"),
        ("1.0.2u", "1.1.0"),
        ("1.1.1w", "3.0.0"),
        ("1.1.1-pre9", "1.1.1"),
        ("3.6-RC1", "3.6.1"),
        ("3.6.4", "3.6.4"),
    ],
)
def test_releases_between_which_there_may_be_more(first: str, second: str) -> None:
    """No gap is reported as closed if a release may lie between."""
    assert not is_next_version(Version.parse(first), Version.parse(second))


@given(st.integers(2, 4), st.integers(0, 12), st.integers(0, 30), st.integers(1, 3))
def test_patch_levels_follow_where_none_sorts_between(
    major: int, minor: int, patch: int, step: int
) -> None:
    """The numbering agrees with the order."""
    branch = [Version.parse(f"{major}.{minor}.{number}") for number in range(patch + step + 1)]
    first, last = branch[patch], branch[-1]
    assert is_next_version(first, last) is not any(first < other < last for other in branch)
