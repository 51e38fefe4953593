"""Which TLS versions each build accepts: builds × versions, by scenario and service.

Only cells whose client offered one version and no other count. A version is refused only where
every client that can offer it was refused, as a control proves; a version that no client of the run
can offer, or that was not measured, is never reported as refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.observations.record import BEFORE_HANDSHAKE, Observation, Outcome
from harness.observations.run_folder import RunData
from harness.observations.run_json import ScenarioInfo
from harness.reports.grid import GridCell, Row, ScenarioGrid, build_grid
from harness.reports.labels import (
    ANONYMOUS,
    DISAGREE,
    REASONS,
    SIGNS,
    describe_result,
    short_word,
)
from harness.tls import Protocol
from harness.verdicts.observation_diff import (
    UNOBSERVED,
    protocol_of,
    without_certificate,
)

ALL_SERVICES = "all services"
#: After the sign of a version that only some of the clients that can offer it negotiated.
SOME = "some"
_VERSION = REASONS["protocol-version"][0]


class ProtocolStanding(StrEnum):
    """The result for a version on a service."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NO_TLS = "no-tls"
    UNMEASURABLE = "not-measurable"
    UNMEASURED = "not-measured"


@dataclass(frozen=True, slots=True)
class ProtocolVerdict:
    """One place in the table. ``text`` is what it shows: a sign, and a label where one is needed.

    ``exceptions`` are the observations of clients that were refused a version that others
    negotiated.
    """

    standing: ProtocolStanding
    text: str
    exceptions: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """A build on the services that agree; ``verdicts`` are in the order of :class:`Protocol`."""

    build: str
    notes: tuple[str, ...]
    services: tuple[str, ...]
    label: str
    verdicts: tuple[ProtocolVerdict, ...]


@dataclass(frozen=True, slots=True)
class ProtocolTable:
    """One scenario's rows: every build that was available, in the run's order."""

    scenario: str
    info: ScenarioInfo
    rows: tuple[ProtocolRow, ...]

    @property
    def exceptions(self) -> tuple[str, ...]:
        """The clients that were refused a version that another client negotiated, as text."""
        return tuple(
            f"{row.build}, {cell.service}, {cell.offer}, {cell.client}: {describe_result(cell)}"
            for row in self.rows
            for verdict in row.verdicts
            for cell in verdict.exceptions
        )


def protocol_tables(data: RunData) -> tuple[ProtocolTable, ...]:
    """One table per scenario. Services of a build with the same results share a row."""
    return tuple(protocol_table(scenario, data) for scenario in build_grid(data).scenarios)


def protocol_table(scenario: ScenarioGrid, data: RunData) -> ProtocolTable:
    """One scenario's table."""
    absent = {entry.name for entry in data.run.missing if entry.kind == "client"}
    return ProtocolTable(scenario.id, scenario.info, tuple(_table_rows(scenario, absent)))


def _table_rows(scenario: ScenarioGrid, absent: Collection[str]) -> Iterator[ProtocolRow]:
    # Each service's table has the same builds in the same order.
    for same in zip(*(table.rows for table in scenario.tables), strict=True):
        services = [table.service for table in scenario.tables]
        if not all(row.missing for row in same):
            judged = {
                service: _judge_row(row, absent)
                for service, row in zip(services, same, strict=True)
            }
            yield from _merge_services(same[0], judged)


