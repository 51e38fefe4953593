"""Each reason of the vocabulary is provoked for real by a Docker test, or the docs say why not.

The Docker tests' own tables are read: rows of ``pytest.mark.parametrize`` with a ``reason``.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from harness.observations.reasons import read_spellings
from harness.observations.record import Outcome

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reading-the-matrix.md"
#: A table's row whose first field is a reason: "| `auth-failed` | why |".
_ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """One cell that a Docker test measures, and what it is held to.

    ``table`` is the test's name; ``by`` who made the offer (or the peer), from the cell's id.
    """

    table: str
    by: str
    outcome: str
    reason: str | None


def rows_of(module: ModuleType) -> Iterator[Row]:
    """The rows of a module's tests that hold a cell to an outcome and a reason."""
    for name, test in vars(module).items():
        if not name.startswith("test_"):
            continue
        for mark in getattr(test, "pytestmark", []):
            if mark.name != "parametrize" or not {"where", "reason"} <= set(mark.args[0]):
                continue
            names = mark.args[0]
            for values in mark.args[1]:
                row = dict(zip(names, values, strict=True))
                by = row["where"].split("/")[-2]
                yield Row(f"{module.__name__}.{name}", by, row["outcome"], row["reason"])


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """All of tests/docker."""
    names = sorted(path.stem for path in (ROOT / "tests" / "docker").glob("test_*.py"))
    return [
        row for name in names for row in rows_of(importlib.import_module(f"tests.docker.{name}"))
    ]


def unprovoked() -> dict[str, str]:
    """What the docs say is not provoked, and why."""
    text = PAGE.read_text("utf-8")
    _, _, section = text.partition("\n## Reasons that no test provokes\n")
    return dict(_ROW.findall(section.split("\n## ")[0]))


def test_each_reason_is_provoked_or_explained(rows: list[Row]) -> None:
    """Protects the vocabulary: a new reason needs a real server that gives it, or an explanation,
    and an explanation that is no longer true has to go.
    """
    vocabulary = {spelling.reason for spelling in read_spellings()}
    provoked = {row.reason for row in rows if row.reason}
    assert vocabulary - provoked == set(unprovoked())


def test_each_provoked_reason_has_a_neighbour(rows: list[Row]) -> None:
    """Protects causes: the same client, in the same test, once meets another end."""
    vocabulary = {spelling.reason for spelling in read_spellings()}
    provoked = {row.reason for row in rows if row.reason in vocabulary}
    assert provoked - {row.reason for row in rows if _has_neighbour(row, rows)} == set()


def _has_neighbour(row: Row, rows: list[Row]) -> bool:
    return any(
        (other.table, other.by) == (row.table, row.by) and other.reason != row.reason
        for other in rows
    )


def test_the_tables_say_outcomes_that_there_are(rows: list[Row]) -> None:
    """Protects this page's reading: a row of another shape would count for nothing."""
    assert rows
    assert {row.outcome for row in rows} <= set(Outcome)
