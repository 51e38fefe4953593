"""``data/v1/index.json``: what is where, for the site's script and for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.catalog.aliases import software_names
from harness.files import file_digest
from harness.reports.labels import (
    BUILD_NOTES,
    CHECK,
    COMPLAINT,
    CONTROL_LOG,
    DECIDING_REPLY,
    LAST_REPLY,
    OBSTACLES,
    PEER_LOG,
    REASONS,
    SENDER_LOG,
    SERVER_LOG,
    build_notes,
)
from harness.reports.offer_titles import offer_titles
from harness.site.addresses import facts_file, facts_link, link_segment, page_link, path_segment
from harness.site.nearest import software_near
from harness.site.objects import DATA
from harness.site.pages import PageWriter
from harness.site.site_index import SiteIndex
from harness.site.titles import (
    build_title,
    client_about,
    client_versions,
    described_by,
    offer_title,
    outcome_titles,
    port_title,
    verdict_titles,
)
from harness.site.verdict_state import recorded_verdict


def index_data(index: SiteIndex, writer: PageWriter, about: Mapping[str, Any]) -> dict[str, Any]:
    """The index; ``about`` has what concerns the site as a whole."""
    offers = index.content.order.offers
    shorts = offer_titles(offers)
    return {
        "schema": 1,
        **about,
        "runs": [_run_data(index, writer, name) for name in index.content.state.kept],
        "builds": [_build_data(index, name) for name in index.builds],
        "clients": [_client_data(index, name) for name in (*index.clients, *index.peers)],
        "software": [
            {"id": name.id, "name": name.name, "href": page_link("client", name.id)}
            for name in software_names()
        ],
        "scenarios": [_scenario_data(index, writer, name) for name in index.scenarios],
        "services": [{"id": name, "title": port_title(name)} for name in index.services],
        "offers": [
            {"id": offer, "short": shorts[offer].text, "title": offer_title(offer)}
            for offer in offers
        ],
        "outcomes": outcome_titles(),
        "verdict_titles": verdict_titles(),
        "labels": _evidence_labels(),
    }


def _evidence_labels() -> dict[str, Any]:
    """What the script needs to show a cell's evidence in the words of the other reports."""
    return {
        "reasons": {name: text for name, (_, text) in REASONS.items()},
        "obstacles": OBSTACLES,
        "notes": BUILD_NOTES,
        "complaint": COMPLAINT.pattern,
        "titles": {
            "log": SERVER_LOG, "control_log": CONTROL_LOG, "sender_log": SENDER_LOG,
            "peer_log": PEER_LOG, "deciding_reply": DECIDING_REPLY, "last_reply": LAST_REPLY,
            "check": CHECK,
        },
    }  # fmt: skip


def _run_data(index: SiteIndex, writer: PageWriter, name: str) -> dict[str, Any]:
    record = index.content.state.runs[name]
    file = f"{DATA}/runs/{path_segment(name)}.parquet"
    return {
        "id": name, "started": record["started"], "finished": record["finished"],
        "tool": record["tool"], "cells": record["cells"],
        "parquet": f"{DATA}/runs/{link_segment(name)}.parquet",
        "sha256": file_digest(writer.site / file),
        "record": f"{DATA}/runs/{link_segment(name)}.json",
        "builds": record["builds"], "clients": record["clients"],
        "scenarios": record["scenarios"],
    }  # fmt: skip


def _build_data(index: SiteIndex, name: str) -> dict[str, Any]:
    image = index.content.state.image(name)
    return {
        "id": name,
        "postfix": image.postfix if image else None,
        "openssl": image.openssl if image else None,
        "title": build_title(name, image),
        "notes": list(build_notes(image)),
        "href": page_link("build", name),
    }


def _client_data(index: SiteIndex, name: str) -> dict[str, Any]:
    image = index.content.state.image(name)
    described = described_by(image)
    return {
        "id": name,
        "about": client_about(name, image),
        "library": described.get("tls_version") or described.get("tls_library"),
        "versions": list(client_versions(image)),
        "aliases": [software.name for software in software_near(index, name)],
        "href": page_link("client", name),
    }


def _scenario_data(index: SiteIndex, writer: PageWriter, name: str) -> dict[str, Any]:
    state = index.content.state
    info, verdict = state.scenario(name), recorded_verdict(state, name)
    counts = [index.counts[name, b] for b in index.builds if (name, b) in index.counts]
    return {
        "id": name,
        "title": info.title or name,
        "claim": info.claim,
        "verdict": verdict.verdict.value if verdict else None,
        "verdicts": {b: record["verdict"] for b, record in state.verdicts.get(name, {}).items()},
        "cells": sum(count for count, _ in counts),
        "differs": sum(differs for _, differs in counts),
        "facts": facts_link(name),
        "sha256": file_digest(writer.site / facts_file(name)),
        "href": page_link("advice", name),
    }
