"""Reads a snapshot's file, and refuses a wrong one by line and key.

Its schema is docs/schemas/snapshot.schema.json; ``snapshot_text`` writes it.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
)

from harness.data_models import DataError, list_problems, locate_problems
from harness.errors import FileError, FileLocation, UsageError, join_errors
from harness.input_files import read_text_file
from harness.json_text import Place, find_lines, parse_json
from harness.outcomes import Outcome
from harness.postfix_config.master_cf_overlay import Overlay
from harness.snapshots.recorded_candidate import RecordedCandidate
from harness.snapshots.snapshot import (
    SNAPSHOT_SCHEMA,
    EarlierCandidate,
    RecordedSelection,
    Snapshot,
)
from harness.snapshots.values import (
    BEHAVIOUR,
    EXACT,
    POLICY,
    BuildVersions,
    CellPlace,
    CellValues,
    PolicyResult,
    Strength,
)
from harness.tls import Offer, Protocol, Service
from harness.verdicts.observation_diff import INCONCLUSIVE

#: Outcomes that a row can have: those of cells that show something about the server.
RECORDED_OUTCOMES = tuple(outcome for outcome in Outcome if outcome not in INCONCLUSIVE)


def _check_recorded(outcome: Outcome) -> Outcome:
    if outcome not in RECORDED_OUTCOMES:
        raise ValueError("such a cell is never recorded")
    return outcome


_Name = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^/\n]+$")]
_RecordedOutcome = Annotated[Outcome, AfterValidator(_check_recorded)]


class _SnapshotPart(BaseModel):
    """What all parts of the file have in common: no unknown key."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _RowModel(_SnapshotPart):
    """One row: a place on some builds, and what is kept of it."""

    service: _Name
    client: _Name
    offer: _Name
    builds: Annotated[tuple[_Name, ...], Field(min_length=1)]
    outcome: _RecordedOutcome | None = None
    reason: str | None = None
    protocol: Protocol | None = None
    forward_secrecy: StrictBool | None = None
    strength: Strength | None = None
    anonymous: StrictBool | None = None
    trust: str | None = None
    resumed: StrictBool | None = None
    certificate: tuple[str, ...] | None = None
    cipher: str | None = None
    group: str | None = None
    policy: PolicyResult | None = None

    def values(self) -> CellValues:
        """What is kept of each of its cells."""
        kept = self.model_dump(exclude={"service", "client", "offer", "builds"})
        protocol = None if self.protocol is None else str(self.protocol)
        return CellValues(**{**kept, "protocol": protocol})


class _VersionsModel(_SnapshotPart):
    """A build's versions; its fields are those of BuildVersions."""

    postfix: str = ""
    openssl: str = ""
    packages: str = ""
    origin: Literal["", "image", "source"] = ""


class _CandidateModel(_SnapshotPart):
    """The candidate; its fields are those of RecordedCandidate."""

    main_cf: tuple[str, ...]
    master_cf: tuple[str, ...]
    overlay: Overlay
    whole: StrictBool
    as_is: StrictBool
    names: tuple[str, ...]
    service: str
    files: dict[str, str]


class _EarlierModel(_SnapshotPart):
    """A candidate with other settings, and the cells that were recorded under it."""

    candidate: _CandidateModel
    cells: Annotated[tuple[str, ...], Field(min_length=1)]


class _SelectionModel(_SnapshotPart):
    """What chose services, clients and offers."""

    services: tuple[str, ...]
    clients: tuple[str, ...]
    offers: tuple[str, ...]


class _SnapshotModel(_SnapshotPart):
    """The whole file."""

    schema_version: int = Field(alias="schema")
    level: str
    candidate: _CandidateModel
    selection: _SelectionModel
    builds: dict[str, _VersionsModel]
    rows: tuple[_RowModel, ...]
    earlier: tuple[_EarlierModel, ...] = ()


_EXPECTED = {
    "service": "smtp, submission, submissions, outbound or a port",
    "client": "a client's name",
    "offer": "an offer such as TLSv1.2 or default",
    "builds": "a list of builds' names; at the top, an object with each build's versions",
    "outcome": f"one of {', '.join(RECORDED_OUTCOMES)}",
    "protocol": f"one of {', '.join(Protocol)}",
    "strength": f"one of {', '.join(Strength)}",
    "policy": f"one of {', '.join(PolicyResult)}",
    "certificate": "a list of names",
    "overlay": f"one of {', '.join(Overlay)}",
    "level": f"{BEHAVIOUR}, {EXACT} or '{POLICY} NAME'",
    "rows": "a list of rows",
    "candidate": "the object that 'postfix-matrix record' writes",
    "selection": "the object that 'postfix-matrix record' writes",
    "origin": "image or source, for a build of your own",
    "cells": "builds that have a row, or cells such as debian-12/smtp/openssl-3.5.7/TLSv1.2",
    **dict.fromkeys(("forward_secrecy", "anonymous", "resumed", "whole", "as_is"), "true or false"),
}
_RECORD_AGAIN = "undo the edit, or record again with 'postfix-matrix record'"


