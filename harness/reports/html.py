"""``index.html``: the matrix as one self-contained page; a click on a cell opens its evidence.

The tables are plain HTML made here, with autoescape. The evidence lies beside them, gzipped, one
block a scenario, and page.js puts it into the page as text only. A Content-Security-Policy allows
the page's own script and style by their hashes and nothing else, so that no log line becomes code.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from harness.catalog.cells import CONTROL_PREFIX, is_control
from harness.observations.run_folder import RunData
from harness.reports.differences import DEFINITION, Beside, Differences, differences
from harness.reports.grid import BASELINE, Grid, GridCell, ScenarioGrid, build_grid
from harness.reports.labels import (
    ANONYMOUS,
    ANONYMOUS_MEANING,
    BUILD_NOTES,
    CHECK,
    COMPLAINT,
    CONTROL_LOG,
    DECIDING_REPLY,
    DISAGREE,
    LAST_REPLY,
    OBSTACLES,
    PEER_LOG,
    REASONS,
    SENDER_LOG,
    SERVER_LOG,
    SIGNS,
    WARNINGS,
    build_notes,
)
from harness.reports.missing import brief, groups
from harness.reports.provenance import builds, others
from harness.reports.verdict_line import verdict_lines
from harness.tls import INBOUND, Service


def render_html(data: RunData) -> str:
    """The whole page as text."""
    grid = build_grid(data)
    besides = differences(grid)
    script, style = _resource("page.js"), _resource("page.css")
    return (
        _environment()
        .get_template("index.html.j2")
        .render(
            run=data.run,
            notes=data.notes,
            missing=groups(data.run.missing),
            builds=builds(data.run),
            others=others(data.run),
            build_notes=BUILD_NOTES,
            warnings=WARNINGS,
            grid=grid,
            summary=grid.summary,
            besides=besides,
            verdicts=verdict_lines(data),
            differing=sum(beside.differing for beside in besides.values()),
            definition=DEFINITION,
            signs=SIGNS,
            disagree=DISAGREE,
            anonymous=ANONYMOUS,
            anonymous_meaning=ANONYMOUS_MEANING,
            counts=_counts(grid),
            script=script,
            style=style,
            script_hash=_csp_hash(script),
            style_hash=_csp_hash(style),
            facts=_block(_facts(data, grid)),
            blocks=[
                (s.id, _block(_evidence(data, s, besides.get(s.id)))) for s in grid.all_scenarios
            ],
        )
    )


def _resource(name: str) -> str:
    return (files("harness.reports") / "page" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_resource),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["web"] = _web_address
    environment.filters["port"] = _port
    environment.globals["tip"] = _tip
    environment.globals["brief"] = brief
    return environment


def _csp_hash(text: str) -> str:
    """The source expression by which a Content-Security-Policy allows one inline block (CSP 3)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _web_address(url: str | None) -> str:
    """The address if it is one of the web; a scenario's file may name anything."""
    return url if url and url.startswith(("https://", "http://")) else ""


def _port(service: str) -> str:
    """``:587, STARTTLS``; empty for a service this tool does not know."""
    if service == Service.OUTBOUND:
        return "mail that it sends, by whom it goes to"
    if service not in INBOUND:
        return ""
    known = Service(service)
    return f":{known.port} {'implicit TLS' if known.implicit_tls else 'STARTTLS'}"


def _tip(cell: GridCell, beside: Beside | None) -> str:
    """What a pointer resting on a cell reads."""
    more = f"; {beside.sentence}" if beside and beside.mark else ""
    return f"{cell.column.client}, {cell.column.offer}: {cell.sentence}{more}"


def _counts(grid: Grid) -> dict[str, int]:
    """How many cells under test have each outcome, in the legend's order; no missing builds."""
    outcomes = [
        cell.outcome
        for scenario in grid.scenarios
        for table in scenario.tables
        for row in table.rows
        if not row.missing
        for cell in row.cells
        if cell.planned
    ]
    return {name: outcomes.count(name) for name in SIGNS if name in outcomes}


def _facts(data: RunData, grid: Grid) -> dict[str, Any]:
    """What the panel needs of the whole run: words, images, and each control cell's outcome."""
    return {
        "signs": {name: asdict(sign) for name, sign in SIGNS.items()},
        "reasons": {name: words for name, (_, words) in REASONS.items()},
        "obstacles": OBSTACLES,
        "images": {
            name: {
                "reference": i.reference,
                "id": i.id,
                "postfix": i.postfix,
                "openssl": i.openssl,
                "notes": build_notes(i),
                "build_log": i.build_log,
            }
            for name, i in data.run.images.items()
        },
        "notes": BUILD_NOTES,
        "warnings": sorted(WARNINGS),
        "titles": {
            "log": SERVER_LOG,
            "control_log": CONTROL_LOG,
            "sender_log": SENDER_LOG,
            "peer_log": PEER_LOG,
            "deciding_reply": DECIDING_REPLY,
            "last_reply": LAST_REPLY,
            "check": CHECK,
            "beside": f"Beside {BASELINE}",
        },
        "complaint": COMPLAINT.pattern,
        "control_prefix": CONTROL_PREFIX,
        "claims": {s.id: s.info.claim for s in grid.all_scenarios},
        "controls": {
            seen.cell: seen.outcome for seen in data.observations if is_control(seen.build)
        },
    }


def _evidence(data: RunData, scenario: ScenarioGrid, beside: Differences | None) -> dict[str, Any]:
    """Everything about one scenario's cells: by cell's id, and by build for the instances."""
    cells = {cell.id: _cell_evidence(data, cell) for cell in scenario.cells}
    for cell, found in (beside.cells if beside else {}).items():
        cells[cell]["beside"] = found.sentence
    builds = dict.fromkeys(row.build for table in scenario.tables for row in table.rows)
    instances = ((build, data.instance(build, scenario.id)) for build in builds)
    return {"cells": cells, "instances": {build: found for build, found in instances if found}}


def _cell_evidence(data: RunData, cell: GridCell) -> dict[str, Any]:
    if cell.observation is None:
        return {"why": cell.why}
    seen = {key: value for key, value in _fields(cell) if value is not None}
    return {"seen": seen, "evidence": data.evidence(cell.observation)}


def _fields(cell: GridCell) -> Iterator[tuple[str, Any]]:
    if cell.observation:
        yield from asdict(cell.observation).items()


def _block(value: Any) -> str:
    """JSON, gzipped, in base64: an alphabet that nothing can break out of an element with."""
    text = json.dumps(value, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
