"""The table of clients: what each can still do with each build, and how long a cell takes.

One table per scenario and service, one row per client, one column per build. A cell shows what the
client negotiates by default, and the versions that were accepted when offered alone. A version that
is absent is one that the client cannot offer or that the server refuses; the cell says which.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from harness.catalog.cells import is_control
from harness.observations.record import Observation, Outcome
from harness.observations.run_folder import RunData
from harness.reports.labels import (
    SIGNS,
    short_word,
)
from harness.reports.plain_text import escape_markdown, fence_code
from harness.tls import DEFAULT, Protocol

_COMMAND = "postfix-matrix report --table clients"
_LEGEND = (
    "First what the client negotiates **by default**, then in brackets the versions that are "
    "accepted when it offers that one and no other.",
    "`✗TLSv1`: the **server** refuses that version to this client, which can offer it. A version "
    "that is neither listed nor refused is one that the **client** cannot offer (a control shows "
    "it).",
    "No brackets: this client cannot be told what to offer, so what is negotiated is its own "
    "choice among what the server allows.",
    "`seconds`: median of one dialogue of a warm client, by the client's clock, from connect to "
    "end, over all cells of this run that were accepted.",
)


@dataclass(frozen=True, slots=True)
class TableCell:
    """What one client did with one build, by offer."""

    by_offer: Mapping[str, Observation]

    @property
    def accepted(self) -> tuple[str, ...]:
        """The versions that were accepted when offered alone, oldest first."""
        return self._versions_with(Outcome.ACCEPTED)

    @property
    def refused(self) -> tuple[str, ...]:
        """The versions that the server refused, oldest first."""
        return self._versions_with(Outcome.REFUSED)

    def _versions_with(self, outcome: Outcome) -> tuple[str, ...]:
        return tuple(
            protocol.value
            for protocol in Protocol
            if protocol in self.by_offer and self.by_offer[protocol].outcome is outcome
        )

    def __str__(self) -> str:
        default = self.by_offer.get(DEFAULT)
        alone = [version_span(self.accepted), *(f"✗{version}" for version in self.refused)]
        brackets = ", ".join(versions for versions in alone if versions)
        pinned = any(offer != DEFAULT for offer in self.by_offer)
        return f"{_describe_default(default)}{f' ({brackets})' if pinned and brackets else ''}"


def render_clients(data: RunData) -> str:
    """The tables as Markdown without headings, to be inserted into a document."""
    return "\n\n".join(_document_parts(data)) + "\n"


def version_span(versions: Sequence[str]) -> str:
    """``TLSv1–TLSv1.3`` for versions without a gap, else each of them."""
    ranks = [Protocol(version).rank for version in versions]
    if len(ranks) > 2 and ranks[-1] - ranks[0] == len(ranks) - 1:
        return f"{versions[0]}–{versions[-1]}"
    return " ".join(versions)


def cells_by_client(data: RunData, scenario: str, service: str) -> dict[tuple[str, str], TableCell]:
    """The cells of the table, by client and build."""
    by_place: dict[tuple[str, str], dict[str, Observation]] = {}
    for cell in data.observations:
        if (cell.scenario, cell.service) == (scenario, service) and not is_control(cell.build):
            by_place.setdefault((cell.client, cell.build), {})[cell.offer] = cell
    return {place: TableCell(by_offer) for place, by_offer in by_place.items()}


def median_seconds(data: RunData) -> dict[str, float]:
    """Median seconds of an accepted dialogue, by client."""
    by_client: dict[str, list[float]] = {}
    for cell in data.observations:
        accepted = cell.outcome is Outcome.ACCEPTED and not is_control(cell.build)
        if accepted and cell.seconds is not None:
            by_client.setdefault(cell.client, []).append(cell.seconds)
    return {client: median(seconds) for client, seconds in by_client.items()}


def _document_parts(data: RunData) -> Iterator[str]:
    axes = data.run.axes
    seconds = median_seconds(data)
    for scenario in axes.scenarios:
        for service in axes.services:
            cells = cells_by_client(data, scenario, service)
            if cells:
                yield f"**{escape_markdown(scenario)}, {service}**"
                yield _markdown_table(data, cells, seconds)
    yield "\n".join(f"- {line}" for line in _LEGEND)
    yield "Made with"
    yield fence_code("\n".join([shlex.join(data.run.command), _COMMAND]))


def _markdown_table(
    data: RunData, cells: Mapping[tuple[str, str], TableCell], seconds: Mapping[str, float]
) -> str:
    builds = data.run.axes.builds
    head = ["client", "TLS library", *(escape_markdown(build) for build in builds), "seconds"]
    lines = [_format_row(head), _format_row(["---"] * len(head))]
    for client in data.run.axes.clients:
        texts = [str(cells[client, b]) if (client, b) in cells else "?" for b in builds]
        cost = f"{seconds[client]:.3f}" if client in seconds else ""
        names = (escape_markdown(client), escape_markdown(_tls_library(data, client)))
        lines.append(_format_row([*names, *texts, cost]))
    return "\n".join(lines)


def _format_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _tls_library(data: RunData, client: str) -> str:
    image = data.run.images.get(client)
    described = image.describe if image and image.describe else {}
    return str(described.get("tls_version") or "")


def _describe_default(observation: Observation | None) -> str:
    if observation is None:
        return "?"
    sign = SIGNS[observation.outcome].glyph
    view = observation.server_saw or observation.client_saw
    negotiated = (Outcome.ACCEPTED, Outcome.WOULD_NEGOTIATE)
    if observation.outcome in negotiated and view is not None:
        return f"{sign} {view.protocol}"
    return f"{sign} {short_word(observation)}"
