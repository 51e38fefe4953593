"""Read a run folder (docs/run-folder.md): what ran, what was observed, and evidence on demand.

A run that was killed is a run: a torn last line is dropped with a note, and a missing evidence file
is None. Anything else that violates the contract is an error that names the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge

from harness.catalog.peers import is_peer
from harness.data_models import (
    DataError,
    check_json_file,
    load_form,
    locate_problems,
    read_json_data,
    show_value,
)
from harness.errors import FileError, FileLocation, join_errors
from harness.input_files import is_there, read_file, read_text_file
from harness.json_text import find_lines, parse_json
from harness.observations.evidence_names import earlier_instance_path, instance_path
from harness.observations.licence import DEFAULT_LICENCE
from harness.observations.local_paths import hide_in_record
from harness.observations.record import (
    Count,
    MeasuredWith,
    Observation,
    Seconds,
    parse_observation,
)
from harness.postfix_config.master_cf_overlay import Overlay
from harness.scenarios.claims import BASELINE
from harness.scenarios.expectations import Expectation, Where, where_from
from harness.tls import DEFAULT, NEVER_PLAINTEXT, PLAINTEXT, Offer, Service

if TYPE_CHECKING:
    from pydantic import TypeAdapter

#: Version of ``run.json``'s form that this module reads.
RUN_SCHEMA = 1
#: The file that makes a folder a run.
RUN_FILE = "run.json"
#: Why a place in the tables is no cell of the run.
UNPINNED = "this client cannot be told what to offer"
OTHER_WAY = "clients connect to this server; peers are servers that it sends mail to"
CLIENTS_ALONE = "a peer cannot be told to do what only a client does"
TLS_FIRST = "TLS comes first on this service, so nothing is offered without it"
_TLS_FIRST = frozenset(str(service) for service in NEVER_PLAINTEXT)
OUT_OF_SCOPE = "not measured under this scenario, whose advice is about something else"
_RUN_AGAIN = "undo the edit, or run again"
_REMOVE_EVIDENCE = "remove the file: the cell is then shown without its evidence"
#: A larger file is no evidence; in bytes. A session's log has some KiB.
_MOST_EVIDENCE = 64 << 20
#: One JSON object as it is in an evidence file; its keys are in docs/run-folder.md.
Evidence = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ScopeAxes:
    """What one scenario was measured with, where that is less than the run's axes.

    ``builds`` are its builds, where these are fewer than the run's; () are all.
    """

    services: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Axes:
    """What the run requested, in the order of its tables, including what was unavailable.

    ``unpinned`` are the clients that cannot be told what to offer: they have ``default`` only.
    ``scopes`` are those of the scenarios that do not cover all services, clients and offers.
    """

    builds: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    unpinned: tuple[str, ...] = ()
    scopes: Mapping[str, ScopeAxes] = field(default_factory=dict)

    def scope(self, scenario: str) -> ScopeAxes:
        """What a scenario was to be measured with."""
        return self.scopes.get(scenario) or ScopeAxes(self.services, self.clients, self.offers)

    def builds_of(self, scenario: str) -> tuple[str, ...]:
        """The builds that a scenario was to be measured on."""
        return self.scope(scenario).builds or self.builds

    def offers_for(self, scenario: str, service: str, client: str) -> tuple[str, ...]:
        """The offers that a client makes at a service under a scenario."""
        return tuple(
            offer
            for offer in self.scope(scenario).offers
            if self.unplanned(scenario, service, client, offer) is None
        )

    def planned(self) -> int:
        """How many cells the axes make."""
        return sum(
            len(self.builds_of(name)) * len(self.offers_for(name, service, client))
            for name in self.scenarios
            for service in self.scope(name).services
            for client in self.scope(name).clients
        )

    def unplanned(self, scenario: str, service: str, client: str, offer: str) -> str | None:
        """Why the axes have no such cell; None where they have it."""
        scope = self.scopes.get(scenario)
        if scope is not None and (
            service not in scope.services
            or client not in scope.clients
            or offer not in scope.offers
        ):
            return OUT_OF_SCOPE
        if is_peer(client) != (service == str(Service.OUTBOUND)):
            return OTHER_WAY
        if is_peer(client) and Offer.parse(offer).extras:
            return CLIENTS_ALONE
        if offer == PLAINTEXT and service in _TLS_FIRST:
            return TLS_FIRST
        return UNPINNED if client in self.unpinned and offer != DEFAULT else None


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a scenario says and promises, as verdicts need it (scenarios.claims, .scenario)."""

    expectations: tuple[Expectation, ...] = ()
    against: str = BASELINE
    applies: Where = field(default_factory=Where)
    main_cf: str = ""
    master_cf: str = ""


