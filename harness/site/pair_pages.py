"""``can/CLIENT/BUILD/``: can this client deliver to that server?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.scenarios.claims import BASELINE
from harness.site.addresses import cell_link, page_link
from harness.site.answers import (
    PairTurns,
    find_turns,
    headline,
    pair_answers,
    since_lines,
    who_decided,
)
from harness.site.facts import order_names
from harness.site.nearest import nearest_pairs
from harness.site.pages import PageWriter
from harness.site.site_index import PairCells, ShownCell, SiteIndex
from harness.site.titles import (
    build_title,
    client_about,
    offer_title,
    page_title,
    short_port,
)

#: Rows of each table, so that a page keeps its size.
_MOST_OFFERS, _MOST_ADVICE = 40, 90


class PairPages:
    """Writes the page of every client with every server."""

    def __init__(self, index: SiteIndex, writer: PageWriter) -> None:
        self._index, self._writer = index, writer

    def write_all(self) -> None:
        """All pairs, measured or not."""
        for client in self._index.clients:
            since = since_lines(self._index, client)
            for build in self._index.builds:
                self._write_page(client, build, since)

    def _write_page(self, client: str, build: str, since: list[str]) -> None:
        index, state = self._index, self._index.content.state
        measured = (client, build) in index.pairs
        answers = pair_answers(index, client, build)
        short = headline(answers) if measured else "not measured"
        self._writer.write(
            "can", "can", client, build,
            page="can",
            title=page_title(f"{client} to {build}: can it deliver?"),
            description=f"Can {client} deliver to {build_title(build, state.image(build))}? "
            f"{short[:1].upper()}{short[1:]}. Measured with both sides' logs.",
            crumbs=(("Can it deliver?", "can/"), (client, page_link("client", client))),
            client={
                "name": client, "href": page_link("client", client),
                "title": client_title(client, client_about(client, state.image(client))),
            },
            build={
                "name": build, "href": page_link("build", build),
                "title": build_title(build, state.image(build)),
            },
            measured=measured,
            answers=answers,
            nearest=[] if measured else self._list_neighbours(client, build),
            turns=find_turns(index, client, build) if measured else PairTurns(),
            since=since,
            baseline=self._baseline_table(client, build),
            advice=self._advice_table(client, build),
            evidence=page_link("cell", build, BASELINE) if measured and answers else "",
        )  # fmt: skip

    def _list_neighbours(self, client: str, build: str) -> list[dict[str, str]]:
        return [
            {
                "href": page_link("can", near.client, near.build),
                "name": f"{near.client} to {near.build}",
                "why": near.why,
                "text": headline(pair_answers(self._index, near.client, near.build)),
            }
            for near in nearest_pairs(self._index, client, build)
        ]

    def _baseline_table(self, client: str, build: str) -> dict[str, Any]:
        """The cells under the server's defaults: offers × services."""
        index, names = self._index, self._index.content.tables
        by_place: dict[tuple[str, str], ShownCell] = {}
        for row in index.rows(client, build, BASELINE):
            offer, service = names.offer.names[row.offer], names.service.names[row.service]
            shown = index.observation(row)
            by_place[offer, service] = ShownCell(
                shown.outcome.value,
                index.content.comparer.label(row.offer, row.result),
                href=cell_link(names.cell_id(row)),
                who=who_decided(shown),
            )
        offers = order_names({offer for offer, _ in by_place}, index.content.order.offers)
        services = order_names({service for _, service in by_place}, index.services)
        return {
            "services": [short_port(service) for service in services],
            "rows": [
                {
                    "offer": offer_title(offer),
                    "cells": [by_place.get((offer, service)) for service in services],
                }
                for offer in offers[:_MOST_OFFERS]
            ],
            "more": max(0, len(offers) - _MOST_OFFERS),
            "href": page_link("cell", build, BASELINE),
        }

    def _advice_table(self, client: str, build: str) -> dict[str, Any]:
        """The scenarios measured with the pair: rows of those that change something, and the
        others by name, since none of their cells differs from the server's defaults."""
        index = self._index
        by_scenario = {
            k: v for k, v in index.pairs.get((client, build), {}).items() if k != BASELINE
        }
        ordered = sorted(by_scenario, key=lambda name: (-by_scenario[name].differs, name))
        baseline = index.baseline_cells(client, build)
        acting = [name for name in ordered if baseline is None or by_scenario[name].differs]
        services = order_names(
            {name for cells in by_scenario.values() for name in cells.defaults}, index.services
        )
        rows = [
            self._advice_row(build, name, by_scenario[name], baseline, services)
            for name in acting[:_MOST_ADVICE]
        ]
        quiet = [name for name in ordered if name not in acting][: _MOST_ADVICE - len(rows)]
        return {
            "services": [short_port(service) for service in services],
            "rows": rows,
            "same": [
                {"title": self._title_of(name), "href": page_link("cell", build, name)}
                for name in quiet
            ],
            "more": len(ordered) - len(rows) - len(quiet),
        }

    def _advice_row(
        self,
        build: str,
        name: str,
        cells: PairCells,
        baseline: PairCells | None,
        services: Sequence[str],
    ) -> dict[str, Any]:
        """A scenario's results at each service, with the client as its user runs it."""
        beside = baseline.defaults if baseline else {}
        sign = self._index.content.comparer.standing_sign
        shown = [
            self._index.show(
                row,
                differs=service in beside and sign(row.result, beside[service].result) == "*",
            )
            if row is not None
            else None
            for service in services
            for row in (cells.defaults.get(service),)
        ]
        return {
            "title": self._title_of(name), "href": page_link("advice", name),
            "cells_href": page_link("cell", build, name),
            "count": cells.count, "differs": cells.differs, "cells": shown,
        }  # fmt: skip

    def _title_of(self, scenario: str) -> str:
        return self._index.content.state.scenario(scenario).title or scenario


def client_title(name: str, about: str) -> str:
    """``PHPMailer 6.2 on PHP 7.4 …``: what a client is, cut at its first comma or semicolon."""
    first = about.replace(";", ",").partition(",")[0].strip()
    return f"{first} ({name})" if first else name
