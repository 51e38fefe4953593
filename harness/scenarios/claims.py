"""The claims of a scenario.toml: which cells to measure, and what each must show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data_models import suggest
from harness.errors import FileError, FileLocation, UsageError
from harness.scenarios.expectation_tables import (
    EXPECTED,
    SELECTORS,
    ExpectationError,
    read_applies,
    read_expected,
    read_says,
    read_where,
)
from harness.scenarios.expectations import Expectation, Where
from harness.scenarios.policies import (
    Policy,
    read_policy,
)
from harness.scenarios.toml_text import line_in_table, line_of
from harness.tls import NAMED_SERVICES, Offer, Service, read_service

if TYPE_CHECKING:
    from harness.scenarios.toml_schema import Description

#: The baseline configuration: others are compared with it unless they name another.
BASELINE = "defaults"
_KEYS = ("says", *SELECTORS, *EXPECTED, "policy")


@dataclass(frozen=True, slots=True)
class Claims:
    """What to measure for a scenario, and what it promises.

    It is measured with ``services``, ``clients`` and ``offers``; empty: the run's defaults.
    ``against`` is the id of the baseline configuration, ``applies`` the versions to which the
    advice applies.
    """

    services: tuple[Service, ...] = ()
    clients: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = ()
    against: str = BASELINE
    applies: Where = field(default_factory=Where)
    expectations: tuple[Expectation, ...] = ()


def read_claims(
    description: Description, text: str, path: Path, policies: Mapping[str, Policy]
) -> tuple[Claims, list[FileError]]:
    """The claims of a scenario.toml, as far as they can be read, and all errors in them.

    Args:
        description: the file as read; ``text`` is its text and ``path`` its path, for messages.
        policies: those to which it may refer.
    """
    reader = _ClaimsReader(text, path, policies)
    claims = Claims(
        services=reader.read_services(description.services or ()),
        clients=description.clients or (),
        offers=reader.read_offers(description.offers or ()),
        against=description.against,
        applies=reader.read_applies(description.applies),
        expectations=tuple(
            expectation
            for n, table in enumerate(description.expect)
            for expectation in reader.read_expect(n, table)
        ),
    )
    return claims, reader.errors


class _ClaimsReader:
    """Reads the parts of one file, and collects the errors in them."""

    def __init__(self, text: str, path: Path, policies: Mapping[str, Policy]) -> None:
        self.errors: list[FileError] = []
        self._text, self._path, self._policies = text, path, policies

    def read_services(self, names: tuple[str, ...]) -> tuple[Service, ...]:
        parsed = []
        for name in names:
            try:
                parsed.append(read_service(name))
            except ValueError:
                known = (*NAMED_SERVICES, "a port such as 2525")
                self._add_error("services", f"there is no service {name!r}", suggest(name, known))
        return tuple(dict.fromkeys(parsed))

    def read_offers(self, texts: tuple[str, ...]) -> tuple[Offer, ...]:
        parsed = []
        for text in texts:
            try:
                parsed.append(Offer.parse(text))
            except UsageError as error:
                self._add_error("offers", error.what, "offers such as TLSv1.2 and default")
        return tuple(dict.fromkeys(parsed))

    def read_applies(self, table: Mapping[str, Any]) -> Where:
        try:
            return read_applies(table)
        except ExpectationError as slip:
            place = self._locate_in_table("applies", 0, slip.key)
            self.errors.append(FileError(place, slip.what, expected=slip.expected))
            return Where()

    def read_expect(self, number: int, table: Mapping[str, Any]) -> tuple[Expectation, ...]:
        """The expectation of one ``[[expect]]`` table, or those of the policy that it names."""
        try:
            return self._read_expectations(number, table)
        except ExpectationError as slip:
            place = self._locate_in_table("expect", number, slip.key)
            self.errors.append(FileError(place, slip.what, expected=slip.expected))
            return ()

    def _read_expectations(self, number: int, table: Mapping[str, Any]) -> tuple[Expectation, ...]:
        for key in table:
            if key not in _KEYS:
                raise ExpectationError(key, "unknown key", suggest(key, _KEYS))
        where, expected, line = (
            read_where(table),
            read_expected(table),
            self._line_of_expect(number),
        )
        says = read_says(table.get("says"))
        if "policy" in table:
            if expected:
                what = "cannot be combined with a policy"
                raise ExpectationError(next(iter(expected)), what, "a separate [[expect]]")
            expectations = read_policy(table["policy"], where, self._policies)
            return tuple(replace(expectation, line=line) for expectation in expectations)
        if not expected:
            raise ExpectationError(
                "", "expects nothing", f"one of {', '.join((*EXPECTED, 'policy'))}"
            )
        wheres = () if where == Where() else (where,)
        return (Expectation(where=wheres, says=says, line=line, **expected),)

    def _line_of_expect(self, number: int) -> int | None:
        return line_in_table(self._text, "expect", number)

    def _locate_in_table(self, table: str, number: int, key: str) -> FileLocation:
        line = line_in_table(self._text, table, number, key or None)
        return FileLocation(self._path, line, f"{table}.{key}" if key else table)

    def _add_error(self, key: str, what: str, expected: str) -> None:
        place = FileLocation(self._path, line_of(self._text, key), key)
        self.errors.append(FileError(place, what, expected=expected))
