"""Known failures: ``known.toml`` beside a snapshot says which cells fail, how, why, until when."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.catalog.versions import Version
from harness.data_models import show_value, suggest
from harness.errors import FileError, FileLocation, UsageError, join_errors
from harness.input_files import MOST_WRITTEN_BYTES, is_there, read_text_file
from harness.observations.reasons import covers
from harness.observations.record import Observation, Outcome
from harness.scenarios.expectation_tables import (
    SELECTORS,
    ExpectationError,
    read_expected,
    read_line,
    read_where,
)
from harness.scenarios.expectations import Where
from harness.scenarios.toml_text import line_in_table, parse_toml
from harness.snapshots.values import BuildVersions, CellPlace

#: The file's name, beside the snapshot.
KNOWN_FAILURES = "known.toml"
_TABLE = "known"
_KEYS = (*SELECTORS, "outcome", "reason", "why", "until", "snapshots")


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """Cells that fail in a known way. ``until``: the last day on which that is accepted.

    ``snapshots`` are globs for the file names of the snapshots that it is about; (): all.
    """

    where: Where
    outcome: tuple[Outcome, ...]
    why: str
    place: FileLocation
    reason: tuple[str, ...] = ()
    until: datetime.date | None = None
    snapshots: tuple[str, ...] = ()

    def is_about(self, snapshot: str) -> bool:
        """Whether it is about the snapshot with this file name."""
        return not self.snapshots or any(fnmatchcase(snapshot, glob) for glob in self.snapshots)

    def has_expired(self, today: datetime.date) -> bool:
        """Whether its last day is over."""
        return self.until is not None and self.until < today

    def covers_place(self, place: CellPlace, versions: BuildVersions | None) -> bool:
        """Whether it is about a cell of a build with these versions."""
        known = versions or BuildVersions()
        postfix, openssl = _parse_version(known.postfix), _parse_version(known.openssl)
        return self.where.fits_build(place.build, postfix, openssl) and self.where.fits_place(
            place.service, place.client, place.offer
        )

    def is_met_by(self, observation: Observation) -> bool:
        """Whether a cell fails in just that way."""
        if observation.outcome not in self.outcome:
            return False
        return not self.reason or any(covers(name, observation.reason) for name in self.reason)

    @property
    def failure(self) -> str:
        """The failure that it expects: ``refused: protocol-version``."""
        outcomes = " or ".join(self.outcome)
        return f"{outcomes}: {' or '.join(self.reason)}" if self.reason else outcomes


@dataclass(frozen=True, slots=True)
class KnownFailureFault:
    """A known failure that is wrong itself, which makes a check red."""

    known: KnownFailure
    what: str


@dataclass(frozen=True, slots=True)
class KnownFailures:
    """Those of one file that are about one snapshot."""

    entries: tuple[KnownFailure, ...] = ()
    today: datetime.date = datetime.date.min

    def find(self, place: CellPlace, versions: BuildVersions | None) -> KnownFailure | None:
        """The first one that is about a cell and has not expired."""
        for known in self.entries:
            if not known.has_expired(self.today) and known.covers_place(place, versions):
                return known
        return None

    def find_faults(
        self, places: Iterable[CellPlace], versions: Mapping[str, BuildVersions]
    ) -> tuple[KnownFailureFault, ...]:
        """Those that have expired, or are about no cell of the snapshot or of the measurement."""
        places = list(places)
        faults = []
        for known in self.entries:
            if known.has_expired(self.today):
                faults.append(KnownFailureFault(known, f"has expired on {known.until}"))
            elif not any(known.covers_place(p, versions.get(p.build)) for p in places):
                faults.append(KnownFailureFault(known, "matches no cell"))
        return tuple(faults)


def load_known_failures(path: Path, snapshot: str, today: datetime.date) -> KnownFailures:
    """Those of a file that are about a snapshot, by its file name; none where there is no file.

    Raises:
        FileError: the file cannot be read, or has an error; with line, key and what was expected.
    """
    if not is_there(path):
        return KnownFailures((), today)
    text = read_text_file(path, most=MOST_WRITTEN_BYTES)
    entries = parse_known_failures(text, path)
    return KnownFailures(tuple(known for known in entries if known.is_about(snapshot)), today)


def parse_known_failures(text: str, path: Path) -> tuple[KnownFailure, ...]:
    """Read the text of a ``known.toml``.

    Raises:
        FileError: it is not TOML, or has something else than ``[[known]]`` tables.
        FileErrors: with all errors in these, each with line, key and what was expected.
    """
    data = parse_toml(text, path, "[[known]] tables")
    tables = data.pop(_TABLE, [])
    if data or not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        key = next(iter(data), _TABLE)
        line = line_in_table(text, key, 0) or line_in_table(text, "", 0, key)
        place = FileLocation(path, line, key)
        raise FileError(place, "unknown key", expected="[[known]] tables")
    entries, errors = [], []
    for number, table in enumerate(tables):
        try:
            entries.append(_read_table(text, path, number, table))
        except FileError as error:
            errors.append(error)
    if errors:
        step = "correct them; docs/snapshots.md has the form and examples"
        raise join_errors(errors, "the known failures have", next_step=step)
    return tuple(entries)


def _read_table(text: str, path: Path, number: int, table: Mapping[str, Any]) -> KnownFailure:
    try:
        return _read_known(FileLocation(path, line_in_table(text, _TABLE, number)), table)
    except ExpectationError as slip:
        line = line_in_table(text, _TABLE, number, slip.key or None)
        place = FileLocation(path, line, f"{_TABLE}.{slip.key}")
        raise FileError(place, str(slip), expected=slip.expected) from None


def _read_known(place: FileLocation, table: Mapping[str, Any]) -> KnownFailure:
    for key in table:
        if key not in _KEYS:
            raise ExpectationError(key, "unknown key", suggest(key, _KEYS))
    for key, expected in (("outcome", "an outcome such as refused"), ("why", "one line of text")):
        if key not in table:
            raise ExpectationError(key, "this key is missing", expected)
    required = read_expected({k: v for k, v in table.items() if k in ("outcome", "reason")})
    why, until = read_line("why", table["why"]), table.get("until")
    if until is not None and (
        not isinstance(until, datetime.date) or isinstance(until, datetime.datetime)
    ):
        raise ExpectationError(
            "until", f"cannot be {show_value(until)}", "a day such as 2027-03-01"
        )
    return KnownFailure(
        where=read_where(table),
        outcome=required["outcome"],
        why=why,
        place=place,
        reason=required.get("reason", ()),
        until=until,
        snapshots=_read_globs(table.get("snapshots", [])),
    )


def _read_globs(value: object) -> tuple[str, ...]:
    globs = value if isinstance(value, list) else [value]
    if not all(isinstance(glob, str) and glob.strip() for glob in globs):
        what = f"cannot be {show_value(value)}"
        raise ExpectationError("snapshots", what, "a list of file names")
    return tuple(globs)


def _parse_version(text: str) -> Version | None:
    try:
        return Version.parse(text) if text else None
    except UsageError:
        return None
