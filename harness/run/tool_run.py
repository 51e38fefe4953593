"""A tool on several builds: tried, then measured beside what it started from, in one run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.catalog.builds import Build, PackageFormat, find_distribution
from harness.errors import NothingSelectedError
from harness.observations.run_folder import RunData
from harness.run.choosing import Selection
from harness.run.engine import Engine
from harness.run.events import Step
from harness.run.planning import make_plan
from harness.run.snapshot_measuring import SnapshotMeasurer
from harness.scenarios.claims import Claims
from harness.scenarios.scenario import Scenario
from harness.snapshots.checking import CheckResult, SnapshotCheck, select_places
from harness.snapshots.findings import CellFinding
from harness.snapshots.idle_settings import find_idle_settings, is_tls_rule
from harness.snapshots.recorded_candidate import SettingChange, record_candidate
from harness.snapshots.setting_lines import find_setting_line
from harness.snapshots.snapshot import Measurement, make_snapshot
from harness.snapshots.values import CellPlace, Level, place_of
from harness.tools.tool_file import HardeningTool
from harness.tools.tool_image import ToolImageMaker
from harness.tools.trial import BEFORE, ToolTrial, ToolTrier, TrialPlace


@dataclass(frozen=True, slots=True)
class ToolMeasurement:
    """What clients see of a tool on one build.

    ``comparison`` is against what it started from, as a check gives it. ``idle`` are TLS settings
    that the tool changed and that no measured cell shows. ``places`` were measured.
    """

    trial: ToolTrial
    comparison: CheckResult
    idle: tuple[SettingChange, ...]
    measured: Measurement


class ToolRun:
    """Tries a tool and measures it, build by build, on an engine.

    ``data`` is the run so far, None before anything was measured.
    """

    def __init__(
        self,
        engine: Engine,
        builds: Mapping[str, Build],
        runs: Path,
        selection: Selection,
        level: Level,
        claims: Claims | None = None,
    ) -> None:
        """``claims`` are what policies expect of the tool's configuration, None: nothing."""
        self.measure = SnapshotMeasurer(engine, builds, runs)
        self._engine = engine
        self._builds = dict(builds)
        self._selection = selection
        self._level = level
        self._claims = claims

    @property
    def data(self) -> RunData | None:
        """The run so far."""
        return self.measure.data

    def try_tool(self, tool: HardeningTool, build: str) -> ToolTrial:
        """Run the tool on a build, and read what it left.

        Raises:
            HarnessError: the build is unavailable, or what the tool needs cannot be prepared.
        """
        trial = try_tool_on(self._engine, tool, self._builds[build])
        after = trial.after
        if after is not None and self._claims is not None:
            trial = replace(trial, after=replace(after, claims=self._claims))
        return trial

    def measure_tool(self, trial: ToolTrial, baseline: Scenario) -> ToolMeasurement | None:
        """Measure what the tool left, beside what it started from.

        ``baseline`` takes the place of a base without a configuration. None: there is nothing to
        measure, because of the tool's faults or the selection of services.

        Raises:
            HarnessError: something that every cell needs is unavailable.
        """
        before, after = trial.before or baseline, trial.after
        if after is None:
            return None
        build = trial.result.build
        places = dict.fromkeys(
            (*self._plan_places(before, build), *self._plan_places(after, build))
        )
        # Both at once; the check then has the tool's cells without measuring them again.
        both = self.measure([before, after], places, False)
        recorded = make_snapshot(
            self._level, record_candidate(before), both.get(before.id, Measurement({}))
        )
        check = SnapshotCheck(
            recorded,
            self._level,
            after,
            self.measure,
            is_possible_cause=_decides_tls,
            # A tool is there to change something: nearly all cells would be measured again.
            repeats=0,
        )
        selected = dict.fromkeys((*select_places(recorded, after, [build]), *places))
        result = check.run(tuple(selected), with_blame=before.id == BEFORE)
        idle: tuple[SettingChange, ...] = ()
        if before.id == BEFORE:
            blamed = {change for blame in result.blames for change in blame.settings}
            idle = find_idle_settings(
                recorded.candidate, after, result.measurement, self._level, self.measure, blamed
            )
        blames = tuple(
            replace(blame, settings=tuple(_locate_setting(s, trial) for s in blame.settings))
            for blame in result.blames
        )
        located = tuple(_locate_setting(change, trial) for change in idle)
        return ToolMeasurement(trial, replace(result, blames=blames), located, result.measurement)

    def _plan_places(self, scenario: Scenario, build: str) -> list[CellPlace]:
        """The places of a configuration's cells, with those that policies need."""
        selection = replace(self._selection, builds=(), scenarios=(scenario.id,))
        plain = replace(scenario, claims=Claims())
        places: dict[CellPlace, None] = {}
        for planned in (plain, scenario) if scenario.claims.offers else (plain,):
            try:
                plan = make_plan(selection, {planned.id: planned}, [build])
            except NothingSelectedError:
                continue
            places |= dict.fromkeys(map(place_of, plan.cells()))
        return list(places)


def try_tool_on(engine: Engine, tool: HardeningTool, build: Build) -> ToolTrial:
    """Run a tool on a build of an engine, and read what it left.

    Raises:
        HarnessError: the build is unavailable, or what the tool needs cannot be prepared.
    """

    def show_step(name: str, text: str) -> None:
        engine.listener(Step(name, text))

    image = engine.run(engine.resources.build_image(build))
    builder = engine.builder
    maker = ToolImageMaker(
        engine.session,
        builder.cache_dir,
        builder.cancel_flag,
        lambda line: show_step(build.id, f"tool: {line}"),
    )
    trier = ToolTrier(engine.session, maker, builder.cancel_flag, show_step)
    place = TrialPlace(
        build.id,
        image.id,
        _names_of(build, engine.resources.records.get(build.id, {})),
        _has_debian_packages(build),
    )
    return trier.try_tool(tool, place)


def join_findings(measurements: Sequence[ToolMeasurement]) -> tuple[CellFinding, ...]:
    """The findings of all builds, against what the tool started from."""
    return tuple(cell for each in measurements for cell in each.comparison.comparison.cells)


def _decides_tls(change: SettingChange) -> bool:
    """Whether a setting may be why clients see something else: most of a tool's are not."""
    return change.entry is not None or is_tls_rule(change.name) or "restrictions" in change.name


def _locate_setting(change: SettingChange, trial: ToolTrial) -> SettingChange:
    """A setting with its line in the file as the tool left it, with its comments."""
    place = find_setting_line(trial.texts, change)
    return change if place is None else replace(change, line=place.line)


def _names_of(build: Build, record: Mapping[str, Any]) -> dict[str, str]:
    """The values of ``{build}``, ``{postfix}`` and ``{openssl}`` in a generator's command."""
    read_back = record.get("read_back") or {}
    return {
        "build": build.id,
        "postfix": str(read_back.get("postfix") or record.get("postfix") or ""),
        "openssl": str(read_back.get("openssl_loaded") or record.get("openssl") or ""),
    }


def _has_debian_packages(build: Build) -> bool:
    """Whether Postfix is there as Debian's package brings it."""
    if build.kind != "distribution":
        return False
    listed = find_distribution(build.distribution)
    return listed is not None and listed.package_format is PackageFormat.DEB