@dataclass(frozen=True, slots=True)
class ScenarioInfo:
    """A piece of advice: what it claims in one sentence, and where it was given.

    ``main_cf`` and ``master_cf`` are its fragments verbatim, ``expect`` its expectations and
    ``applies`` the versions it is for, as JSON has them; a run of an earlier version has none.
    """

    title: str = ""
    source: str | None = None
    url: str | None = None
    claim: str = ""
    collection: str | None = None
    main_cf: str = ""
    master_cf: str = ""
    overlay: str = Overlay.REPLACE.value
    against: str = BASELINE
    applies: Mapping[str, Any] = field(default_factory=dict)
    expect: tuple[Mapping[str, Any], ...] = ()

    @property
    def claimed(self) -> Claimed:
        """What is needed to judge it."""
        return Claimed(
            expectations=tuple(Expectation.from_data(record) for record in self.expect),
            against=self.against,
            applies=where_from(self.applies),
            main_cf=self.main_cf,
            master_cf=self.master_cf,
        )


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Versions as the running image reported them; "" where it could not.

    ``openssl_compiled`` is what its Postfix was compiled with, ``openssl_loaded`` the library that
    its processes load, ``openssl_cli`` that of openssl(1) on PATH; ``packages`` are those of a
    distribution ("postfix 3.7.11-0+deb12u1; ..."). ``system_policy`` is what the system's
    configuration sets for every program that uses OpenSSL ("CipherString = DEFAULT@SECLEVEL=2").
    """

    postfix: str = ""
    openssl_compiled: str = ""
    openssl_loaded: str = ""
    openssl_cli: str = ""
    packages: str = ""
    system_policy: str = ""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Provenance of an image; ``kind`` is build, client, control or another helper's name.

    The other fields are for builds, and for runs that recorded them. ``unverified``: made from a
    user's source, which has no checksum in the catalog. ``foreign``: a user's image.
    ``flavour`` is that of the OpenSSL linked with: stock, legacy or debian. ``build_log`` is the
    log's name on the machine that made the image. ``pulled`` is a registry's name for an image that
    was built elsewhere, HOST/NAME@sha256:…
    """

    kind: str
    reference: str = ""
    id: str = ""
    postfix: str | None = None
    openssl: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    describe: Mapping[str, Any] | None = None
    unverified: bool = False
    foreign: bool = False
    flavour: str | None = None
    read_back: ReadBack | None = None
    build_log: str | None = None
    pulled: str | None = None


