"""Reads the text of a policies.toml, and reports all errors in it by line and key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from harness.data_models import DataProblem, list_problems, suggest
from harness.errors import FileError, FileLocation, UsageError, join_errors
from harness.json_text import Place
from harness.postfix_config.tls_levels import IMPLICIT
from harness.scenarios.expectation_tables import (
    EXPECTED,
    SELECTORS,
    ExpectationError,
    read_expected,
    read_says,
    read_where,
)
from harness.scenarios.expectations import Expectation
from harness.scenarios.policies import Policy, PolicyRemedy
from harness.scenarios.toml_text import line_in_table, parse_toml
from harness.tls import Offer

#: The TLS levels of a service (postfix_config.tls_levels) that lines of main.cf may mend.
LEVELS = ("none", "may", "encrypt", IMPLICIT)
_PARTS = ("says", *SELECTORS, *EXPECTED)
_Line = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\n]+$")]
_Setting = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+[ \t]*=[^\n]*$")]


class _Table(BaseModel):
    """What all tables of the file have in common: no unknown key."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _RemedyTable(_Table):
    """``[[policy.remedy]]``."""

    levels: Annotated[tuple[Literal["none", "may", "encrypt", "implicit TLS"], ...],
                      Field(min_length=1)]  # fmt: skip
    lines: Annotated[tuple[_Setting, ...], Field(min_length=1)]


class _PolicyTable(_Table):
    """``[[policy]]``."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    about: _Line | None = None
    takes: Literal["clients"] | None = None
    offers: tuple[_Line, ...] = ()
    expect: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)]
    remedy: tuple[_RemedyTable, ...] = ()


class _PoliciesFile(_Table):
    """The whole file."""

    policy: tuple[_PolicyTable, ...] = ()


_EXPECTED = {
    "policy": "[[policy]] tables",
    "name": "a name, such as tls12-or-newer",
    "about": "one line of text",
    "takes": '"clients"',
    "offers": "a list of offers, such as TLSv1.2 and default",
    "expect": "[[policy.expect]] tables",
    "remedy": "[[policy.remedy]] tables",
    "levels": f"a list of {', '.join(LEVELS)}",
    "lines": 'a list of settings, such as "smtpd_tls_protocols = !TLSv1"',
}


def parse_policies(text: str, path: Path) -> dict[str, Policy]:
    """The policies of a text by name.

    Raises:
        FileError: there is one error in it.
        FileErrors: with all errors in it.
    """
    reader = _PoliciesReader(text, path)
    policies = reader.read()
    if reader.errors:
        step = "correct it; docs/verdicts.md has the form and examples"
        raise join_errors(reader.errors, "the policies have", next_step=step)
    return policies


class _PoliciesReader:
    """Reads one file, and collects the errors in it."""

    def __init__(self, text: str, path: Path) -> None:
        self.errors: list[FileError] = []
        self._text, self._path = text, path
        #: The number of [[policy.expect]] and [[policy.remedy]] tables before each policy.
        self._before: list[dict[str, int]] = []

    def read(self) -> dict[str, Policy]:
        """The policies that could be read."""
        try:
            data = parse_toml(self._text, self._path, "[[policy]] tables")
            self._count_tables(data)
            content = _PoliciesFile.model_validate(data)
        except FileError as error:
            self.errors.append(error)
            return {}
        except ValidationError as error:
            problems = list_problems(error, _PoliciesFile, _expect_at)
            self.errors += map(self._locate_problem, problems)
            return {}
        policies: dict[str, Policy] = {}
        for number, table in enumerate(content.policy):
            if table.name in policies:
                place = self._find_place((("policy", number)), "name", f"policy.{table.name}")
                self.errors.append(FileError(place, "is there twice", expected="another name"))
            policies[table.name] = self._read_policy(number, table)
        return policies

    def _count_tables(self, data: dict[str, Any]) -> None:
        counts = {"expect": 0, "remedy": 0}
        tables = data.get("policy")
        for table in tables if isinstance(tables, list) else ():
            self._before.append(dict(counts))
            for key in counts:
                inner = table.get(key) if isinstance(table, dict) else None
                counts[key] += len(inner) if isinstance(inner, list) else 0

    def _read_policy(self, number: int, table: _PolicyTable) -> Policy:
        return Policy(
            name=table.name,
            about=table.about or table.name,
            expectations=tuple(self._read_expectations(number, table)),
            offers=tuple(self._read_offers(number, table)),
            takes=table.takes,
            remedies=tuple(PolicyRemedy(each.levels, each.lines) for each in table.remedy),
            line=line_in_table(self._text, "policy", number),
        )

    def _read_offers(self, number: int, table: _PolicyTable) -> Iterator[Offer]:
        for text in table.offers:
            try:
                yield Offer.parse(text)
            except UsageError as error:
                place = self._find_place(
                    ("policy", number), "offers", f"policy.{table.name}.offers"
                )
                self.errors.append(FileError(place, error.what, expected=_EXPECTED["offers"]))

    def _read_expectations(self, number: int, table: _PolicyTable) -> Iterator[Expectation]:
        for inner, part in enumerate(table.expect):
            try:
                yield _read_expect(part)
            except ExpectationError as slip:
                key = f"policy.{table.name}.expect.{slip.key}"
                place = self._find_place(("policy", number, "expect", inner), slip.key, key)
                self.errors.append(FileError(place, slip.what, expected=slip.expected))

    def _locate_problem(self, problem: DataProblem) -> FileError:
        names = [str(part) for part in problem.place if isinstance(part, str)]
        key = ".".join(names)
        *outer, last = names or [""]
        place = self._find_place(problem.place[: len(outer) * 2], last, key)
        return FileError(place, problem.what, expected=problem.expected)

    def _find_place(self, table: Place, key: str, name: str) -> FileLocation:
        """The place of a key in ``[[policy]]``, or in a table of one."""
        if len(table) < 2:
            return FileLocation(self._path, line_in_table(self._text, "", 0, key) or 1, name)
        number = int(table[1])
        if len(table) < 4:
            line = line_in_table(self._text, "policy", number, key)
        else:
            inner = self._before[number][str(table[2])] + int(table[3])
            line = line_in_table(self._text, f"policy.{table[2]}", inner, key)
        return FileLocation(self._path, line, name)


def _expect_at(place: Place) -> str:
    """What a place of the file must have."""
    names = [str(part) for part in place if isinstance(part, str)]
    return _EXPECTED.get(names[-1], "") if names else ""


def _read_expect(table: dict[str, Any]) -> Expectation:
    for key in table:
        if key not in _PARTS:
            raise ExpectationError(key, "unknown key", suggest(key, _PARTS))
    expected = read_expected(table)
    if not expected:
        raise ExpectationError("", "expects nothing", f"one of {', '.join(EXPECTED)}")
    return Expectation(where=(read_where(table),), says=read_says(table.get("says")), **expected)
