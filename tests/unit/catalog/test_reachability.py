"""What answers of places mean: by branch, by place, by reason."""

from __future__ import annotations

import pytest

from harness.catalog.reachability import (
    FileState,
    PlaceAnswer,
    ReleaseAnswers,
    group_branches,
    list_refusals,
    list_unanswering,
    name_branch,
    name_place,
)
from harness.catalog.releases import Source, SourceKind, find_release


def answers_of(name: str, *states: FileState, cached: bool = False) -> ReleaseAnswers:
    """A release of the catalog whose first sources answered so."""
    release = find_release(*name.split("-", 1))
    sources = [source for source in release.sources if source.kind is not SourceKind.DEBIAN]
    reasons = {FileState.UNREACHED: "no answer within 5 s", FileState.MISSING: "HTTP 404"}
    answers = [
        PlaceAnswer(source, state, reasons.get(state, ""))
        for source, state in zip(sources, states, strict=False)
    ]
    return ReleaseAnswers(release, cached, tuple(answers))


THERE, MISSING, UNREACHED = FileState.THERE, FileState.MISSING, FileState.UNREACHED
ANSWERS = (
    answers_of("openssl-1.1.0f", UNREACHED, UNREACHED),
    answers_of("openssl-1.1.0g", UNREACHED, UNREACHED, THERE),
    answers_of("openssl-3.0.20", cached=True),
    answers_of("openssl-3.5.9", MISSING, MISSING, MISSING, MISSING),
)


@pytest.mark.parametrize(
    ("name", "branch"),
    [
        ("postfix-3.10.13", "3.10"),
        ("postfix-2.11.0", "2.11"),
        ("openssl-0.9.8zh", "0.9.8"),
        ("openssl-1.1.1w", "1.1.1"),
        ("openssl-1.1.1-pre9", "1.1.1"),
        ("openssl-3.0.20", "3.0"),
        ("openssl-4.0.0", "4.0"),
    ],
)
def test_a_branch_is_what_upstream_calls_one(name: str, branch: str) -> None:
    """OpenSSL's branches had three numbers before 3.0, and have two since."""
    assert name_branch(find_release(*name.split("-", 1))) == branch


def test_each_release_is_counted_once_in_its_branch() -> None:
    """A release is reachable, or a place that does not answer may have it, or no place has it."""
    branches = group_branches(ANSWERS)
    assert [
        (branch.name, len(branch.available), len(branch.unreached), len(branch.missing))
        for branch in branches
    ] == [("1.1.0", 1, 1, 0), ("3.0", 1, 0, 0), ("3.5", 0, 0, 1)]


def test_a_place_that_does_not_answer_names_what_is_missing_for_it() -> None:
    """A release that another place gives is not missing."""
    upstream, github = list_unanswering(ANSWERS)
    assert (upstream.name, upstream.reason) == ("www.openssl.org", "no answer within 5 s")
    assert upstream.releases == github.releases == ("openssl-1.1.0f",)


def test_a_place_that_answers_names_what_it_does_not_have() -> None:
    """A pool is several hosts, so the host is named too."""
    refusals = list_refusals(ANSWERS)
    assert refusals[("www.openssl.org", "HTTP 404")] == ("openssl-3.5.9",)
    assert ("Debian's pool (deb.debian.org)", "HTTP 404") in refusals


def test_a_place_has_a_short_name() -> None:
    """A table has no room for URLs."""
    sources = find_release("openssl", "1.0.2h").sources
    assert [name_place(source) for source in sources] == [
        "www.openssl.org",
        "github.com",
        "npm nodegit@0.20.3",
    ]
    own = Source(
        SourceKind.LOCAL, "0" * 64, 0, "x", path="/cache", origin="the local tree /home/me"
    )
    assert name_place(own) == "the local tree /home/me"
