"""Measuring builds between two that differ, one by one, until no release is left between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.catalog.builds import NO_ADDITIONS, Build, UserAdditions
from harness.catalog.cells import Cell
from harness.catalog.plan import Plan, plan_of_cells
from harness.errors import UsageError
from harness.images.batch_build import (
    BuildState,
    build_all,
)
from harness.observations.merging import merge_runs
from harness.observations.run_folder import RunData, load_run
from harness.run.engine import Engine
from harness.run.job import Job, measure_job
from harness.scenarios.scenario import Scenario
from harness.verdicts.bisection_steps import (
    candidate_builds,
    find_partners,
    named_releases,
    open_boundaries,
    other_axis,
)
from harness.verdicts.since import group_places, known_releases
from harness.verdicts.verdict import build_versions
from harness.verdicts.version_boundaries import (
    LabelledBuild,
    VersionBoundary,
)
from harness.verdicts.version_dependence_text import describe_boundary


@dataclass(slots=True)
class Bisection:
    """A run, what was measured besides, and what was unavailable.

    ``additions`` are the user's releases, which may be measured too. ``tried`` are the ids of
    builds, ``unreached`` those of releases without a source in reach.
    """

    data: RunData
    place: str
    additions: UserAdditions = NO_ADDITIONS
    folders: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    unreached: set[str] = field(default_factory=set)

    def next_build(self) -> str | None:
        """The build to try next; None where nothing is left."""
        absent = set(self.sourceless_builds())
        points = [
            LabelledBuild(build, *build_versions(self.data, build), None)
            for build in self.data.run.axes.builds
            if build not in absent
        ]
        for boundary in self.open():
            releases = known_releases(self.additions)[other_axis(boundary.axis)]
            partners = find_partners(points, boundary, releases)
            for name in candidate_builds(
                boundary, partners, self.tried, self.unreached, self.additions
            ):
                return name
        return None

    def open(self) -> list[VersionBoundary]:
        """The version boundaries that are not as exact as the catalog allows."""
        groups = group_places(self.data, self.place, self.additions)
        return open_boundaries(group.found for group in groups)

    def sourceless_builds(self) -> Iterator[str]:
        """The run's builds from a source of the user's that was not named again.

        The catalog's release of the same version may be another, so these have no partner.
        """
        for name in self.data.run.axes.builds:
            image = self.data.run.images.get(name)
            if image is None or not image.unverified:
                continue
            with suppress(UsageError):
                if Build.parse(name, self.additions).unverified:
                    continue
            yield name

    def note_unavailable(self, name: str, state: str, why: str) -> None:
        """Note a build that is unavailable; a release without a source is not asked again."""
        named = named_releases(name, why) if state == BuildState.UNREACHED else ()
        self.unreached |= set(named)
        first = why.partition("\n")[0]
        self.notes += [f"{release}: {state}" for release in named] or [f"{name}: {state}: {first}"]

    def add(self, more: RunData) -> None:
        """Read a further run with the others; what was unavailable in it is noted."""
        self.folders.append(more.folder)
        for missing in more.run.missing:
            first = missing.why.partition("\n")[0]
            self.notes.append(f"{missing.name}: {first}")
        self.data = merge_runs(self.data, more)

    def describe_open(self) -> Iterator[str]:
        """What is still open, in sentences."""
        boundaries = self.open()
        for boundary in boundaries:
            yield f"not exact along {boundary.axis}: {describe_boundary(boundary)}"
        if boundaries and (absent := [*self.sourceless_builds()]):
            yield (
                f"no build was paired with the versions of {', '.join(absent)}: name their sources "
                "again with --source"
            )


def bisect(
    engine: Engine,
    data: RunData,
    place: str,
    scenarios: Mapping[str, Scenario],
    runs: Path,
    most: int,
    additions: UserAdditions = NO_ADDITIONS,
) -> Bisection:
    """Measure what lies between the version boundaries of a place, on ``most`` builds at most.

    The user's releases, ``additions``, are measured where they lie between.

    Raises:
        UsageError: a scenario of the place is another than the run measured, or is not there.
    """
    bisection = Bisection(data, place, additions, tried=set(data.run.axes.builds))
    plan = narrow_plan(data, place)
    _check_same(data, plan, scenarios)
    while len(bisection.folders) < most and (name := bisection.next_build()):
        bisection.tried.add(name)
        build = Build.parse(name, additions)
        (image,) = build_all(engine.builder, {name: build}, lambda _: None)
        if image.error is not None:
            bisection.note_unavailable(name, image.state, str(image.error))
            continue
        job = job_of(plan, scenarios, build)
        bisection.add(load_run(measure_job(engine, job, runs)))
    return bisection


def job_of(plan: Plan, scenarios: Mapping[str, Scenario], build: Build) -> Job:
    """The job that measures a plan's cells on one build more."""
    narrow = replace(plan, builds=(build.id,))
    return Job(narrow, dict(scenarios), {build.id: build})


def narrow_plan(data: RunData, place: str) -> Plan:
    """The cells of the places that a pattern selects, and no more than the axes make of them."""
    build = data.run.axes.builds[0]
    cells = [
        Cell.parse(f"{build}/{path}")
        for group in group_places(data, place)
        for path in group.places
    ]
    plan = plan_of_cells(cells)
    unpinned = frozenset(data.run.axes.unpinned)
    return replace(plan, builds=data.run.axes.builds, unpinned=unpinned)


def _check_same(data: RunData, plan: Plan, scenarios: Mapping[str, Scenario]) -> None:
    """Cells of another text would not be the same cells; better known before anything is built."""
    absent = [name for name in plan.scenarios if name not in scenarios]
    changed = {
        observation.scenario
        for observation in data.observations
        if observation.scenario in plan.scenarios
        and observation.scenario in scenarios
        and observation.config != scenarios[observation.scenario].digest
    }
    if absent or changed:
        raise UsageError(
            f"{data.folder} cannot be bisected: its scenarios changed since, or are not there: "
            + ", ".join([*absent, *sorted(changed)]),
            next_step="name their folder with --scenarios-dir, or measure again",
        )
