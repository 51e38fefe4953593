"""``matrix.csv``: one row per cell, including those that were not measured and the controls."""

from __future__ import annotations

import csv
import io
from typing import Any

from harness.observations.record import Observation, Outcome, TlsView
from harness.observations.run_folder import RunData
from harness.reports.grid import GridCell, build_grid
from harness.reports.labels import build_note
from harness.reports.plain_text import escape_controls
from harness.verdicts.observation_diff import without_certificate

_VIEW = ("protocol", "cipher", "bits", "group")
COLUMNS = (
    "cell", "build", "postfix", "openssl", "build_note", "scenario", "service", "client", "offer",
    "outcome", "stage", "reason", "decided_by",
    *(f"client_{name}" for name in _VIEW), *(f"server_{name}" for name in _VIEW),
    "agree", "control", "seconds", "config", "image", "evidence", "why_not_measured",
    "trust", "obstacles", "without_certificate", "taken_over_run", "taken_over_measured",
)  # fmt: skip
#: A spreadsheet runs a cell that begins with one of these as a formula.
_FORMULA = ("=", "+", "-", "@")


def render_csv(data: RunData) -> str:
    """The table as RFC 4180 text with a header; an empty field means that there is no value."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for scenario in build_grid(data).all_scenarios:
        for table in scenario.tables:
            for row in table.rows:
                for cell in row.cells:
                    if cell.planned:
                        place = (row.build, scenario.id, table.service)
                        writer.writerow(_escape_row(_flatten_cell(data, cell, place)))
    return text.getvalue()


def _flatten_cell(data: RunData, cell: GridCell, place: tuple[str, str, str]) -> dict[str, Any]:
    build, scenario, service = place
    image = data.run.images.get(build)
    flat: dict[str, Any] = {
        "cell": cell.id, "build": build, "scenario": scenario, "service": service,
        "client": cell.column.client, "offer": cell.column.offer, "outcome": cell.outcome,
        "postfix": image.postfix if image else None, "openssl": image.openssl if image else None,
        "build_note": build_note(image), "image": image.id if image else None,
        "why_not_measured": cell.why,
    }  # fmt: skip
    return flat | _flatten_observation(cell.observation) if cell.observation else flat


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
