"""Which TLS versions each build accepts: builds × versions, by scenario and service. Pure.

Only cells whose client offered one version and no other count. A version is refused only where
every client that can offer it was turned away, with a control's proof; what no client of the run
can offer, or what was not measured, is never told as refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.observations.record import BEFORE_HANDSHAKE, Observation, Outcome
from harness.observations.run_folder import (
    RunData,
    ScenarioInfo,
)
from harness.reports.grid import GridCell, Row, ScenarioGrid, build_grid
from harness.reports.labels import (
    ANONYMOUS,
    DISAGREE,
    REASONS,
    SIGNS,
    sentence,
    short_word,
)
from harness.tls import Protocol
from harness.verdicts.observation_diff import (
    protocol_of,
    without_certificate,
)

ALL_SERVICES = "all services"
#: After the sign of a version that only some of the clients that can offer it got through with.
SOME = "some"
_VERSION = REASONS["protocol-version"][0]
_UNDECIDED = frozenset({Outcome.ERROR, Outcome.TIMEOUT})
# The server's word came before the client's offer: no control can add to it.


class ProtocolStanding(StrEnum):
    """How a version stands on a service."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NO_TLS = "no-tls"
    UNMEASURABLE = "not-measurable"
    UNMEASURED = "not-measured"


@dataclass(frozen=True, slots=True)
class ProtocolVerdict:
    """One place of the table. ``text`` is what it shows: a sign, and a word where that needs one.

    ``exceptions`` are the observations of clients that were turned away from a version that others
    got through with.
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
    """One scenario's rows: every build that was had, in the run's order."""

    scenario: str
    info: ScenarioInfo
    rows: tuple[ProtocolRow, ...]

    @property
    def exceptions(self) -> tuple[str, ...]:
        """Who was turned away from a version that another client got through with, in words."""
        return tuple(
            f"{row.build}, {seen.service}, {seen.offer}, {seen.client}: {sentence(seen)}"
            for row in self.rows
            for verdict in row.verdicts
            for seen in verdict.exceptions
        )


def protocol_tables(data: RunData) -> tuple[ProtocolTable, ...]:
    """A table a scenario. Services of a build that agree in all versions share a row."""
    grid = build_grid(data)
    gone = {lack.name for lack in data.run.missing if lack.kind == "client"}
    return tuple(ProtocolTable(one.id, one.info, tuple(_rows(one, gone))) for one in grid.scenarios)


def _rows(scenario: ScenarioGrid, gone: Collection[str]) -> Iterator[ProtocolRow]:
    # Each service's table has the same builds in the same order.
    for same in zip(*(table.rows for table in scenario.tables), strict=True):
        services = [table.service for table in scenario.tables]
        if not all(row.missing for row in same):
            judged = {
                service: _verdicts(row, gone) for service, row in zip(services, same, strict=True)
            }
            yield from _merge(same[0], judged)


def _merge(row: Row, judged: Mapping[str, tuple[ProtocolVerdict, ...]]) -> Iterator[ProtocolRow]:
    """A build's rows: one for all services that agree."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for service, verdicts in judged.items():
        groups.setdefault(tuple(one.text for one in verdicts), []).append(service)
    for services in groups.values():
        label = ALL_SERVICES if len(services) == len(judged) > 1 else ", ".join(services)
        merged = map(_merged, zip(*(judged[service] for service in services), strict=True))
        yield ProtocolRow(row.build, row.notes, tuple(services), label, tuple(merged))


def _merged(verdicts: Sequence[ProtocolVerdict]) -> ProtocolVerdict:
    """One verdict for services that agree, with all of their exceptions."""
    exceptions = tuple(seen for one in verdicts for seen in one.exceptions)
    return ProtocolVerdict(verdicts[0].standing, verdicts[0].text, exceptions)


def _verdicts(row: Row, gone: Collection[str]) -> tuple[ProtocolVerdict, ...]:
    by_offer: dict[str, list[GridCell]] = {}
    for cell in row.cells:
        # A client that could not be had is no client of the run; the footnotes name it.
        if cell.observation or cell.column.client not in gone:
            by_offer.setdefault(cell.column.offer, []).append(cell)
    return tuple(_verdict(by_offer.get(protocol.value, ())) for protocol in Protocol)


def _verdict(cells: Sequence[GridCell]) -> ProtocolVerdict:
    seen = [cell.observation for cell in cells if cell.observation]
    accepted = [one for one in seen if _is_accepted(one)]
    if accepted:
        return _accepted(accepted, seen)
    told = [one for one in seen if one.outcome is not Outcome.CLIENT_INCAPABLE]
    open_ = [one for one in told if not _is_proved(one)]
    if open_ or len(seen) < len(cells) or not seen:
        word = short_word(open_[0]) if open_ else ""
        return ProtocolVerdict(ProtocolStanding.UNMEASURED, f"? {word}".strip())
    if not told:
        return ProtocolVerdict(ProtocolStanding.UNMEASURABLE, SIGNS[Outcome.CLIENT_INCAPABLE].glyph)
    refused = [one for one in told if one.outcome is Outcome.REFUSED]
    if refused:
        return ProtocolVerdict(ProtocolStanding.REFUSED, _refused_text(refused))
    sign = SIGNS[told[0].outcome]
    return ProtocolVerdict(ProtocolStanding.NO_TLS, f"{sign.glyph} {sign.word}")


def _accepted(accepted: Sequence[Observation], seen: Sequence[Observation]) -> ProtocolVerdict:
    turned_away = tuple(
        one for one in seen if one.outcome is Outcome.REFUSED and not _is_accepted(one)
    )
    mark = DISAGREE if any(one.agree is False for one in accepted) else ""
    if accepted and all(map(without_certificate, accepted)):
        mark = ANONYMOUS + mark
    text = f"{SIGNS[Outcome.ACCEPTED].glyph}{mark} {SOME if turned_away else ''}".rstrip()
    return ProtocolVerdict(ProtocolStanding.ACCEPTED, text, turned_away)


def _is_accepted(seen: Observation) -> bool:
    """Whether the version was negotiated; the message may have been refused after that."""
    if seen.outcome is Outcome.CLIENT_INCAPABLE:
        return False
    protocol = protocol_of(seen)
    return protocol == seen.offer or (seen.outcome is Outcome.ACCEPTED and protocol is None)


def _is_proved(seen: Observation) -> bool:
    """Whether it says something of the server, and not of the client or of the harness."""
    if seen.outcome is Outcome.REFUSED:
        return seen.decided_by != "client" and bool(seen.control or seen.stage in BEFORE_HANDSHAKE)
    return seen.outcome not in _UNDECIDED


def _refused_text(refused: Sequence[Observation]) -> str:
    """The sign alone where the version is why, else each reason's word."""
    words = list(dict.fromkeys(short_word(one) for one in refused))
    why = "" if words == [_VERSION] else ", ".join(words)
    return f"{SIGNS[Outcome.REFUSED].glyph} {why}".rstrip()
