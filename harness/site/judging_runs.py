"""The verdicts of a run, scenario by scenario, so that few observations are in memory at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from harness.observations.record import CertificateView, Observation
from harness.observations.run_folder import RunData, load_record
from harness.observations.run_json import Axes, ScopeAxes
from harness.site.cells import NONE, CellColumns, CellRow, CellTables
from harness.site.run_reading import RunCells, hide_machine_paths
from harness.verdicts.line_effects import explain_lines
from harness.verdicts.verdict import BuildVerdict, judge_scenario

#: A line and what it does in its candidate: ``text`` and ``part`` (verdicts.line_effects.LinePart).
LineData = dict[str, str]


@dataclass(frozen=True, slots=True)
class SiteAxes(Axes):
    """The axes of a run, and the cells that the site has of one scenario beside the run's.

    ``offers_of`` are their offers by service and client.
    """

    offers_of: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def scope(self, scenario: str) -> ScopeAxes:
        """What the run plans, and what the site has."""
        planned = Axes.scope(self, scenario)
        return replace(
            planned,
            services=_join_names(planned.services, (service for service, _ in self.offers_of)),
            clients=_join_names(planned.clients, (client for _, client in self.offers_of)),
        )

    def offers_for(self, scenario: str, service: str, client: str) -> tuple[str, ...]:
        """The same for the offers of a client at a service."""
        planned = Axes.scope(self, scenario)
        is_planned = service in planned.services and client in planned.clients
        offers = Axes.offers_for(self, scenario, service, client) if is_planned else ()
        return _join_names(offers, self.offers_of.get((service, client), ()))


def judge_run_cells(
    run: RunCells, merged: CellColumns, tables: CellTables
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each verdict on what a run measured: scenario, build, and the verdict as the state has it.

    ``merged`` are the site's cells with the run's. They are judged, so that a run that has fewer of
    them, or that was stopped, gives no verdict on a part in place of one on the whole.
    """
    record = run.record
    baselines: dict[str, dict[str, Observation]] = {}
    for name in record.axes.scenarios:
        info = record.scenarios.get(name)
        if info is None or not info.expect:
            continue
        if info.against not in baselines:
            # One baseline at a time: nearly all scenarios of a run have the same.
            baselines = {info.against: dict(_read_observations(run, merged, tables, info.against))}
        cells = dict(_read_observations(run, merged, tables, name))
        axes = _extend_axes(record.axes, cells.values())
        data = RunData(run.folder, replace(record, axes=axes), tuple(cells.values()))
        verdict = judge_scenario(data, name, {**baselines[info.against], **cells})
        number = tables.scenario.numbers.get(name, NONE)
        measured = {tables.build.names[build] for build in run.cells.builds_of(number)}
        known = {observation.build for observation in cells.values()}
        unmeasured = {*record.axes.builds_of(name)} - known
        for build in verdict.builds:
            if build.build in measured | unmeasured:
                yield name, build.build, _verdict_data(build, record.id, name)


def _extend_axes(axes: Axes, cells: Iterable[Observation]) -> SiteAxes:
    offers: dict[tuple[str, str], dict[str, None]] = {}
    for cell in cells:
        offers.setdefault((cell.service, cell.client), {})[cell.offer] = None
    planned = {part.name: getattr(axes, part.name) for part in fields(Axes)}
    return SiteAxes(**planned, offers_of={pair: tuple(of) for pair, of in offers.items()})


def _join_names(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


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


def _read_observations(
    run: RunCells, merged: CellColumns, tables: CellTables, scenario: str
) -> Iterator[tuple[str, Observation]]:
    """The site's cells of a scenario on the run's builds."""
    number = tables.scenario.numbers.get(scenario, NONE)
    for build in merged.builds_of(number):
        if tables.build.names[build] in run.record.axes.builds:
            for row in merged.group(number, build):
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
