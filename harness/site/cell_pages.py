"""``cell/BUILD/SCENARIO/``: every cell of a server under a scenario, at its permanent address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from harness.observations.record import Outcome
from harness.observations.run_folder import Evidence
from harness.site.addresses import page_file, page_link, quote_fragment
from harness.site.cell_rows import CellGroup, CellRows, row_id
from harness.site.cells import NONE, CellRow
from harness.site.facts import ScenarioCells, shards_of
from harness.site.nights import SiteContent
from harness.site.pages import PAGE_LIMIT, PageWriter
from harness.site.refusals import MOST_NAMED, Refusal, group_refusals, may_lack_some
from harness.site.shards import read_shard, restore_evidence
from harness.site.titles import build_title, page_title

#: Bytes of a page's rows; where they are more, the page is split by client.
MOST_ROWS = PAGE_LIMIT - 12_000
#: Bytes of what both sides said, on one page.
_MOST_EXPLAINED = 2_500


class CellPages:
    """Writes the cell pages of one scenario after another."""

    def __init__(self, content: SiteContent, writer: PageWriter) -> None:
        self._content, self._writer = content, writer
        self._rows = CellRows(content)
        #: The clients' pages of a build need the same shards.
        self._read_shard = lru_cache(maxsize=4)(lambda path: read_shard(writer.site / path))

    def write_scenario(self, collected: ScenarioCells) -> None:
        """All pages of a scenario."""
        for build, rows in collected.rows.items():
            ordered = [rows[spot] for spot in collected.spots if spot in rows]
            if ordered:
                self._write_build(collected, build, ordered)

    def _write_build(self, collected: ScenarioCells, build: str, rows: list[CellRow]) -> None:
        groups = list(self._rows.group_rows(rows, collected.baseline.get(build, {})))
        if sum(group.size for group in groups) <= MOST_ROWS:
            self._write_rows(collected, build, None, rows, groups)
            return
        names = self._content.tables.client.names
        clients: dict[int, list[CellRow]] = {}
        for row in rows:
            clients.setdefault(row.client, []).append(row)
        self._write_split(collected, build, {names[c]: len(of) for c, of in clients.items()})
        for client, cells in clients.items():
            of_client = [group for group in groups if group.client == client]
            self._write_rows(collected, build, names[client], cells, of_client)

    def _write_split(self, collected: ScenarioCells, build: str, clients: dict[str, int]) -> None:
        self._write_page(
            collected, build, None,
            split=[
                {
                    "name": client,
                    "href": page_link("cell", build, collected.name, client),
                    "text": f"{count} cells",
                }
                for client, count in clients.items()
            ],
            count=sum(clients.values()),
        )  # fmt: skip

    def _write_rows(
        self,
        collected: ScenarioCells,
        build: str,
        client: str | None,
        rows: list[CellRow],
        groups: Sequence[CellGroup],
    ) -> None:
        shards = shards_of(self._content.tables, rows)
        names = (collected.name,) if client is None else (collected.name, client)
        root = "../" * page_file("cell", build, *names).count("/")
        self._write_page(
            collected, build, client,
            groups=groups,
            shards=[{"path": path, "text": self._shard_text(path, rows)} for path in shards],
            paths=" ".join(root + path for path in shards),
            lines=self._list_refusals(rows, shards),
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

    def _shard_text(self, path: str, rows: Sequence[CellRow]) -> str:
        names, state = self._content.tables, self._content.state
        runs = sorted({
            state.runs[names.run.names[row.run]]["started"][:10]
            for row in rows
            if row.shard != NONE and names.shard.names[row.shard] == path
        })  # fmt: skip
        return f"measured {runs[-1]}." if runs else ""

    def _list_refusals(
        self, rows: Sequence[CellRow], shards: Sequence[str]
    ) -> list[dict[str, Any]]:
        """What client and server said of each cell that was not accepted."""
        names = self._content.tables
        refused = [
            names.spot(row) for row in rows
            if names.result.observation(row.result).outcome is not Outcome.ACCEPTED
        ]  # fmt: skip
        if not refused:
            return []
        lines, size = [], 0
        for refusal in self._group_refusals(refused, shards):
            size += refusal.size
            if size > _MOST_EXPLAINED:
                break
            lines.append(_refusal_data(refusal))
        return lines

    def _group_refusals(self, refused: list[str], shards: Sequence[str]) -> list[Refusal]:
        """The refusals of some cells; those of a shard just made are known without reading it."""
        known = self._content.refusals.get(shards[0]) if len(shards) == 1 else None
        # The page of one client needs those that were left out as too many for one page.
        if known is None or may_lack_some(known):
            read = {spot: self._read_evidence(tuple(shards), spot) for spot in refused}
            return group_refusals(refused, read)
        chosen = set(refused)
        parts = [replace(each, spots=[s for s in each.spots if s in chosen]) for each in known]
        return [part for part in parts if part.spots]

    def _read_evidence(self, shards: tuple[str, ...], spot: str) -> Evidence | None:
        """A cell's evidence from the newest shard that has it."""
        for path in shards:
            shard = self._read_shard(path)
            if spot in shard["cells"]:
                return restore_evidence(shard, spot)
        return None


def _refusal_data(refusal: Refusal) -> dict[str, Any]:
    named = refusal.spots[:MOST_NAMED]
    return {
        "cells": [{"spot": spot, "link": quote_fragment(row_id(spot))} for spot in named],
        "more": len(refusal.spots) - len(named),
        "client": refusal.client,
        "server": refusal.server,
    }
