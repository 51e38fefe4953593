"""What a scenario.toml asks of its cells: which to measure, and what each must show. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import FileError, FileLocation, UsageError
from harness.scenarios.expectations import (
    EXPECTED,
    SELECTORS,
    Expectation,
    Slip,
    Where,
    read_applies,
    read_expected,
    read_where,
)
from harness.scenarios.policies import (
    Policy,
    read_policy,
)
from harness.scenarios.toml_schema import (
    Description,
    among,
    line_in_table,
    line_of,
)
from harness.tls import NAMED_SERVICES, Offer, Service, read_service

#: The scenario that others are held against where they name none.
CONTROL = "defaults"
_KEYS = ("says", *SELECTORS, *EXPECTED, "policy")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a scenario is about and what it promises.

    ``services``, ``clients`` and ``offers`` are what to measure it with, empty: what a run measures
    unasked. ``against`` is the id of the control configuration, ``applies`` the versions that the
    advice is for.
    """

    services: tuple[Service, ...] = ()
    clients: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = ()
    against: str = CONTROL
    applies: Where = field(default_factory=Where)
    expectations: tuple[Expectation, ...] = ()


def read_claims(
    description: Description, text: str, path: Path, policies: Mapping[str, Policy]
) -> tuple[Claims, list[FileError]]:
    """The claims of a scenario.toml, as far as they can be read, and all that is wrong with them.

    Args:
        description: the file as read; ``text`` is its text and ``path`` its path, for messages.
        policies: those that it may name.
    """
    reader = _ClaimsReader(text, path, policies)
    claims = Claims(
        services=reader.services(description.services or ()),
        clients=description.clients or (),
        offers=reader.offers(description.offers or ()),
        against=description.against,
        applies=reader.applies(description.applies),
        expectations=tuple(
            one for n, table in enumerate(description.expect) for one in reader.expect(n, table)
        ),
    )
    return claims, reader.errors


class _ClaimsReader:
    """Reads the parts of one file, and collects what is wrong with each."""

    def __init__(self, text: str, path: Path, policies: Mapping[str, Policy]) -> None:
        self.errors: list[FileError] = []
        self._text, self._path, self._policies = text, path, policies

    def services(self, names: tuple[str, ...]) -> tuple[Service, ...]:
        found = []
        for name in names:
            try:
                found.append(read_service(name))
            except ValueError:
                known = (*NAMED_SERVICES, "a port such as 2525")
                self._wrong("services", f"there is no service {name!r}", among(name, known))
        return tuple(dict.fromkeys(found))

    def offers(self, texts: tuple[str, ...]) -> tuple[Offer, ...]:
        found = []
        for text in texts:
            try:
                found.append(Offer.parse(text))
            except UsageError as error:
                self._wrong("offers", error.what, "offers such as TLSv1.2 and default")
        return tuple(dict.fromkeys(found))

    def applies(self, table: Mapping[str, Any]) -> Where:
        try:
            return read_applies(table)
        except Slip as slip:
            place = self._in_table("applies", 0, slip.key)
            self.errors.append(FileError(place, slip.what, expected=slip.expected))
            return Where()

    def expect(self, number: int, table: Mapping[str, Any]) -> tuple[Expectation, ...]:
        """One ``[[expect]]`` table: one expectation, or those of the policy that it names."""
        try:
            return self._expectations(number, table)
        except Slip as slip:
            place = self._in_table("expect", number, slip.key)
            self.errors.append(FileError(place, slip.what, expected=slip.expected))
            return ()

    def _expectations(self, number: int, table: Mapping[str, Any]) -> tuple[Expectation, ...]:
        for key in table:
            if key not in _KEYS:
                raise Slip(key, "unknown key", among(key, _KEYS))
        where, expected, line = read_where(table), read_expected(table), self._line(number)
        says = _says(table.get("says"))
        if "policy" in table:
            if expected:
                raise Slip(next(iter(expected)), "a policy says all", "an [[expect]] of its own")
            found = read_policy(table["policy"], where, self._policies)
            return tuple(replace(one, line=line) for one in found)
        if not expected:
            raise Slip("", "expects nothing", f"one of {', '.join((*EXPECTED, 'policy'))}")
        wheres = () if where == Where() else (where,)
        return (Expectation(where=wheres, says=says, line=line, **expected),)

    def _line(self, number: int) -> int | None:
        return line_in_table(self._text, "expect", number)

    def _in_table(self, table: str, number: int, key: str) -> FileLocation:
        line = line_in_table(self._text, table, number, key or None)
        return FileLocation(self._path, line, f"{table}.{key}" if key else table)

    def _wrong(self, key: str, what: str, expected: str) -> None:
        place = FileLocation(self._path, line_of(self._text, key), key)
        self.errors.append(FileError(place, what, expected=expected))


def _says(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value.strip() and "\n" not in value.strip()):
        return value.strip() if isinstance(value, str) else None
    raise Slip("says", f"cannot be {value!r}", "one line of text")
