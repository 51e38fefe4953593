"""A snapshot as a file: sorted JSON, one row per line, so that a change is a diff of a few lines.

Builds whose cells show the same share a row. Its schema is docs/schemas/snapshot.schema.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
)

from harness.errors import FileError, FileLocation, UsageError
from harness.outcomes import Outcome
from harness.postfix_config.master_cf_overlay import Overlay
from harness.snapshots.json_text import line_of_key, lines_of_items
from harness.snapshots.recorded_candidate import RecordedCandidate
from harness.snapshots.snapshot import (
    SNAPSHOT_SCHEMA,
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
    """A build's versions."""

    postfix: str = ""
    openssl: str = ""
    packages: str = ""


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
    **dict.fromkeys(("forward_secrecy", "anonymous", "resumed", "whole", "as_is"), "true or false"),
}
_RECORD_AGAIN = "undo the edit, or record again with 'postfix-matrix record'"


def format_snapshot(snapshot: Snapshot) -> str:
    """The file's text: the same snapshot is always the same text."""
    candidate = snapshot.candidate
    document = {
        "builds": {name: versions.to_data() for name, versions in snapshot.builds.items()},
        "candidate": {
            "as_is": candidate.as_is,
            "files": dict(candidate.files),
            "main_cf": list(candidate.main_cf),
            "master_cf": list(candidate.master_cf),
            "names": list(candidate.names),
            "overlay": str(candidate.overlay),
            "service": candidate.service,
            "whole": candidate.whole,
        },
        "level": snapshot.level,
        "rows": list(rows_of(snapshot.cells)),
        "schema": SNAPSHOT_SCHEMA,
        "selection": {
            "clients": list(snapshot.selection.clients),
            "offers": list(snapshot.selection.offers),
            "services": list(snapshot.selection.services),
        },
    }
    return "\n".join(["{", *_format_members(document), "}", ""])


def rows_of(cells: Mapping[CellPlace, CellValues]) -> Iterator[dict[str, Any]]:
    """The rows in order; builds whose cells show the same at a place share one."""
    rows: dict[tuple[str, str, str, CellValues], list[str]] = {}
    for place, values in cells.items():
        key = (place.service, place.client, place.offer, values)
        rows.setdefault(key, []).append(place.build)
    order = sorted(rows, key=lambda key: (key[:3], sorted(rows[key])))
    for service, client, offer, values in order:
        builds = sorted(rows[service, client, offer, values])
        place_data = {"service": service, "client": client, "offer": offer, "builds": builds}
        yield {**place_data, **values.to_data()}


def parse_snapshot(text: str, path: Path) -> Snapshot:
    """Read a file's text.

    Raises:
        FileError: it is not JSON, has another schema, or was edited wrongly; with line and key.
    """
    model = _validate_text(text, path)
    lines = lines_of_items(text, "rows")
    cells: dict[CellPlace, CellValues] = {}
    for number, row in enumerate(model.rows):
        line = lines[number] if number < len(lines) else None
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
    )


def load_snapshot(path: Path) -> Snapshot:
    """Read a snapshot.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        FileError: as :func:`parse_snapshot`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the snapshot {path} cannot be read: {error.strerror}",
            next_step=f"record one with 'postfix-matrix record CANDIDATE -o {path}'",
        ) from None
    except UnicodeDecodeError:
        raise FileError(FileLocation(path), "is not UTF-8", next_step=_RECORD_AGAIN) from None
    return parse_snapshot(text, path)


def _format_members(document: Mapping[str, Any]) -> list[str]:
    """The members of an object, one item of each list and object per line."""
    members = [_format_member(key, document[key], " ") for key in sorted(document)]
    return [line for member in _with_commas(members) for line in member]


def _format_member(key: str, value: Any, indent: str) -> list[str]:
    name = f"{indent}{json.dumps(key, ensure_ascii=False)}: "
    deeper = indent + " "
    if isinstance(value, dict) and value and key in ("builds", "candidate", "files", "selection"):
        members = [_format_member(inner, value[inner], deeper) for inner in sorted(value)]
        inside = [line for member in _with_commas(members) for line in member]
        return [f"{name}{{", *inside, f"{indent}}}"]
    if isinstance(value, list) and value:
        items = [[deeper + json.dumps(item, ensure_ascii=False)] for item in value]
        inside = [line for item in _with_commas(items) for line in item]
        return [f"{name}[", *inside, f"{indent}]"]
    return [name + json.dumps(value, ensure_ascii=False)]


def _with_commas(parts: list[list[str]]) -> Iterable[list[str]]:
    for number, part in enumerate(parts, start=1):
        yield part if number == len(parts) else [*part[:-1], part[-1] + ","]


def _validate_text(text: str, path: Path) -> _SnapshotModel:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileError(
            FileLocation(path, error.lineno),
            f"is not JSON: {error.msg}",
            expected="a file that 'postfix-matrix record' wrote",
            next_step=_RECORD_AGAIN,
        ) from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SNAPSHOT_SCHEMA or isinstance(schema, bool):
        what = "this key is missing" if schema is None else f"cannot be {schema!r}"
        raise FileError(
            FileLocation(path, line_of_key(text, "schema"), "schema"),
            what,
            expected=f"{SNAPSHOT_SCHEMA}, the schema of snapshots that this tool reads",
            next_step="use the version of postfix-matrix that recorded it, or record again",
        )
    try:
        return _SnapshotModel.model_validate(data)
    except ValidationError as error:
        # A misspelt key is also missing: the one that is there leads to the mistake.
        problems = sorted(error.errors(), key=lambda p: p["type"] != "extra_forbidden")
        raise _key_error(text, path, dict(problems[0])) from None


def _key_error(text: str, path: Path, problem: Mapping[str, Any]) -> FileError:
    """One of pydantic's errors as a FileError, with the line of the row or of the key."""
    loc = [part for part in problem["loc"] if part != "schema_version"]
    names = [str(part) for part in loc if not isinstance(part, int)]
    key = names[-1] if names else ""
    if loc[:1] == ["rows"] and len(loc) > 1:
        lines = lines_of_items(text, "rows")
        line = lines[loc[1]] if loc[1] < len(lines) else None
    else:
        line = next(filter(None, (line_of_key(text, name) for name in reversed(names))), None)
    place = FileLocation(path, line, ".".join(map(str, loc)))
    expected = _EXPECTED.get(key, "what 'postfix-matrix record' writes")
    if problem["type"] == "extra_forbidden":
        what, expected = "unknown key", f"one of {', '.join(_known_keys(loc))}"
    elif problem["type"] == "missing":
        what = "this key is missing"
    else:
        what = f"cannot be {problem['input']!r}"[:200]
    return FileError(place, what, expected=expected, next_step=_RECORD_AGAIN)


def _known_keys(loc: list[Any]) -> list[str]:
    models: dict[str, type[BaseModel]] = {
        "rows": _RowModel,
        "candidate": _CandidateModel,
        "selection": _SelectionModel,
        "builds": _VersionsModel,
    }
    model = models.get(str(loc[0]), _SnapshotModel) if len(loc) > 1 else _SnapshotModel
    return [field.alias or name for name, field in model.model_fields.items()]


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
