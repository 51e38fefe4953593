"""What the cells of a build show about one expectation of a scenario, as a test reports it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from harness.adaptation.setting_kinds import deciding_name
from harness.catalog.cells import Cell
from harness.catalog.versions import Version
from harness.errors import UsageError
from harness.observations.run_folder import RunData
from harness.observations.run_json import Axes, RunRecord
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.pytest_plugin.engine_requests import ScenarioRecord
from harness.pytest_plugin.failures import (
    count_more,
    describe_judged,
    describe_place,
    describe_unmeasured,
)
from harness.scenarios.expectations import Expectation
from harness.scenarios.scenario import Scenario
from harness.verdicts.judging import ComparedCell, Judged, Standing, judge_expectation

_UNUSED = re.compile(r"unused parameter: (?P<name>[A-Za-z0-9_]+)")


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """``standing``, and why; ``is_applicable``: whether the expectation is about the build."""

    standing: Standing
    text: str
    is_applicable: bool = True


def judge_record(
    expectation: Expectation, scenario: Scenario, record: ScenarioRecord
) -> ExpectationResult:
    """What a scenario's cells on a build show about one of its expectations."""
    build = record.facts.build
    versions = (_parse_version(record.facts.postfix), _parse_version(record.facts.openssl))
    for limits in (scenario.claims.applies, *expectation.where):
        if not limits.fits_build(build, *versions):
            about = str(replace(limits, services=(), clients=(), offers=()))
            return ExpectationResult(Standing.UNMEASURED, f"it is about builds {about}", False)
    judged = judge_expectation(expectation, _compared_cells(record))
    if judged.standing is Standing.HOLDS:
        return ExpectationResult(judged.standing, "")
    if judged.standing is Standing.UNMEASURED:
        return ExpectationResult(judged.standing, _describe_unmeasured(judged))
    if unknown := _unknown_parameters(scenario, record):
        why = f"this Postfix does not know {', '.join(sorted(unknown))}"
        return ExpectationResult(judged.standing, why, False)
    return ExpectationResult(judged.standing, _describe_failure(judged, scenario, record))


def _compared_cells(record: ScenarioRecord) -> list[ComparedCell]:
    compared = []
    for answer in record.cells:
        cell = Cell.parse(answer.cell)
        tail = f"{cell.service}/{cell.client}/{cell.offer}"
        compared.append(
            ComparedCell(
                cell.id,
                cell.service,
                cell.client,
                str(cell.offer),
                answer.observation,
                record.baselines.get(tail),
                answer.why,
            )
        )
    return compared


def _describe_unmeasured(judged: Judged) -> str:
    lines = describe_unmeasured(judged.unmeasured)
    if not lines:
        return f"not measured: {judged.why}"
    first = f"not measured: {lines[0]}{count_more(len(lines) - 1)}"
    return "\n".join((first, *(f"  {line}" for line in lines[1:])))


def _describe_failure(judged: Judged, scenario: Scenario, record: ScenarioRecord) -> str:
    """The claim, then each cell that contradicts it."""
    observations = tuple(a.observation for a in record.cells if a.observation is not None)
    # Only its folder and its observations are used.
    data = RunData(record.folder, RunRecord("", "", Axes()), observations)
    wrong = judged.mismatches[0]
    more = count_more(len(judged.mismatches) - 1)
    claim = scenario.claim.strip()
    lines = [f"{describe_place(wrong.cell)}: {wrong.what}{more}"]
    lines += [f"claim: {claim}"] if claim else []
    lines += [f"at {_name_place(scenario, judged.expectation)}:"]
    lines += describe_judged(data, judged)
    return "\n".join(lines)


def _name_place(scenario: Scenario, expectation: Expectation) -> str:
    """``scenarios/a/scenario.toml:12``."""
    path = scenario.path or Path(scenario.id)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"{path}:{expectation.line}" if expectation.line else str(path)


def _unknown_parameters(scenario: Scenario, record: ScenarioRecord) -> set[str]:
    """The candidate's parameters that this Postfix does not know and some other release does.

    A name that no release knows is an error of the advice, not a limit of the build.
    """
    unused = {match["name"] for match in _UNUSED.finditer(record.check)}
    entries = parse_master_cf(scenario.master_cf).entries
    options = {name for entry in entries for name in entry.options}
    candidates = unused & ({*parse_main_cf(scenario.main_cf).values} | options)
    return {name for name in candidates if deciding_name(name) == name}


def _parse_version(text: str) -> Version | None:
    try:
        return Version.parse(text) if text else None
    except UsageError:
        return None
