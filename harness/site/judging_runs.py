"""The verdicts of a run, scenario by scenario, so that few observations are in memory at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from harness.observations.record import CertificateView, Observation
from harness.observations.run_folder import RunData, load_record
from harness.site.cells import NONE, CellRow, CellTables
from harness.site.run_reading import RunCells, hide_machine_paths, unique_rows
from harness.verdicts.line_effects import explain_lines
from harness.verdicts.verdict import BuildVerdict, judge_scenario

#: A line and what it does in its candidate: ``text`` and ``part`` (verdicts.line_effects.LinePart).
LineData = dict[str, str]


def judge_run_cells(run: RunCells, tables: CellTables) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each verdict: scenario, build, and the verdict as the site's state has it."""
    record = run.record
    baselines: dict[str, dict[str, Observation]] = {}
    for name in record.axes.scenarios:
        info = record.scenarios.get(name)
        if info is None or not info.expect:
            continue
        if info.against not in baselines:
            # One baseline at a time: nearly all scenarios of a run have the same.
            baselines = {info.against: dict(_scenario_observations(run, tables, info.against))}
        cells = dict(_scenario_observations(run, tables, name))
        data = RunData(run.folder, record, tuple(cells.values()))
        verdict = judge_scenario(data, name, {**baselines[info.against], **cells})
        measured = {observation.build for observation in cells.values()}
        for build in verdict.builds:
            if build.build in measured or build.build in record.axes.builds_of(name):
                yield name, build.build, _verdict_data(build, record.id, name)


def explain_run_cells(run: RunCells, tables: CellTables) -> Iterator[tuple[str, list[LineData]]]:
    """What each line of a scenario does, for the scenarios whose variants a run has."""
    if not len(run.variants):
        return
    record = load_record(run.folder)
    rows = [*run.cells, *run.variants]
    observations = {cell.cell: cell for row in rows for cell in (cell_observation(row, tables),)}
    data = RunData(run.folder, record, tuple(observations.values()))
    for name in run.record.axes.scenarios:
        if not any(other.startswith(f"{name}--") for other in record.axes.scenarios):
            continue
        lines = explain_lines(data, name).lines
        yield name, [{"text": effect.line.text, "part": effect.part.value} for effect in lines]


def cell_observation(row: CellRow, tables: CellTables) -> Observation:
    """A row as an observation, without its evidence."""
    shown = tables.result.observation(row.result)
    certificate = shown.certificate
    if certificate is not None and row.certificate != NONE:
        sha256 = tables.certificate.names[row.certificate]
        certificate = CertificateView(sha256, certificate.names, certificate.issuer)
    return replace(
        shown,
        cell=tables.cell_id(row),
        build=tables.build.names[row.build],
        scenario=tables.scenario.names[row.scenario],
        config=tables.config.names[row.config],
        service=tables.service.names[row.service],
        client=tables.client.names[row.client],
        offer=tables.offer.names[row.offer],
        control=tables.control.name(row.control),
        certificate=certificate,
        seconds=None if row.milliseconds == NONE else row.milliseconds / 1000,
    )


def _scenario_observations(
    run: RunCells, tables: CellTables, scenario: str
) -> Iterator[tuple[str, Observation]]:
    number = tables.scenario.numbers.get(scenario, NONE)
    for build in run.cells.builds_of(number):
        for row in unique_rows(run.cells.group(number, build)):
            observation = cell_observation(row, tables)
            yield observation.cell, observation


def _verdict_data(verdict: BuildVerdict, run: str, scenario: str) -> dict[str, Any]:
    return {
        "verdict": verdict.verdict.value,
        "claim": verdict.claim.value,
        # A cell's id in the reason needs no build and scenario on their own page.
        "why": hide_machine_paths(verdict.why.replace(f"{verdict.build}/{scenario}/", "")),
        "changed": None if verdict.changed is None else len(verdict.changed),
        "mismatches": verdict.mismatches,
        "harms": [
            {"cell": harm.cell, "kind": harm.kind.value, "what": harm.what}
            for harm in verdict.regressions[:3]
        ],
        "run": run,
    }
