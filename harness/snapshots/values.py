"""What a snapshot keeps of a cell, at one of its levels.

``behaviour`` is what a person who sends mail notices: outcome, reason, protocol, forward secrecy
and strength. ``exact`` has the cipher, the group and the certificate as well. ``policy NAME`` only
says whether the cell meets a policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

from harness.catalog.cells import Cell
from harness.catalog.ciphers import all_ciphers
from harness.catalog.versions import Version
from harness.errors import UsageError
from harness.observations.groups import comparable_group
from harness.observations.record import Observation, Outcome
from harness.scenarios.expectation_tables import ExpectationError
from harness.scenarios.expectations import Expectation, Where
from harness.scenarios.policies import (
    Policy,
    read_policy,
)
from harness.tls import Offer, Service
from harness.verdicts.judging import (
    ComparedCell,
    Standing,
    combine_standings,
    judge_expectation,
    negotiated_protocol,
)
from harness.verdicts.observation_diff import (
    INCONCLUSIVE,
    bits_of,
    cipher_of,
    group_of,
    has_forward_secrecy,
    why_unobserved,
    without_certificate,
)

#: Where a build of the user's own comes from: --image, or --source.
IMAGE, SOURCE = "image", "source"
BEHAVIOUR, EXACT, POLICY = "behaviour", "exact", "policy"
#: RC4 (RFC 7465), RC2, single DES and what was made for export (RFC 9325, section 4.1).
_WEAK = re.compile(r"(?:^|[-_])(?:RC4|RC2|EXP\w*|EXPORT\d*)(?:$|[-_])|(?:^|[-_])DES[-_](?!CBC3)")
_TRIPLE_DES = re.compile(r"DES-CBC3|3DES")


@dataclass(frozen=True, slots=True, order=True)
class CellPlace:
    """A cell's place, whatever the candidate is called: build, service, client, offer."""

    build: str
    service: str
    client: str
    offer: str

    def __str__(self) -> str:
        return f"{self.build}/{self.service}/{self.client}/{self.offer}"

    def cell(self, scenario: str) -> Cell:
        """The cell of a scenario at this place."""
        offer = Offer.parse(self.offer)
        return Cell(self.build, scenario, Service(self.service), self.client, offer)


def place_of(cell: Observation | Cell) -> CellPlace:
    """The place of a cell or of its observation."""
    return CellPlace(cell.build, str(cell.service), cell.client, str(cell.offer))


class Strength(StrEnum):
    """How strong the negotiated encryption is, by RFC 9325, section 4.1.

    none: nothing is encrypted; weak: fewer than 112 bits, or a broken cipher; medium: fewer than
    128 bits (3DES); strong: 128 bits or more.
    """

    NONE = "none"
    WEAK = "weak"
    MEDIUM = "medium"
    STRONG = "strong"

    @property
    def rank(self) -> int:
        """Position, 0 for none."""
        return list(Strength).index(self)


class PolicyResult(StrEnum):
    """What a cell shows about a policy; ``silent``: nothing."""

    MET = "met"
    NOT_MET = "not met"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class CellValues:
    """What a snapshot keeps of a cell; None: it does not apply, or no side reports it.

    ``anonymous``: the suite has no certificate. ``certificate`` are the names in the server's.
    ``policy`` is for the level of that name, where the other fields are None.
    """

    outcome: Outcome | None = None
    reason: str | None = None
    protocol: str | None = None
    forward_secrecy: bool | None = None
    strength: Strength | None = None
    anonymous: bool | None = None
    trust: str | None = None
    resumed: bool | None = None
    certificate: tuple[str, ...] | None = None
    cipher: str | None = None
    group: str | None = None
    policy: PolicyResult | None = None

    def to_data(self) -> dict[str, Any]:
        """The values as JSON has them, in a fixed order, without those that are None."""
        data: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                data[field.name] = list(value) if isinstance(value, tuple) else value
        return {key: str(v) if isinstance(v, StrEnum) else v for key, v in data.items()}

    def differing(self, other: CellValues) -> tuple[str, ...]:
        """The names of the values that differ."""
        return tuple(
            field.name
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        )


@dataclass(frozen=True, slots=True)
class BuildVersions:
    """A build's versions as its running image reported them; "" where they are not known.

    ``packages`` are those of a distribution: ``postfix 3.7.11-0+deb12u1; ...``. ``origin`` is
    :data:`IMAGE` or :data:`SOURCE` for a build of the user's own, which the catalog does not know.
    """

    postfix: str = ""
    openssl: str = ""
    packages: str = ""
    origin: str = ""

    def to_data(self) -> dict[str, str]:
        """The versions that are known, sorted by name."""
        named = {
            "openssl": self.openssl,
            "origin": self.origin,
            "packages": self.packages,
            "postfix": self.postfix,
        }
        return {name: version for name, version in named.items() if version}


