"""The rows of a cell page's table, as HTML in few bytes: a site of a million cells has as many.

A cell that is in every part as in the baseline says so instead of repeating it. What only the
script needs (the link of a row to itself, the button) is added by the script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from harness.observations.record import Observation, TlsView
from harness.reports.differences import BaselineComparison, DifferenceStanding
from harness.site.answers import who_decided
from harness.site.cells import NONE, CellRow
from harness.site.facts import Spot
from harness.site.nights import SiteContent
from harness.site.titles import port_title

_SPACE = re.compile(r"\s")
#: Parts that many cells share are made once. Markup escapes what it formats.
_HEAD = Markup('<tr id="{}"><th scope="row">{}</th>')
_RESULT = Markup('<td class="o o-{}{}">{}')
_AGE = Markup(" <small>{}</small>")
_REST = Markup("</td><td>{}</td><td>{}</td><td>{}</td></tr>")
_SAME = Markup('</td><td colspan="3">all as under defaults</td></tr>')


@dataclass(frozen=True, slots=True)
class CellGroup:
    """The rows of a client at a service, as HTML; ``size`` in bytes."""

    client: int
    title: str
    rows: Markup

    @property
    def size(self) -> int:
        """Bytes, with the group's own row."""
        return len(self.rows.encode()) + len(self.title.encode()) + 90


class CellRows:
    """Makes rows, each part that repeats only once."""

    def __init__(self, content: SiteContent) -> None:
        self._content = content
        self._tails: dict[tuple[int, int, int], tuple[Markup, Markup]] = {}
        self._heads: dict[Spot, Markup] = {}
        self._newest: dict[tuple[int, int, int], bool] = {}

    def group_rows(
        self, rows: Sequence[CellRow], beside: Mapping[Spot, CellRow]
    ) -> Iterator[CellGroup]:
        """The rows by service and client; ``beside`` are the baseline's."""
        names = self._content.tables
        groups: dict[tuple[int, int], list[Markup]] = {}
        for row in rows:
            other = beside.get((row.service, row.client, row.offer))
            baseline = NONE if other is None else other.result
            line = self._make_row(row, baseline, bool(beside))
            groups.setdefault((row.service, row.client), []).append(line)
        for (service, client), lines in groups.items():
            title = f"{names.client.names[client]} at {port_title(names.service.names[service])}"
            yield CellGroup(client, title, Markup("\n").join(lines))

    def _make_row(self, row: CellRow, baseline: int, has_baseline: bool) -> Markup:
        spot = (row.service, row.client, row.offer)
        if spot not in self._heads:
            names = self._content.tables
            offer = names.offer.names[row.offer]
            self._heads[spot] = _HEAD.format(row_id(names.spot(row)), offer)
        key = (row.offer, row.result, baseline if has_baseline else -2)
        if key not in self._tails:
            self._tails[key] = self._make_tail(row, baseline, has_baseline)
        result, rest = self._tails[key]
        age = self._describe_age(row)
        return self._heads[spot] + result + (_AGE.format(age) if age else "") + rest

    def _make_tail(self, row: CellRow, baseline: int, has_baseline: bool) -> tuple[Markup, Markup]:
        """The result, which its age may follow, and the other columns."""
        comparer = self._content.comparer
        shown = comparer.observation(row.offer, row.result)
        glyph = comparer.label(row.offer, row.result)[:1]
        label = f"{glyph} {comparer.sentence(row.offer, row.result)}"
        compared, differs, same = "", "", False
        if has_baseline:
            comparison = comparer.compare_baseline(row.result, baseline)
            same = comparison.standing is DifferenceStanding.SAME
            compared = "the same" if same else self._describe_comparison(row, baseline, comparison)
            differs = " differs" * (comparison.mark == "*")
        result = _RESULT.format(shown.outcome.value, differs, label)
        if same and row.result == baseline:
            return result, _SAME
        return result, _REST.format(views_text(shown), who_decided(shown), compared)

    def _describe_comparison(
        self, row: CellRow, baseline: int, comparison: BaselineComparison
    ) -> str:
        """What the baseline shows; what differs is named only where both look the same."""
        sentence = self._content.comparer.sentence
        looks_same = baseline == NONE or sentence(row.offer, row.result) == sentence(
            row.offer, baseline
        )
        differs, _, other = comparison.sentence.partition("; ")
        return other if other and not looks_same else f"{differs}; {other}".rstrip("; ")

    def _describe_age(self, row: CellRow) -> str:
        """Since when it has not been measured, and what it showed when it was last known."""
        state, names = self._content.state, self._content.tables
        run = names.run.names[row.run]
        parts = []
        if state.kept and run != state.kept[0] and not self._is_measured_since(row, run):
            parts.append(f"last measured {state.runs[run]['started'][:10]}")
        if row.origin != NONE:
            parts.append(f"taken over from run {names.run.names[row.origin]}")
        if row.known != NONE:
            known = state.runs[names.run.names[row.known_run]]["started"][:10]
            sentence = self._content.comparer.sentence(row.offer, row.known)
            parts.append(f"before, {known}: {sentence}")
        return "; ".join(parts)

    def _is_measured_since(self, row: CellRow, run: str) -> bool:
        """Whether no later run had the cell's server and scenario, so that it is the newest."""
        key = (row.run, row.build, row.scenario)
        if key not in self._newest:
            state, names = self._content.state, self._content.tables
            build, scenario = names.build.names[row.build], names.scenario.names[row.scenario]
            started = state.runs[run]["started"]
            self._newest[key] = not any(
                later["started"] > started
                and build in later["builds"]
                and scenario in later["scenarios"]
                for later in state.runs.values()
            )
        return self._newest[key]


def row_id(spot: str) -> str:
    """A row's id: an id has no spaces (HTML, section 3.2.6)."""
    return _SPACE.sub(lambda match: quote(match[0]), spot)


def views_text(shown: Observation) -> str:
    """What was negotiated: one text where both sides say the same, else both."""
    client, server = _view_text(shown.client_saw), _view_text(shown.server_saw)
    if client and server and shown.agree is not False:
        return f"both: {client}"
    sides = (("client", client), ("server", server))
    return "; ".join(f"{side}: {text}" for side, text in sides if text)


def _view_text(view: TlsView | None) -> str:
    if view is None:
        return ""
    return ", ".join(part for part in (view.protocol, view.cipher, view.group) if part)
