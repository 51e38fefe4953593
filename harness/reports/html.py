"""``index.html``: the matrix as one self-contained page; a click on a cell opens its evidence.

The tables are plain HTML made here, with autoescape. The evidence is embedded beside them, gzipped,
one block per scenario, and the script inserts it as text only. A Content-Security-Policy allows the
page's own script and style by their hashes and nothing else, so that no log line becomes code.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from harness.catalog.cells import CONTROL_PREFIX, is_control
from harness.observations.run_folder import Evidence, RunData
from harness.reports.differences import (
    DEFINITION,
    BaselineComparison,
    Differences,
    differences,
)
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
    NO_CONFIGURATION,
    NOT_CHECKED,
    OBSTACLES,
    PEER_LOG,
    REASONS,
    SENDER_LOG,
    SERVER_LOG,
    SIGNS,
    WARNINGS,
    build_notes,
)
from harness.reports.obstacle_settings import obstacle_settings
from harness.reports.offer_titles import offer_titles
from harness.reports.plain_text import escape_value
from harness.reports.problems import brief_reason, group_unavailable, missing_configurations
from harness.reports.provenance import build_provenances, how_to_cite, other_provenances
from harness.reports.verdicts_text import verdict_lines
from harness.tls import INBOUND, Service


def render_html(data: RunData) -> str:
    """The whole page as text."""
    grid = build_grid(data)
    comparisons = differences(grid)
    script, style = _read_script(), _read_resource("page.css")
    return (
        _make_environment()
        .get_template("index.html.j2")
        .render(
            run=data.run,
            notes=(*data.notes, *missing_configurations(data)),
            missing=group_unavailable(data.run.missing),
            builds=build_provenances(data.run),
            others=other_provenances(data.run),
            build_notes=BUILD_NOTES,
            warnings=WARNINGS,
            grid=grid,
            summary=grid.summary,
            has_simulated=any(cell.is_simulated for cell in data.observations),
            titles=offer_titles(grid.offers),
            contents=grid.contents,
            cite=how_to_cite(data.run),
            comparisons=comparisons,
            verdicts=verdict_lines(data),
            differing=sum(comparison.differing for comparison in comparisons.values()),
            definition=DEFINITION,
            signs=SIGNS,
            disagree=DISAGREE,
            anonymous=ANONYMOUS,
            anonymous_meaning=ANONYMOUS_MEANING,
            counts=_count_outcomes(grid),
            script=script,
            style=style,
            script_hash=_csp_hash(script),
            style_hash=_csp_hash(style),
            facts=_pack_json(_page_facts(data, grid)),
            blocks=[
                (s.id, _pack_json(_scenario_evidence(data, s, comparisons.get(s.id))))
                for s in grid.all_scenarios
            ],
        )
    )


def _read_resource(name: str) -> str:
    return (files("harness.reports") / "page" / name).read_text(encoding="utf-8")


def _read_script() -> str:
    """The parts of the script, in one function, so that the page has no names of theirs."""
    parts = "\n".join(map(_read_resource, ("evidence.js", "page.js")))
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


@cache
def _make_environment() -> Environment:
    environment = Environment(
        autoescape=True,
        finalize=escape_value,
        loader=FunctionLoader(_read_resource),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["web"] = web_address
    environment.filters["port"] = _describe_port
    environment.globals["tip"] = _cell_tooltip
    environment.globals["brief_reason"] = brief_reason
    return environment


def _csp_hash(text: str) -> str:
    """The source expression by which a Content-Security-Policy allows one inline block (CSP 3)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def web_address(url: str | None) -> str:
    """The address if it is http or https; a scenario's file may name anything."""
    return url if url and url.startswith(("https://", "http://")) else ""


def _describe_port(service: str) -> str:
    """``:587, STARTTLS``; empty for a service that this tool does not know."""
    if service == Service.OUTBOUND:
        return "mail that Postfix sends, by its destination"
    if service not in INBOUND:
        return ""
    known = Service(service)
    return f":{known.port} {'implicit TLS' if known.implicit_tls else 'STARTTLS'}"


def _cell_tooltip(cell: GridCell, comparison: BaselineComparison | None) -> str:
    """The tooltip of a cell."""
    more = f"; {comparison.sentence}" if comparison and comparison.mark else ""
    return f"{cell.column.client}, {cell.column.offer}: {cell.sentence}{more}"


def _count_outcomes(grid: Grid) -> dict[str, int]:
    """How many cells under test have each outcome, in the legend's order; no unavailable builds."""
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


def _page_facts(data: RunData, grid: Grid) -> dict[str, Any]:
    """What the panel needs of the whole run: labels, images, and each control cell's outcome."""
    return {
        "signs": {name: asdict(sign) for name, sign in SIGNS.items()},
        "reasons": {name: text for name, (_, text) in REASONS.items()},
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
            "not_checked": NOT_CHECKED,
            "no_configuration": NO_CONFIGURATION,
            "beside": f"Compared with {BASELINE}",
        },
        "complaint": COMPLAINT.pattern,
        "control_prefix": CONTROL_PREFIX,
        "claims": {s.id: s.info.claim for s in grid.all_scenarios},
        "controls": {
            cell.cell: cell.outcome for cell in data.observations if is_control(cell.build)
        },
    }


def _scenario_evidence(
    data: RunData, scenario: ScenarioGrid, compared: Differences | None
) -> dict[str, Any]:
    """Everything about one scenario's cells: by cell id, and by build for the instances."""
    builds = dict.fromkeys(row.build for table in scenario.tables for row in table.rows)
    by_build = {build: data.instance(build, scenario.id) for build in builds}
    cells = {cell.id: _cell_evidence(data, cell, by_build) for cell in scenario.cells}
    for cell, comparison in (compared.cells if compared else {}).items():
        cells[cell]["beside"] = comparison.sentence
    instances = {build: instance for build, instance in by_build.items() if instance}
    return {"cells": cells, "instances": instances}


def _cell_evidence(
    data: RunData, cell: GridCell, instances: Mapping[str, Evidence | None]
) -> dict[str, Any]:
    if (observation := cell.observation) is None:
        return {"why": cell.why}
    fields = {key: value for key, value in _observation_fields(cell) if value is not None}
    evidence, build = data.evidence(observation), observation.build
    by_obstacle = obstacle_settings(
        observation, instances.get(build), evidence, data.run.images.get(build)
    )
    settings = {each.obstacle: [setting.text for setting in each.settings] for each in by_obstacle}
    more = {"settings": settings} if any(settings.values()) else {}
    return {"seen": fields, "evidence": evidence, **more}


def _observation_fields(cell: GridCell) -> Iterator[tuple[str, Any]]:
    if cell.observation:
        yield from asdict(cell.observation).items()


def _pack_json(value: Any) -> str:
    """JSON, gzipped, in base64: an alphabet that cannot end an HTML element."""
    text = json.dumps(value, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