class UnavailableCategory(StrEnum):
    """Why something is unavailable, as far as a reader would act on it differently."""

    DOES_NOT_BUILD = "does-not-build"
    SOURCE = "source"
    IMAGE = "image"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Missing:
    """A build, a client or a control that was unavailable, and why.

    ``category`` is a value of :class:`UnavailableCategory`; one that a later version may add is
    kept as it is.
    """

    name: str
    kind: str
    why: str
    category: str = UnavailableCategory.OTHER


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The runner's closing figures; ``seconds`` is the wall time from first to last cell."""

    planned: Count | None = None
    measured: Count | None = None
    seconds: Seconds | None = None
    cells_per_second: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """What made the run."""

    name: str = "postfix-matrix"
    version: str = ""


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """Which part of a plan the run measured: shard ``index`` of ``count``, counted from 1.

    ``axes`` are those of the whole plan; the run's own are its shard's. None in the list of what a
    merged run was made of, whose axes are the whole plan's.
    """

    index: Annotated[int, Ge(1)]
    count: Annotated[int, Ge(1)]
    axes: Axes | None = None

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@dataclass(frozen=True, slots=True)
class MergedRun:
    """A run that another one was merged from."""

    id: str
    started: str
    finished: str | None = None
    command: tuple[str, ...] = ()
    host: Mapping[str, Any] = field(default_factory=dict)
    shard: ShardInfo | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """``run.json``; ``finished`` is None for a run that was killed or still goes on.

    ``measured_with`` is None where its cells have not one in common, and for earlier versions.
    ``licence`` of its data is an SPDX expression, ``citation`` a line (observations.licence).
    ``shard`` is set where the run measured a part of a plan, ``merged`` where it was put together
    from others. ``flaky`` are the cells that two of these measured with different results; both
    observations are kept.
    """

    id: str
    started: str
    axes: Axes
    finished: str | None = None
    tool: Tool = field(default_factory=Tool)
    command: tuple[str, ...] = ()
    scenarios: Mapping[str, ScenarioInfo] = field(default_factory=dict)
    images: Mapping[str, ImageInfo] = field(default_factory=dict)
    missing: tuple[Missing, ...] = ()
    summary: RunSummary | None = None
    measured_with: MeasuredWith | None = None
    licence: str = DEFAULT_LICENCE
    citation: str = ""
    host: Mapping[str, Any] = field(default_factory=dict)
    shard: ShardInfo | None = None
    merged: tuple[MergedRun, ...] = ()
    flaky: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunData:
    """A run as read; ``notes`` says what had to be dropped."""

    folder: Path
    run: RunRecord
    observations: tuple[Observation, ...]
    notes: tuple[str, ...] = ()

    def evidence(self, observation: Observation) -> Evidence | None:
        """The evidence of one cell, read now; None where there is no (whole) file of it."""
        return read_evidence(self.folder, observation)

    def instance(self, build: str, scenario: str) -> Evidence | None:
        """The evidence of one Postfix instance, read now; None where there is no (whole) file."""
        return read_instance(self.folder, build, scenario)

    def find(self, cell_id: str) -> Observation | None:
        """The observation of a cell, if it was made."""
        return next((cell for cell in self.observations if cell.cell == cell_id), None)


def read_evidence(folder: Path, observation: Observation) -> Evidence | None:
    """The evidence of a cell of a run folder; None where there is no file of it.

    Raises:
        FileError: the file is no evidence; with line and key.
    """
    if observation.evidence is None:
        return None
    return read_evidence_file(folder, observation.evidence)


def read_instance(folder: Path, build: str, scenario: str) -> Evidence | None:
    """The evidence of a Postfix instance of a run folder; None where there is no file.

    Raises:
        FileError: the file is no evidence; with line and key.
    """
    from harness.observations.evidence_forms import InstanceEvidence

    instance = _read_object(folder, instance_path(build, scenario), InstanceEvidence)
    earlier = earlier_instance_path(build, scenario)
    return _read_object(folder, earlier, InstanceEvidence) if instance is None else instance


def has_run(folder: Path) -> bool:
    """Whether a folder is, or is meant to be, a run: reading it says what is wrong with it."""
    return is_there(folder / RUN_FILE) or (is_there(folder) and not folder.is_dir())


def load_run(folder: Path) -> RunData:
    """Read a run folder.

    Raises:
        UsageError: the folder is no run, or its run.json has another schema or a wrong field.
        FileError: a line of observations.jsonl, other than a torn last one, is no observation.
    """
    run = load_record(folder)
    observations, notes = _read_observations(folder / "observations.jsonl")
    if run.finished is None:
        notes = ("the run is not finished: it was stopped, or is still going on", *notes)
    return RunData(folder, run, observations, notes)


def load_run_form() -> TypeAdapter[RunRecord]:
    """What checks ``run.json``."""
    return load_form(RunRecord)


