"""``build/NAME/`` and ``client/NAME/``: everything about one side, and software not measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.catalog.aliases import SoftwareName, software_names
from harness.observations.record import Observation
from harness.reports.clients_table import TableCell
from harness.reports.labels import BUILD_NOTES, WARNINGS, build_notes
from harness.reports.provenance import image_provenance
from harness.scenarios.claims import BASELINE
from harness.site.addresses import facts_link, page_link
from harness.site.answers import since_lines
from harness.site.nearest import alias_neighbours, software_near
from harness.site.pages import PageWriter
from harness.site.pair_pages import client_title
from harness.site.site_index import ShownCell, SiteIndex
from harness.site.titles import (
    build_title,
    build_versions_text,
    client_about,
    client_versions,
    described_by,
    page_title,
    sends_mail,
    short_port,
)
from harness.tls import DEFAULT

_MOST_VERDICTS, _MOST_WORDS = 90, 160


class SidePages:
    """Writes the pages of servers, clients and software names."""

    def __init__(self, index: SiteIndex, writer: PageWriter) -> None:
        self._index, self._writer = index, writer
        self._state = index.content.state
        self._cells: dict[tuple[str, str], dict[str, ShownCell]] = {}

    def write_all(self) -> None:
        """All pages, and the lists of them."""
        for build in self._index.builds:
            self._write_build(build)
        for client in (*self._index.clients, *self._index.peers):
            self._write_client(client)
        for name in software_names():
            self._write_software(name)
        self._write_lists()

    def _baseline_cells(self, client: str, build: str) -> dict[str, ShownCell]:
        """What a pair does under the server's defaults, by service (reports.clients_table)."""
        key = (client, build)
        if key not in self._cells:
            names = self._index.content.tables
            by_service: dict[str, dict[str, Observation]] = {}
            for row in self._index.rows(client, build, BASELINE):
                offers = by_service.setdefault(names.service.names[row.service], {})
                offers[names.offer.names[row.offer]] = self._index.observation(row)
            self._cells[key] = {
                service: ShownCell(
                    offers[DEFAULT].outcome.value if DEFAULT in offers else "not-measured",
                    str(TableCell(offers)),
                )
                for service, offers in by_service.items()
            }
        return self._cells[key]

    def _write_build(self, build: str) -> None:
        image = self._state.image(build)
        services = self._index.services
        clients = [
            self._pair_row(client, client, build, services, page_link("client", client))
            for client in (*self._index.clients, *self._index.peers)
            if self._baseline_cells(client, build)
        ]
        title = build_title(build, image)
        verdict_rows = self._verdict_rows(build)
        self._write_side(
            "build", build, "Servers",
            title=page_title(f"{title}: which clients can deliver"),
            description=f"Which mail clients can deliver to {title}, by TLS version and port, and "
            "what each piece of advice changes. Measured, with both sides' logs.",
            build={"name": build, "title": title, "notes": self._list_notes(build)},
            facts=self._build_facts(build),
            services=[short_port(name) for name in services],
            clients=clients,
            verdict_rows=verdict_rows[:_MOST_VERDICTS],
            more_verdicts=max(0, len(verdict_rows) - _MOST_VERDICTS),
        )  # fmt: skip

    def _write_side(self, kind: str, name: str, all_of: str, **context: Any) -> None:
        """The page of a build or a client; ``all_of`` is the title of their list."""
        feed = f"{page_link(kind, name)}feed.xml"
        self._writer.write(
            kind, kind, name, page=kind, crumbs=((all_of, f"{kind}/"),), here=f"{kind}/",
            feed=feed, own_feed=feed, view_facts=facts_link(self._index.scenarios[0]), **context,
        )  # fmt: skip

    def _pair_row(
        self, name: str, client: str, build: str, services: Sequence[str], else_href: str
    ) -> dict[str, Any]:
        """A pair's cells under the server's defaults; a peer has no page with a server."""
        return {
            "name": name,
            "href": page_link("can", client, build) if client in self._index.clients else else_href,
            "cells": [self._baseline_cells(client, build).get(service) for service in services],
        }

    def _list_notes(self, build: str) -> list[dict[str, str]]:
        notes = [
            {"kind": "warning" if note in WARNINGS else "note", "text": f"{note}: {meaning}"}
            for note in build_notes(self._state.image(build))
            if (meaning := BUILD_NOTES[note])
        ]
        if (gone := self._state.missing.get(build)) is not None:
            first = str(gone["why"]).partition("\n")[0]
            notes.append({
                "kind": "warning", "text": f"Unavailable in run {gone['run']}: {first}"
            })  # fmt: skip
        return notes

    def _build_facts(self, build: str) -> list[tuple[str, str]]:
        image = self._state.image(build)
        if image is None:
            return [("image", "none was made")]
        provenance = image_provenance(build, image)
        facts = [("Postfix", provenance.postfix.brief), ("OpenSSL", provenance.openssl.brief)]
        facts += [("made from", line) for line in provenance.origin]
        if image.read_back and image.read_back.system_policy:
            facts.append(("set for the whole system", image.read_back.system_policy))
        return [*facts, ("image", image.id), ("measured", self._describe_time(build))]

    def _describe_time(self, build: str) -> str:
        run = self._state.images[build]["run"]
        return f"{self._state.runs[run]['started'][:10]} (run {run})"

    def _verdict_rows(self, build: str) -> list[dict[str, Any]]:
        rows = []
        for name in self._index.scenarios:
            count, differs = self._index.counts.get((name, build), (0, 0))
            verdict = self._state.verdicts.get(name, {}).get(build)
            if not count and verdict is None:
                continue
            rows.append({
                "title": self._state.scenario(name).title or name,
                "href": page_link("advice", name),
                "cells_href": page_link("cell", build, name),
                "verdict": verdict["verdict"] if verdict else "",
                "why": shorten(verdict["why"]) if verdict else "",
                "count": count, "differs": differs,
            })  # fmt: skip
        return sorted(rows, key=lambda row: -row["differs"]) if len(rows) > _MOST_VERDICTS else rows

    def _write_client(self, client: str) -> None:
        image = self._state.image(client)
        about = client_about(client, image)
        title = client_title(client, about)
        services = [
            name
            for name in self._index.services
            if any(
                name in self._baseline_cells(client, build)
                for build in self._index.measured_builds(client)
            )
        ]
        self._write_side(
            "client", client, "Clients",
            title=page_title(f"{title}: to which servers it can deliver"),
            description=f"{about or client}: to which versions of Postfix and OpenSSL it can "
            "deliver mail, by port and TLS version. Measured, with both sides' logs.",
            client={"name": client, "title": title, "about": about},
            facts=self._client_facts(client),
            aliases=[
                {"name": name.name, "href": page_link("client", name.id)}
                for name in software_near(self._index, client)
            ],
            services=[short_port(name) for name in services],
            builds=[
                self._pair_row(build, client, build, services, page_link("build", build))
                | {"versions": build_versions_text(self._state.image(build))}
                for build in self._index.measured_builds(client)
            ],
            since=since_lines(self._index, client),
        )  # fmt: skip

    def _client_facts(self, client: str) -> list[tuple[str, str]]:
        image = self._state.image(client)
        described = described_by(image)
        facts = [
            ("software", f"{described.get('client', '')} {described.get('version', '')}".strip()),
            (
                "TLS library",
                str(described.get("tls_version") or described.get("tls_library") or ""),
            ),
            ("versions that it can offer alone", ", ".join(client_versions(image))),
            ("mail", "logs in and sends" if sends_mail(image) else "none: shakes hands only"),
            ("image", image.id if image else ""),
        ]
        return [(name, value) for name, value in facts if value and described]

    def _write_software(self, name: SoftwareName) -> None:
        nearest = [
            {
                "href": page_link("client", client), "name": client,
                "why": f"offers up to {(client_versions(self._state.image(client)) or ('?',))[-1]}",
                "text": client_about(client, self._state.image(client)),
            }
            for client in alias_neighbours(self._index, name)
        ]  # fmt: skip
        self._writer.write(
            "alias", "client", name.id,
            page="client",
            title=page_title(f"{name.name}: not measured here"),
            description=f"{name.name} was not measured here. {name.about} The nearest clients that "
            "were, and the servers to which they deliver.",
            crumbs=(("Clients", "client/"),),
            here="client/",
            alias=name,
            nearest=nearest,
        )  # fmt: skip

    def _write_lists(self) -> None:
        index, state = self._index, self._state
        servers = [
            {
                "name": name, "href": page_link("build", name), "verdict": "",
                "text": build_versions_text(state.image(name)),
            }
            for name in index.builds
        ]  # fmt: skip
        self._writer.write(
            "names", "build", page="build", title="Servers: builds of Postfix and OpenSSL",
            description="Every build of Postfix and OpenSSL that was measured.", here="build/",
            heading="Servers", lead="Each is a real Postfix with the OpenSSL that it loads.",
            parts=[{"title": "Measured", "entries": servers}],
        )  # fmt: skip
        parts = [
            ("Measured", index.clients),
            ("Servers to which Postfix sends", index.peers),
        ]
        entries = [
            {"title": title, "entries": [self._client_entry(name) for name in names]}
            for title, names in parts
            if names
        ]
        entries.append({
            "title": "Not measured here",
            "entries": [
                {
                    "name": name.name, "href": page_link("client", name.id), "verdict": "",
                    "text": f"{name.highest} at most by default",
                }
                for name in software_names()
            ],
        })  # fmt: skip
        self._writer.write(
            "names", "client", page="client", title="Clients: software that sends mail",
            description="Every client that was measured, and the names that people search for.",
            here="client/", heading="Clients", lead="", parts=entries,
        )  # fmt: skip

    def _client_entry(self, client: str) -> dict[str, str]:
        image = self._state.image(client)
        text = client_about(client, image)
        return {"name": client, "href": page_link("client", client), "verdict": "", "text": text}


def shorten(text: str, limit: int = _MOST_WORDS) -> str:
    """Text cut at a space near a number of characters, with … at its end."""
    if len(text) <= limit:
        return text
    return f"{text[:limit].rpartition(' ')[0] or text[:limit]} …"