class Level(Protocol):
    """How much of a cell a snapshot keeps."""

    @property
    def name(self) -> str:
        """Its name as the snapshot has it: ``behaviour``, ``exact``, ``policy NAME``."""

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The offers that it needs; empty: any."""

    def values(
        self, observation: Observation, versions: BuildVersions | None = None
    ) -> CellValues | None:
        """What is kept of a cell; None where it shows nothing: :func:`why_inconclusive`."""


@dataclass(frozen=True, slots=True)
class SessionLevel:
    """The levels ``behaviour`` and ``exact``."""

    exact: bool = False

    @property
    def name(self) -> str:
        """See :class:`Level`."""
        return EXACT if self.exact else BEHAVIOUR

    @property
    def offers(self) -> tuple[Offer, ...]:
        """See :class:`Level`."""
        return ()

    def values(
        self,
        observation: Observation,
        versions: BuildVersions | None = None,  # noqa: ARG002
    ) -> CellValues | None:
        """See :class:`Level`."""
        if why_inconclusive(observation):
            return None
        protocol = negotiated_protocol(observation)
        cipher = cipher_of(observation) if protocol else None
        names = observation.certificate.names if observation.certificate else None
        named = self.exact or Offer.parse(observation.offer).extras.sni is not None
        group = comparable_group(group_of(observation)) if self.exact and protocol else None
        return CellValues(
            outcome=observation.outcome,
            reason=observation.reason,
            protocol=protocol,
            forward_secrecy=has_forward_secrecy(protocol, cipher) if protocol else None,
            strength=strength_of(cipher, bits_of(observation)) if protocol else None,
            anonymous=True if protocol and without_certificate(observation) else None,
            trust=observation.trust,
            resumed=observation.resumed,
            certificate=names if named else None,
            cipher=cipher if self.exact else None,
            group=group,
        )


@dataclass(frozen=True, slots=True)
class PolicyLevel:
    """The level ``policy NAME``: only whether each cell meets a policy."""

    name: str
    expectations: tuple[Expectation, ...]
    offers: tuple[Offer, ...] = ()

    def values(
        self, observation: Observation, versions: BuildVersions | None = None
    ) -> CellValues | None:
        """See :class:`Level`."""
        if why_inconclusive(observation):
            return None
        known = versions or BuildVersions()
        postfix, openssl = _parse_version(known.postfix), _parse_version(known.openssl)
        compared = ComparedCell(
            observation.cell,
            observation.service,
            observation.client,
            observation.offer,
            observation,
            None,
        )
        judged = [
            judge_expectation(expectation, [compared])
            for expectation in self.expectations
            if expectation.fits_build(observation.build, postfix, openssl)
            and expectation.fits_place(observation.service, observation.client, observation.offer)
        ]
        telling = [j.standing for j in judged if j.standing is not Standing.UNMEASURED]
        if not telling:
            return CellValues(policy=PolicyResult.SILENT)
        holds = combine_standings(telling) is Standing.HOLDS
        return CellValues(policy=PolicyResult.MET if holds else PolicyResult.NOT_MET)


def parse_level(text: str, policies: Mapping[str, Policy]) -> Level:
    """Read a level: ``behaviour``, ``exact``, ``policy NAME`` or ``policy NAME=CLIENTS``.

    Raises:
        UsageError: there is no such level or policy, or the policy is about what a candidate
            changes, which no single cell shows.
    """
    kind, _, rest = text.strip().partition(" ")
    if kind in (BEHAVIOUR, EXACT) and not rest:
        return SessionLevel(exact=kind == EXACT)
    if kind != POLICY or not rest.strip():
        raise UsageError(
            f"there is no level {text!r}",
            next_step=f"name {BEHAVIOUR}, {EXACT}, or '{POLICY} NAME' with a policy of "
            "'postfix-matrix list policies'",
        )
    name, equals, clients = rest.strip().partition("=")
    value: object = {name: clients.split(",")} if equals else name
    try:
        expectations = read_policy(value, Where(), policies)
    except ExpectationError as slip:
        raise UsageError(
            f"the level {text!r}: {slip.what}", next_step=f"name one {slip.expected}"
        ) from None
    if any(expectation.effect is not None for expectation in expectations):
        raise UsageError(
            f"the level {text!r}: the policy is about what a configuration changes",
            next_step="name a policy that each cell can meet",
        )
    return PolicyLevel(f"{POLICY} {rest.strip()}", expectations, policies[name].offers)


def why_inconclusive(observation: Observation) -> str:
    """Why a cell shows nothing about the server; "" where it does.

    Such a cell is never recorded, and never a difference.
    """
    if why := why_unobserved(observation):
        return why
    if observation.outcome is Outcome.CLIENT_INCAPABLE:
        return "the client cannot make this offer"
    assert observation.outcome not in INCONCLUSIVE
    if observation.agree is False:
        return "client and server disagree on what was negotiated"
    return ""


def strength_of(cipher: str | None, bits: int | None) -> Strength | None:
    """The strength of a suite, by its name, else by the bits that a side reports.

    The table of all suites comes first: libraries count 3DES as 168 bits or as 112.
    """
    if cipher is None:
        return None
    if "NULL" in cipher:
        return Strength.NONE
    if _TRIPLE_DES.search(cipher):
        return Strength.MEDIUM
    if _WEAK.search(cipher):
        return Strength.WEAK
    known = _bits_by_name().get(cipher, bits)
    if known is None:
        return None
    if known == 0:
        return Strength.NONE
    if known < 112:
        return Strength.WEAK
    return Strength.MEDIUM if known < 128 else Strength.STRONG


@cache
def _bits_by_name() -> Mapping[str, int]:
    named: dict[str, int] = {}
    for cipher in all_ciphers():
        for name in (cipher.name, cipher.iana):
            if name and cipher.bits is not None:
                named.setdefault(name, cipher.bits)
    return named


def _parse_version(text: str) -> Version | None:
    try:
        return Version.parse(text) if text else None
    except UsageError:
        return None


def values_by_place(
    level: Level, observations: Iterable[Observation], versions: Mapping[str, BuildVersions]
) -> dict[CellPlace, CellValues]:
    """What a level keeps of each cell that shows something, by place."""
    kept: dict[CellPlace, CellValues] = {}
    for observation in observations:
        values = level.values(observation, versions.get(observation.build))
        if values is not None:
            kept[place_of(observation)] = values
    return kept
