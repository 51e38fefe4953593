"""``run.json`` (docs/run-folder.md): what a run requested, what it ran with, and from what.

Frozen dataclasses: ``run_folder`` reads them from the file, ``run_record`` writes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from annotated_types import Ge, Lt

from harness.catalog.peers import is_peer
from harness.observations.licence import DEFAULT_LICENCE
from harness.observations.record import Count, MeasuredWith, Seconds
from harness.postfix_config.master_cf_overlay import Overlay
from harness.scenarios.claims import BASELINE
from harness.scenarios.expectations import Expectation, Where, where_from
from harness.tls import DEFAULT, NEVER_PLAINTEXT, PLAINTEXT, Offer, Service

#: Version of the form.
RUN_SCHEMA = 1
#: Why a place in the tables is no cell of the run.
UNPINNED = "this client cannot be told what to offer"
OTHER_WAY = "clients connect to this server; peers are servers that it sends mail to"
CLIENTS_ALONE = "a peer cannot be told to do what only a client does"
TLS_FIRST = "TLS comes first on this service, so nothing is offered without it"
_TLS_FIRST = frozenset(str(service) for service in NEVER_PLAINTEXT)
OUT_OF_SCOPE = "not measured under this scenario, whose advice is about something else"


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
class PaceInfo:
    """How slow the machine was: limits of time were stretched so many times at most.

    ``round_trips`` is how many were measured to know it; of the last process, if it was resumed.
    """

    most_stretched: Annotated[float, Ge(1), Lt(math.inf)] = 1.0
    round_trips: Count = 0


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
    pace: PaceInfo | None = None
    shard: ShardInfo | None = None
    merged: tuple[MergedRun, ...] = ()
    flaky: tuple[str, ...] = ()
