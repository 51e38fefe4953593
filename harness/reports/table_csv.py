"""``matrix.csv``: one row per cell, including those that were not measured and the controls."""

from __future__ import annotations

import csv
import io
from typing import Any

from harness.catalog.cells import is_simulated
from harness.observations.record import Observation, Outcome, TlsView
from harness.observations.run_folder import RunData
from harness.plain_text import escape_controls
from harness.reports.differences import BaselineComparison, differences
from harness.reports.grid import GridCell, build_grid
from harness.reports.labels import build_note
from harness.verdicts.observation_diff import without_certificate

_VIEW = ("protocol", "cipher", "bits", "group")
COLUMNS = (
    "cell", "build", "postfix", "openssl", "build_note", "scenario", "service", "client", "offer",
    "outcome", "stage", "reason", "decided_by",
    *(f"client_{name}" for name in _VIEW), *(f"server_{name}" for name in _VIEW),
    "agree", "control", "seconds", "config", "image", "evidence", "why_not_measured",
    "trust", "obstacles", "without_certificate", "taken_over_run", "taken_over_measured",
    "compared_with_defaults", "changed", "run", "measured", "tool", "licence", "simulated",
)  # fmt: skip
#: A spreadsheet runs a cell that begins with one of these as a formula; some take full-width forms.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def render_csv(data: RunData) -> str:
    """The table as RFC 4180 text with a header; an empty field means that there is no value."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    grid = build_grid(data)
    comparisons = differences(grid)
    for scenario in grid.all_scenarios:
        compared = comparisons.get(scenario.id)
        for table in scenario.tables:
            for row in table.rows:
                for cell in row.cells:
                    if cell.planned:
                        place = (row.build, scenario.id, table.service)
                        flat = _flatten_cell(data, cell, place)
                        if compared is not None:
                            flat |= _flatten_comparison(compared.cells[cell.id])
                        writer.writerow(_escape_row(flat))
    return text.getvalue()


def _flatten_comparison(comparison: BaselineComparison) -> dict[str, Any]:
    """How a cell compares with the baseline's; a time-out is uncompared, as in every report."""
    return {
        "compared_with_defaults": comparison.standing.value,
        "changed": " ".join(comparison.changed),
    }


def _flatten_cell(data: RunData, cell: GridCell, place: tuple[str, str, str]) -> dict[str, Any]:
    build, scenario, service = place
    image = data.run.images.get(build)
    flat: dict[str, Any] = {
        "cell": cell.id, "build": build, "scenario": scenario, "service": service,
        "client": cell.column.client, "offer": cell.column.offer, "outcome": cell.outcome,
        "postfix": image.postfix if image else None, "openssl": image.openssl if image else None,
        "build_note": build_note(image), "image": image.id if image else None,
        "why_not_measured": cell.why, "licence": data.run.licence,
        "simulated": "true" if is_simulated(cell.column.client) else None,
        "run": data.run.id, "tool": f"{data.run.tool.name} {data.run.tool.version}",
    }  # fmt: skip
    if cell.observation is None:
        return flat
    return flat | _flatten_origin(cell.observation) | _flatten_observation(cell.observation)


def _flatten_origin(observation: Observation) -> dict[str, Any]:
    """The run, time and versions that the observation itself has; an older one has none."""
    tool = f"postfix-matrix {observation.tool}" if observation.tool else None
    recorded = {
        "run": observation.run, "measured": observation.measured, "tool": tool,
        "postfix": observation.postfix, "openssl": observation.openssl,
    }  # fmt: skip
    return {name: value for name, value in recorded.items() if value is not None}


def _flatten_observation(observation: Observation) -> dict[str, Any]:
    origin = observation.taken_over
    agree = None if observation.agree is None else str(observation.agree).lower()
    return {
        "stage": observation.stage, "reason": observation.reason,
        "decided_by": observation.decided_by,
        "obstacles": " ".join(observation.obstacles),
        "without_certificate": "true" if _is_anonymous(observation) else None,
        "agree": agree, "control": observation.control, "seconds": observation.seconds,
        "config": observation.config, "evidence": observation.evidence, "trust": observation.trust,
        "taken_over_run": origin.run if origin else None,
        "taken_over_measured": origin.measured if origin else None,
        **_flatten_view("client", observation.client_saw),
        **_flatten_view("server", observation.server_saw),
    }  # fmt: skip


def _is_anonymous(observation: Observation) -> bool:
    return observation.outcome is Outcome.ACCEPTED and without_certificate(observation)


def _flatten_view(side: str, view: TlsView | None) -> dict[str, Any]:
    return {f"{side}_{name}": getattr(view or TlsView(), name) for name in _VIEW}


def _escape_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _escape_text(value) if isinstance(value, str) else value for key, value in row.items()
    }


def _escape_text(text: str) -> str:
    one_line = " ".join(escape_controls(text).split())
    return f"'{one_line}" if one_line.startswith(_FORMULA) else one_line
