"""The spellings of causes, compared with real texts of servers, clients and libraries."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.observations.reasons import (
    SIDES,
    UNRECOGNISED,
    first_reason,
    read_spellings,
    reason_of,
)
from harness.reports.labels import REASONS

DATA = Path(__file__).parents[1].joinpath("data")
REAL: list[dict[str, Any]] = [
    record
    for path in sorted(DATA.glob("spellings*.toml"))
    for record in tomllib.loads(path.read_text("utf-8"))["spelling"]
]


@pytest.mark.parametrize(
    "real", REAL, ids=[f"{record['from']}: {record['reason']}" for record in REAL]
)
def test_real_words_have_their_reason(real: dict[str, Any]) -> None:
    """Protects the vocabulary: each of a dozen ways to say one thing is read as that thing."""
    assert first_reason(real["side"], real["text"]) == real["reason"]


@pytest.mark.parametrize("side", SIDES)
def test_an_unknown_text_has_no_reason(side: str) -> None:
    """Protects from guessing: what is not in the table stays unrecognised, with its text."""
    assert first_reason(side, "the moon was in the wrong house") is None


def test_unknown_words_stay_visible() -> None:
    """Protects honesty: neither silence nor an unknown text is taken for a cause."""
    assert reason_of(["connect from unknown[10.0.0.1]"], "PHP is tired", None) == UNRECOGNISED
    assert reason_of([], None, "550 5.9.9 because") == UNRECOGNISED


def test_spellings_are_whole() -> None:
    """Protects the table: each names a side, its software, and a pattern that is one."""
    for spelling in read_spellings():
        assert spelling.side in SIDES
        assert spelling.seen
        re.compile(spelling.pattern)


def test_every_reason_has_words_for_readers() -> None:
    """Protects reports: a reason that the table can give is explained in the legend."""
    assert {spelling.reason for spelling in read_spellings()} <= set(REASONS)


def test_the_fleets_libraries_are_among_the_real_words() -> None:
    """Protects the table's reach: OpenSSL of all ages, GnuTLS, JSSE, Go, Node.js and Mono."""
    text = " ".join(record["from"] for record in REAL)
    for client in ("openssl-1.0.1e", "openssl-3.5.7", "msmtp", "javamail", "go1", "node0", "mono"):
        assert client in text, client