def parse_snapshot(text: str, path: Path) -> Snapshot:
    """Read a file's text.

    Raises:
        FileError: it is not JSON, has another schema, or was edited wrongly; with line and key.
    """
    model = _validate_text(text, path)
    places: list[Place] = [("rows", number) for number in range(len(model.rows))]
    lines = find_lines(text, [*places, ("earlier",)])
    cells: dict[CellPlace, CellValues] = {}
    for number, row in enumerate(model.rows):
        line = lines["rows", number]
        _check_row(row, model.level, FileLocation(path, line))
        for build in row.builds:
            place = CellPlace(build, row.service, row.client, row.offer)
            if place in cells:
                what = f"{place} has a row already"
                raise FileError(FileLocation(path, line, "builds"), what, expected="each cell once")
            cells[place] = row.values()
    candidate = RecordedCandidate(**model.candidate.model_dump())
    return Snapshot(
        level=model.level,
        candidate=candidate,
        builds={name: BuildVersions(**v.model_dump()) for name, v in model.builds.items()},
        cells=cells,
        selection=RecordedSelection(**model.selection.model_dump()),
        earlier=_read_earlier(model, cells, FileLocation(path, lines[("earlier",)])),
    )


def _read_earlier(
    model: _SnapshotModel, cells: Collection[CellPlace], where: FileLocation
) -> tuple[EarlierCandidate, ...]:
    """The earlier candidates.

    Raises:
        FileError: one is about a cell without a row, or about one that another has.
    """
    left = set(cells)
    earlier = []
    for number, of in enumerate(model.earlier):
        places: set[CellPlace] = set()
        for name in of.cells:
            named = {place for place in left if name in (place.build, str(place))}
            if not named:
                place = FileLocation(where.file, where.line, f"earlier.{number}.cells")
                what = f"no row has {name}, or it is named twice"
                raise FileError(place, what, expected=_EXPECTED["cells"], next_step=_RECORD_AGAIN)
            places |= named
            left -= named
        candidate = RecordedCandidate(**of.candidate.model_dump())
        earlier.append(EarlierCandidate(candidate, frozenset(places)))
    return tuple(earlier)


def load_snapshot(path: Path) -> Snapshot:
    """Read a snapshot.

    Raises:
        FileError: it cannot be read, or as :func:`parse_snapshot`.
        FileErrors: as :func:`parse_snapshot`.
    """
    step = f"record one with 'postfix-matrix record CANDIDATE -o {path}'"
    return parse_snapshot(read_text_file(path, next_step=step), path)


def _validate_text(text: str, path: Path) -> _SnapshotModel:
    data = parse_json(text, path, next_step=_RECORD_AGAIN)
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SNAPSHOT_SCHEMA or type(schema) is not int:
        what = "this key is missing" if schema is None else f"cannot be {schema!r}"[:100]
        raise FileError(
            FileLocation(path, find_lines(text, [("schema",)])[("schema",)], "schema"),
            what,
            expected=f"{SNAPSHOT_SCHEMA}, the schema of snapshots that this tool reads",
            next_step="use the version of postfix-matrix that recorded it, or record again",
        )
    try:
        return _SnapshotModel.model_validate(data)
    except ValidationError as error:
        problems = DataError(list_problems(error, _SnapshotModel, _expect_at))
        errors = locate_problems(problems, text, path, next_step=_RECORD_AGAIN)
        raise join_errors(errors, "the snapshot has", next_step=_RECORD_AGAIN) from None


def _expect_at(place: Place) -> str:
    """What a place of the file must have."""
    names = [str(part) for part in place if not isinstance(part, int)]
    return _EXPECTED.get(names[-1], "") if names else ""


def _check_row(row: _RowModel, level: str, place: FileLocation) -> None:
    """Refuse a row that has no place in a run, or not what its level keeps.

    Raises:
        FileError: with the row's line, and the key.
    """
    is_policy = level.startswith(f"{POLICY} ")
    required_key, other_key = ("policy", "outcome") if is_policy else ("outcome", "policy")
    if getattr(row, required_key) is None or getattr(row, other_key) is not None:
        key = FileLocation(place.file, place.line, required_key)
        what = f"a row of the level {level} has {required_key}, and no {other_key}"
        raise FileError(key, what, expected=_EXPECTED[required_key], next_step=_RECORD_AGAIN)
    try:
        Service(row.service)
    except ValueError:
        key = FileLocation(place.file, place.line, "service")
        what = f"there is no service {row.service!r}"
        raise FileError(key, what, expected=_EXPECTED["service"]) from None
    try:
        Offer.parse(row.offer)
    except UsageError as error:
        key = FileLocation(place.file, place.line, "offer")
        raise FileError(key, error.what, expected=_EXPECTED["offer"]) from None