def _merge_services(
    row: Row, judged: Mapping[str, tuple[ProtocolVerdict, ...]]
) -> Iterator[ProtocolRow]:
    """A build's rows: one for all services with the same results."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for service, verdicts in judged.items():
        groups.setdefault(tuple(verdict.text for verdict in verdicts), []).append(service)
    for services in groups.values():
        label = ALL_SERVICES if len(services) == len(judged) > 1 else ", ".join(services)
        merged = map(_merge_verdicts, zip(*(judged[service] for service in services), strict=True))
        yield ProtocolRow(row.build, row.notes, tuple(services), label, tuple(merged))


def _merge_verdicts(verdicts: Sequence[ProtocolVerdict]) -> ProtocolVerdict:
    """One verdict for services with the same results, with all of their exceptions."""
    exceptions = tuple(cell for verdict in verdicts for cell in verdict.exceptions)
    return ProtocolVerdict(verdicts[0].standing, verdicts[0].text, exceptions)


def _judge_row(row: Row, absent: Collection[str]) -> tuple[ProtocolVerdict, ...]:
    by_offer: dict[str, list[GridCell]] = {}
    for cell in row.cells:
        # A client that was unavailable is no client of the run; the footnotes name it.
        # Nor does a cell that was never to be measured show that anything is unmeasured.
        if cell.observation or (cell.planned and cell.column.client not in absent):
            by_offer.setdefault(cell.column.offer, []).append(cell)
    return tuple(_judge_version(by_offer.get(protocol.value, ())) for protocol in Protocol)


def _judge_version(cells: Sequence[GridCell]) -> ProtocolVerdict:
    observations = [cell.observation for cell in cells if cell.observation]
    accepted = [cell for cell in observations if is_negotiated(cell)]
    if accepted:
        return _judge_accepted(accepted, observations)
    capable = [cell for cell in observations if cell.outcome is not Outcome.CLIENT_INCAPABLE]
    unproved = [cell for cell in capable if not is_proved(cell)]
    if unproved or len(observations) < len(cells) or not observations:
        label = short_word(unproved[0]) if unproved else ""
        return ProtocolVerdict(ProtocolStanding.UNMEASURED, f"? {label}".strip())
    if not capable:
        return ProtocolVerdict(ProtocolStanding.UNMEASURABLE, SIGNS[Outcome.CLIENT_INCAPABLE].glyph)
    refused = [cell for cell in capable if cell.outcome is Outcome.REFUSED]
    if refused:
        return ProtocolVerdict(ProtocolStanding.REFUSED, _refused_text(refused))
    sign = SIGNS[capable[0].outcome]
    return ProtocolVerdict(ProtocolStanding.NO_TLS, f"{sign.glyph} {sign.word}")


def _judge_accepted(
    accepted: Sequence[Observation], observations: Sequence[Observation]
) -> ProtocolVerdict:
    refused = tuple(
        cell for cell in observations if cell.outcome is Outcome.REFUSED and not is_negotiated(cell)
    )
    mark = DISAGREE if any(cell.agree is False for cell in accepted) else ""
    if accepted and all(map(without_certificate, accepted)):
        mark = ANONYMOUS + mark
    text = f"{SIGNS[Outcome.ACCEPTED].glyph}{mark} {SOME if refused else ''}".rstrip()
    return ProtocolVerdict(ProtocolStanding.ACCEPTED, text, refused)


def is_negotiated(observation: Observation) -> bool:
    """Whether the version was negotiated; the message may have been refused after that."""
    if observation.outcome is Outcome.CLIENT_INCAPABLE:
        return False
    protocol = protocol_of(observation)
    return protocol == observation.offer or (
        observation.outcome is Outcome.ACCEPTED and protocol is None
    )


def is_proved(observation: Observation) -> bool:
    """Whether it shows something about the server, and not about the client or the harness."""
    if observation.outcome is Outcome.REFUSED:
        # A server that refused before the client's offer needs no control as proof.
        proved = bool(observation.control or observation.stage in BEFORE_HANDSHAKE)
        return observation.decided_by != "client" and proved
    return observation.outcome not in UNOBSERVED


def _refused_text(refused: Sequence[Observation]) -> str:
    """The sign alone where the version is the reason, else each reason's label."""
    labels = list(dict.fromkeys(short_word(cell) for cell in refused))
    why = "" if labels == [_VERSION] else ", ".join(labels)
    return f"{SIGNS[Outcome.REFUSED].glyph} {why}".rstrip()
