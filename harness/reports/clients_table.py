"""The table of clients: what each can still do with each build, and what a cell of it costs.

Pure. One table a scenario and service: a row a client, a column a build. In a cell stands what the
client negotiates when left to itself, and the versions that got through when offered alone. A
version that is not there is the client's lack or the server's refusal; the cell says which.
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
from harness.reports.plain_text import (
    fenced,
    markdown,
)
from harness.tls import DEFAULT, Protocol

_AGAIN = "postfix-matrix report --table clients"
_LEGEND = (
    "First what the client negotiates **left to itself**, then in brackets the versions that get "
    "through when it offers that one and no other.",
    "`✗TLSv1`: the **server** refuses that version to this client, which can offer it. A version "
    "that is neither there nor refused is one that the **client** cannot offer (a control shows "
    "it).",
    "No brackets: this client cannot be told what to offer, so what is negotiated is its own "
    "choice among what the server allows.",
    "`seconds`: median of one dialogue of a warm client, by the client's clock, from connect to "
    "the end, of all cells of this run that were accepted.",
)


@dataclass(frozen=True, slots=True)
class TableCell:
    """What one client did with one build, by offer."""

    seen: Mapping[str, Observation]

    @property
    def accepted(self) -> tuple[str, ...]:
        """The versions that got through alone, oldest first."""
        return self._with(Outcome.ACCEPTED)

    @property
    def refused(self) -> tuple[str, ...]:
        """The versions that the server turned away, oldest first."""
        return self._with(Outcome.REFUSED)

    def _with(self, outcome: Outcome) -> tuple[str, ...]:
        return tuple(
            protocol.value
            for protocol in Protocol
            if protocol in self.seen and self.seen[protocol].outcome is outcome
        )

    def __str__(self) -> str:
        default = self.seen.get(DEFAULT)
        alone = [span(self.accepted), *(f"✗{one}" for one in self.refused)]
        brackets = ", ".join(word for word in alone if word)
        pinned = any(offer != DEFAULT for offer in self.seen)
        return f"{_default(default)}{f' ({brackets})' if pinned and brackets else ''}"


def render_clients(data: RunData) -> str:
    """The tables as Markdown without headings, to be put into a document."""
    return "\n\n".join(_parts(data)) + "\n"


def span(versions: Sequence[str]) -> str:
    """``TLSv1–TLSv1.3`` of versions without a gap, else each of them."""
    ranks = [Protocol(one).rank for one in versions]
    if len(ranks) > 2 and ranks[-1] - ranks[0] == len(ranks) - 1:
        return f"{versions[0]}–{versions[-1]}"
    return " ".join(versions)


def places(data: RunData, scenario: str, service: str) -> dict[tuple[str, str], TableCell]:
    """What was seen, by client and build."""
    found: dict[tuple[str, str], dict[str, Observation]] = {}
    for one in data.observations:
        if (one.scenario, one.service) == (scenario, service) and not is_control(one.build):
            found.setdefault((one.client, one.build), {})[one.offer] = one
    return {key: TableCell(seen) for key, seen in found.items()}


def costs(data: RunData) -> dict[str, float]:
    """Median seconds of an accepted dialogue, by client."""
    found: dict[str, list[float]] = {}
    for one in data.observations:
        if (
            one.outcome is Outcome.ACCEPTED
            and one.seconds is not None
            and not is_control(one.build)
        ):
            found.setdefault(one.client, []).append(one.seconds)
    return {client: median(seconds) for client, seconds in found.items()}


def _parts(data: RunData) -> Iterator[str]:
    axes = data.run.axes
    spent = costs(data)
    for scenario in axes.scenarios:
        for service in axes.services:
            seen = places(data, scenario, service)
            if seen:
                yield f"**{markdown(scenario)}, {service}**"
                yield _table(data, seen, spent)
    yield "\n".join(f"- {line}" for line in _LEGEND)
    yield "Made with"
    yield fenced("\n".join([shlex.join(data.run.command), _AGAIN]))


def _table(
    data: RunData, seen: Mapping[tuple[str, str], TableCell], spent: Mapping[str, float]
) -> str:
    builds = data.run.axes.builds
    head = ["client", "TLS library", *(markdown(build) for build in builds), "seconds"]
    lines = [_row(head), _row(["---"] * len(head))]
    for client in data.run.axes.clients:
        cells = [str(seen[client, b]) if (client, b) in seen else "?" for b in builds]
        cost = f"{spent[client]:.3f}" if client in spent else ""
        lines.append(_row([markdown(client), markdown(_library(data, client)), *cells, cost]))
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _library(data: RunData, client: str) -> str:
    image = data.run.images.get(client)
    told = image.describe if image and image.describe else {}
    return str(told.get("tls_version") or "")


def _default(seen: Observation | None) -> str:
    if seen is None:
        return "?"
    sign = SIGNS[seen.outcome].glyph
    view = seen.server_saw or seen.client_saw
    if seen.outcome is Outcome.ACCEPTED and view is not None:
        return f"{sign} {view.protocol}"
    return f"{sign} {short_word(seen)}"
