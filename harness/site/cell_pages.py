"""``cell/BUILD/SCENARIO/``: every cell of a server under a scenario, at its permanent address."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from harness.observations.record import Observation, Outcome, TlsView
from harness.observations.run_folder import Evidence
from harness.plain_text import escape_controls
from harness.reports.differences import DifferenceStanding
from harness.site.addresses import page_file, page_link, quote_fragment
from harness.site.answers import who_decided
from harness.site.cells import NONE, CellRow
from harness.site.facts import ScenarioCells, shards_of
from harness.site.nights import SiteContent
from harness.site.pages import PageWriter
from harness.site.titles import build_title, page_title, port_title
from harness.verdicts.decisive_lines import decisive_line

#: Cells of one page; more are split by client.
MOST_CELLS = 120
#: Characters of what both sides said, on one page: what fits beside the cells.
_MOST_EXPLAINED = 6_000
_LONGEST_LINE = 220
_SPACE = re.compile(r"\s")


#: A cell's row: the parts that many cells share are made once. Markup escapes what it formats.
_HEAD = Markup('<tr id="{}"><th scope="row"><a href="#{}">{}</a></th>')
_RESULT = Markup('<td class="o o-{}{}">{}{}</td>')
_AGE = Markup(" <small>{}</small>")
_REST = Markup('<td>{}</td><td>{}</td><td>{}</td><td class="more"></td></tr>')


class CellPages:
    """Writes the cell pages of one scenario after another."""

    def __init__(self, content: SiteContent, writer: PageWriter) -> None:
        self._content, self._writer = content, writer
        self._texts: dict[tuple[int, int, int], tuple[str, ...]] = {}
        self._heads: dict[tuple[int, int, int], Markup] = {}
        self._tails: dict[tuple[int, int, int], Markup] = {}
        self._newest: dict[tuple[int, int, int], bool] = {}

    def write_scenario(self, collected: ScenarioCells) -> None:
        """All pages of a scenario."""
        for build, rows in collected.rows.items():
            ordered = [rows[spot] for spot in collected.spots if spot in rows]
            if not ordered:
                continue
            beside = collected.baseline.get(build, {})
            if len(ordered) <= MOST_CELLS:
                self._write_rows(collected, build, None, ordered, beside)
                continue
            names = self._content.tables.client.names
            clients: dict[str, list[CellRow]] = {}
            for row in ordered:
                clients.setdefault(names[row.client], []).append(row)
            self._write_split(collected, build, clients)
            for client, cells in clients.items():
                self._write_rows(collected, build, client, cells, beside)

    def _write_split(
        self, collected: ScenarioCells, build: str, clients: dict[str, list[CellRow]]
    ) -> None:
        self._write_page(
            collected, build, None,
            split=[
                {
                    "name": client,
                    "href": page_link("cell", build, collected.name, client),
                    "text": f"{len(cells)} cells",
                }
                for client, cells in clients.items()
            ],
            count=sum(map(len, clients.values())),
        )  # fmt: skip

    def _write_rows(
        self,
        collected: ScenarioCells,
        build: str,
        client: str | None,
        rows: list[CellRow],
        beside: dict[tuple[int, int, int], CellRow],
    ) -> None:
        shards = shards_of(self._content.tables, rows)
        names = (collected.name,) if client is None else (collected.name, client)
        root = "../" * page_file("cell", build, *names).count("/")
        self._write_page(
            collected, build, client,
            groups=list(self._group_lines(rows, beside)),
            shards=[{"path": path, "text": self._shard_text(path, rows)} for path in shards],
            paths=" ".join(root + path for path in shards),
            lines=self._explain_refusals(rows, shards),
        )  # fmt: skip

    def _write_page(
        self, collected: ScenarioCells, build: str, client: str | None, **context: Any
    ) -> None:
        state = self._content.state
        info = state.scenario(collected.name)
        title = info.title or collected.name
        of_client = f"{client}, " if client else ""
        crumbs = [
            (build, page_link("build", build)),
            (collected.name, page_link("advice", collected.name)),
        ]
        if client:
            crumbs.append(("all clients", page_link("cell", build, collected.name)))
        facts = [
            ("server", build_title(build, state.image(build)), page_link("build", build)),
            ("configuration", title, page_link("advice", collected.name)),
        ]
        if client:
            facts.append(("client", client, page_link("client", client)))
        if info.claim:
            facts.append(("claim", info.claim, ""))
        known = build in collected.builds and build in state.axes["builds"]
        values = {"split": (), "groups": (), "shards": (), "paths": "", "lines": (), "count": 0}
        self._writer.write(
            "cell", "cell", build, collected.name, *([client] if client else []),
            page="cell",
            title=page_title(f"{of_client}{build}, {collected.name}: cells"),
            description=f"What each client and offer gets from {build} under “{title}”, with both "
            "sides' evidence.",
            crumbs=tuple(crumbs if known else ()),
            heading=f"{title}: {of_client}{build}",
            facts=[fact if known or fact[0] == "client" else (*fact[:2], "") for fact in facts],
            **{**values, **context},
        )  # fmt: skip

    def _group_lines(
        self, rows: Sequence[CellRow], beside: dict[tuple[int, int, int], CellRow]
    ) -> Iterator[dict[str, Any]]:
        names = self._content.tables
        groups: dict[tuple[int, int], list[Markup]] = {}
        for row in rows:
            other = beside.get((row.service, row.client, row.offer))
            baseline = NONE if other is None else other.result
            line = self._make_line(row, baseline, bool(beside))
            groups.setdefault((row.service, row.client), []).append(line)
        for (service, client), lines in groups.items():
            title = f"{names.client.names[client]} at {port_title(names.service.names[service])}"
            yield {"title": title, "rows": Markup("\n").join(lines)}

    def _make_line(self, row: CellRow, baseline: int, has_baseline: bool) -> Markup:
        """A cell's row of the table."""
        spot = (row.service, row.client, row.offer)
        if spot not in self._heads:
            names = self._content.tables
            identity = row_id(names.spot(row))
            offer = names.offer.names[row.offer]
            self._heads[spot] = _HEAD.format(identity, quote_fragment(identity), offer)
        key = (row.offer, row.result, baseline if has_baseline else -2)
        if key not in self._texts:
            self._texts[key] = self._describe_row(row, baseline, has_baseline)
        outcome, label, who, views, compared, differs = self._texts[key]
        age = self._describe_age(row, self._content.comparer.sentence)
        if age:
            result = _RESULT.format(outcome, differs, label, _AGE.format(age))
            return self._heads[spot] + result + _REST.format(views, who, compared)
        if key not in self._tails:
            result = _RESULT.format(outcome, differs, label, "")
            self._tails[key] = result + _REST.format(views, who, compared)
        return self._heads[spot] + self._tails[key]

    def _describe_row(self, row: CellRow, baseline: int, has_baseline: bool) -> tuple[str, ...]:
        comparer = self._content.comparer
        shown = comparer.observation(row.offer, row.result)
        glyph = comparer.label(row.offer, row.result)[:1]
        compared, differs = "", ""
        if has_baseline:
            comparison = comparer.compare_baseline(row.result, baseline)
            same = comparison.standing is DifferenceStanding.SAME
            compared = "the same" if same else comparison.sentence
            differs = " differs" * (comparison.mark == "*")
        label = f"{glyph} {comparer.sentence(row.offer, row.result)}"
        return shown.outcome.value, label, who_decided(shown), views_text(shown), compared, differs

    def _describe_age(self, row: CellRow, sentence: Any) -> str:
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
            parts.append(f"before, {known}: {sentence(row.offer, row.known)}")
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

    def _shard_text(self, path: str, rows: Sequence[CellRow]) -> str:
        names, state = self._content.tables, self._content.state
        runs = sorted({
            state.runs[names.run.names[row.run]]["started"][:10]
            for row in rows
            if row.shard != NONE and names.shard.names[row.shard] == path
        })  # fmt: skip
        return f"measured {runs[-1]}." if runs else ""

    def _explain_refusals(
        self, rows: Sequence[CellRow], shards: Sequence[str]
    ) -> list[dict[str, str]]:
        """What client and server text of each cell that was not accepted."""
        names = self._content.tables
        refused = [
            row for row in rows
            if names.result.observation(row.result).outcome is not Outcome.ACCEPTED
        ]  # fmt: skip
        if not refused:
            return []
        evidence: dict[str, Evidence | None] = {}
        for path in reversed(shards):
            evidence |= read_shard(self._writer.site / path)["cells"]
        lines, size = [], 0
        for row in refused:
            spot = names.spot(row)
            client, server = both_sides(evidence.get(spot) or {})
            size += len(client) + len(server) + 2 * len(spot)
            if size > _MOST_EXPLAINED:
                break
            if client or server:
                link = quote_fragment(row_id(spot))
                lines.append({"spot": spot, "link": link, "client": client, "server": server})
        return lines


def row_id(spot: str) -> str:
    """A row's id: an id has no spaces (HTML, section 3.2.6)."""
    return _SPACE.sub(lambda match: quote(match[0]), spot)


def read_shard(path: Path) -> dict[str, Any]:
    """A shard of evidence."""
    data: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return data


def both_sides(evidence: Evidence) -> tuple[str, str]:
    """The client's error or the reply that decided, and the server's line that explains it."""
    client = evidence.get("client") or {}
    reply = client.get("reply") or {}
    text = client.get("error") or (f"{reply.get('code')} {reply.get('text')}" if reply else "")
    log = evidence.get("log") or ()
    line = decisive_line(str(entry) for entry in log) if isinstance(log, list) else None
    return _cut_line(str(text or "")), _cut_line(line or "")


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


def _cut_line(text: str) -> str:
    line = " ".join(escape_controls(text).split())
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"
