"""Scenario folders as tests: one for each expectation on each build."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import FileError, FileLocation, HarnessError, UsageError
from harness.pytest_plugin.engine_requests import AwaitScenario, MeasureAhead, ScenarioRecord
from harness.pytest_plugin.expectation_names import name_expectations
from harness.pytest_plugin.plugin_state import PluginState, describe_for_setup, state_of
from harness.pytest_plugin.scenario_judging import ExpectationResult, judge_record
from harness.pytest_plugin.scenario_plan import SelectedExpectation, plan_selected
from harness.scenarios.expectations import Expectation
from harness.scenarios.policies import Policy, load_policies
from harness.scenarios.scenario import Scenario, find_baseline_folder, load_scenario
from harness.scenarios.scenario_folders import TOML
from harness.verdicts.judging import Standing

_POLICIES = pytest.StashKey[dict[Path, dict[str, Policy]]]()


class ScenarioFile(pytest.File):
    """A scenario.toml with the files beside it."""

    def collect(self) -> Iterator[pytest.Item]:
        """A test for each expectation on each build.

        Raises:
            CollectError: the scenario has errors, or no build is chosen.
        """
        folder = self.path.parent
        try:
            scenario = load_scenario(folder, _policies_of(self.session, folder.parent))
            _check_id(state_of(self.config), scenario.id, folder)
            builds = state_of(self.config).builds_of(None)
            baseline = _find_baseline(scenario, folder)
        except HarnessError as error:
            raise self.CollectError(str(error)) from None
        expectations = scenario.claims.expectations
        for name, expectation in zip(name_expectations(expectations), expectations, strict=True):
            for build in builds:
                yield ScenarioItem.from_parent(
                    self,
                    name=f"{name}[{build}]",
                    scenario=scenario,
                    expectation=expectation,
                    build=build,
                    baseline=baseline,
                )


class ScenarioItem(pytest.Item):
    """One expectation on one build: measured in its setup, judged in its call."""

    def __init__(
        self,
        *,
        scenario: Scenario,
        expectation: Expectation,
        build: str,
        baseline: Scenario | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scenario = scenario
        self.expectation = expectation
        self.build = build
        self.baseline = baseline
        self._result: ExpectationResult | None = None

    def setup(self) -> None:
        """Wait until its cells are measured; fail where they cannot be, or show nothing."""
        result, trouble = self._find_result()
        if result is None:
            # Outside of the handler, whose errors pytest would show as this one's causes.
            pytest.fail(trouble, pytrace=False)
        if not result.is_applicable:
            reason = f"not applicable to {self.build}: {result.text}"
            raise pytest.skip.Exception(reason, _use_item_location=True)
        if result.standing is Standing.UNMEASURED:
            pytest.fail(result.text, pytrace=False)
        self._result = result

    def runtest(self) -> None:
        """Compare the expectation with its cells.

        Raises:
            AssertionError: a cell contradicts it.
        """
        assert self._result is not None
        if self._result.standing is not Standing.HOLDS:
            raise AssertionError(self._result.text)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What happened, without a traceback of the plugin's."""
        if isinstance(excinfo.value, AssertionError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def _find_result(self) -> tuple[ExpectationResult | None, str]:
        """What its cells show; or None, and why there are none."""
        state = state_of(self.config)
        try:
            if state.plan_error is not None:
                raise state.plan_error
            request = AwaitScenario(self.build, self.scenario.id)
            record: ScenarioRecord = state.connection.ask(request)
        except HarnessError as error:
            return None, describe_for_setup(error)
        return judge_record(self.expectation, self.scenario, record), ""

    def reportinfo(self) -> tuple[os.PathLike[str], int | None, str]:
        """The line of its [[expect]], counted from 0."""
        line = self.expectation.line or 1
        return self.path, line - 1, f"{self.scenario.id}: {self.name}"


def measure_ahead(session: pytest.Session) -> None:
    """Begin to measure the cells of the selected tests of scenarios, all at once.

    Each test reports in its setup why that was not possible.
    """
    items = [item for item in session.items if isinstance(item, ScenarioItem)]
    if not items:
        return
    scenarios = {item.scenario.id: item.scenario for item in items}
    baselines = {item.baseline.id: item.baseline for item in items if item.baseline is not None}
    scenarios = {**baselines, **scenarios}
    selected = [
        SelectedExpectation(item.scenario.id, item.build, item.expectation) for item in items
    ]
    state = state_of(session.config)
    try:
        plan = plan_selected(selected, scenarios, state.own_images.clients)
        state.connection.ask(MeasureAhead(plan, {name: scenarios[name] for name in plan.scenarios}))
    except HarnessError as error:
        state.plan_error = error


def _policies_of(session: pytest.Session, folder: Path) -> dict[str, Policy]:
    """The policies of a folder of scenarios, read once.

    Raises:
        FileError: its policies.toml has an error.
    """
    known = session.stash.setdefault(_POLICIES, {})
    if folder not in known:
        known[folder] = load_policies(folder)
    return known[folder]


def _check_id(state: PluginState, name: str, folder: Path) -> None:
    """Refuse a second scenario of the same name, whose cells would have the same ids.

    Raises:
        UsageError: there is one.
    """
    known = state.scenario_folders.setdefault(name, folder)
    if known != folder:
        raise UsageError(
            f"{folder} has the same name as {known}",
            cause="a scenario's name is a part of its cells' ids",
            next_step="rename one, or test them in two sessions",
        )


def _find_baseline(scenario: Scenario, folder: Path) -> Scenario | None:
    """The baseline configuration, where an expectation needs it.

    Raises:
        UsageError: there is none, or it has errors.
    """
    if not any(expectation.effect for expectation in scenario.claims.expectations):
        return None
    against = scenario.claims.against
    if against == scenario.id:
        return scenario
    source = find_baseline_folder(folder, against)
    if source is None:
        place = FileLocation(folder / TOML, key="against")
        raise FileError(place, f"expects an effect, but there is no scenario {against!r}")
    return load_scenario(source)