def load_record(folder: Path) -> RunRecord:
    """Read ``run.json`` alone.

    Raises:
        UsageError: the folder is no run, or its run.json has another schema or a wrong field.
    """
    path = folder / RUN_FILE
    text = read_text_file(path, next_step="name a folder that 'postfix-matrix run' made")
    data = parse_json(text, path, next_step=_RUN_AGAIN)
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != RUN_SCHEMA or type(schema) is not int:
        line = find_lines(text, [("schema",)])[("schema",)]
        raise FileError(
            FileLocation(path, line, "schema"),
            f"has schema {show_value(schema)}, this tool reads {RUN_SCHEMA}",
            cause="the run was made by another version of postfix-matrix",
            next_step="make the reports with the version that made the run",
        )
    # It takes as long to load as half of this package.
    from harness.observations.record_forms import RunVocabularies

    checked = json.dumps(hide_in_record(data))
    try:
        run = read_json_data(RunRecord, checked)
        read_json_data(RunVocabularies, checked)
    except DataError as error:
        errors = locate_problems(error, text, path)
        raise join_errors(errors, f"{path} has", next_step=_RUN_AGAIN) from None
    return run


def _read_observations(path: Path) -> tuple[tuple[Observation, ...], tuple[str, ...]]:
    """The observations, by cell; where a cell has two (a resumed run), the later one counts."""
    if not is_there(path):
        return (), ("no cell was measured: there is no observations.jsonl",)
    lines = read_file(path).split(b"\n")
    by_cell: dict[str, Observation] = {}
    notes: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            observation = parse_observation(line)
        except ValueError as error:
            if number < len(lines):
                raise not_an_observation(path, number, error) from None
            notes.append(f"the last line of {path.name} is torn and was dropped")
            continue
        if by_cell.pop(observation.cell, None):
            notes.append(f"{observation.cell} was measured more than once; the last one is shown")
        by_cell[observation.cell] = observation
    return tuple(by_cell.values()), tuple(notes)


def list_flaky_observations(data: RunData) -> tuple[Observation, ...]:
    """Every result of the cells that a merged run calls flaky, in the order of their lines."""
    if not data.run.flaky:
        return ()
    flaky = set(data.run.flaky)
    lines = (data.folder / "observations.jsonl").read_bytes().split(b"\n")
    observations: list[Observation] = []
    for line in lines:
        # load_run() refused lines that are no observations, but for a torn last one.
        with suppress(ValueError):
            observations.append(parse_observation(line))
    return tuple(observation for observation in observations if observation.cell in flaky)


def not_an_observation(path: Path, number: int, error: ValueError) -> FileError:
    """The error of a line of observations.jsonl that is no observation; lines count from 1."""
    expected = "one JSON object of schema 1 per line"
    key, what = None, f"{error}"[:200]
    if isinstance(error, DataError):
        first = error.problems[0]
        key, what, expected = first.key or None, first.what, first.expected or expected
    return FileError(
        FileLocation(path, number, key),
        f"not an observation: {what}",
        expected=expected,
        next_step="move the line out of the file; the other cells can then be read",
    )


def read_evidence_file(folder: Path, name: str) -> Evidence | None:
    """An evidence file of a run folder by its name; None where there is no such file inside it.

    Raises:
        FileError: the file is no evidence; with line and key.
    """
    # It takes as long to load as half of this package.
    from harness.observations.evidence_forms import CellEvidence

    return _read_object(folder, name, CellEvidence)


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a file lies in a folder, wherever links lead to."""
    if path.is_symlink():
        return Path(os.path.realpath(path)).is_relative_to(_resolve(folder))
    return ".." not in path.parts and _resolve(path.parent).is_relative_to(_resolve(folder))


@lru_cache(maxsize=4096)
def _resolve(folder: Path) -> Path:
    # pathlib refuses links in a circle.
    return Path(os.path.realpath(folder))


def _read_object(folder: Path, name: str, model: type[Any]) -> Evidence | None:
    """A JSON object below ``folder``; never one outside it, whatever the name is.

    None where there is none, or an empty file, as a machine that lost its power leaves.

    Raises:
        FileError: the file is something else; with line and key.
    """
    path = folder / name
    if "\0" in name or not _is_inside(path, folder) or not is_there(path):
        return None
    text = read_text_file(path, most=_MOST_EVIDENCE, next_step=_REMOVE_EVIDENCE)
    if not text:
        return None
    data = parse_json(text, path, next_step=_REMOVE_EVIDENCE)
    check_json_file(model, text, path)
    evidence: Evidence = data
    return evidence
