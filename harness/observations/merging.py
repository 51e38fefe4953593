"""Merge several runs of the same scenarios into one."""

from __future__ import annotations

from dataclasses import replace

from harness.errors import UsageError
from harness.observations.run_folder import RunData
from harness.observations.run_json import Axes, ScopeAxes


def merge_runs(first: RunData, second: RunData) -> RunData:
    """Both runs as one: the builds of both; a cell that both have is taken from the second.

    Raises:
        UsageError: a scenario differs between the runs, or a build of both has other versions, so
            that their cells are not comparable.
    """
    configs = {cell.scenario: cell.config for cell in first.observations}
    changed = {
        cell.scenario
        for cell in second.observations
        if configs.get(cell.scenario, cell.config) != cell.config
    }
    if changed:
        raise UsageError(
            f"{first.folder} and {second.folder} differ in {', '.join(sorted(changed))}",
            cause="the scenario was changed between the two runs",
            next_step="measure both again",
        )
    moved = [
        name
        for name, image in first.run.images.items()
        if (other := second.run.images.get(name)) is not None
        and (image.postfix, image.openssl) != (other.postfix, other.openssl)
    ]
    if moved:
        raise UsageError(
            f"{first.folder} and {second.folder} have other versions of {', '.join(moved)}",
            cause="a distribution's packages were updated between the two runs",
            next_step="measure both again",
        )
    cells = {cell.cell: cell for cell in (*first.observations, *second.observations)}
    run = replace(
        first.run,
        axes=merge_axes(first.run.axes, second.run.axes),
        images={**first.run.images, **second.run.images},
        missing=tuple(dict.fromkeys((*first.run.missing, *second.run.missing))),
        scenarios={**second.run.scenarios, **first.run.scenarios},
    )
    return replace(first, run=run, observations=tuple(cells.values()))


def merge_axes(older: Axes, newer: Axes) -> Axes:
    """Each axis with the names of both runs, the older's first."""

    def union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*first, *second)))

    return Axes(
        builds=union(older.builds, newer.builds),
        scenarios=union(older.scenarios, newer.scenarios),
        services=union(older.services, newer.services),
        clients=union(older.clients, newer.clients),
        offers=union(older.offers, newer.offers),
        unpinned=union(older.unpinned, newer.unpinned),
        scopes={
            # A scenario that the first run measured completely is not narrowed by the second.
            **{name: scope for name, scope in newer.scopes.items() if name not in older.scenarios},
            **{name: _add_builds(name, scope, newer) for name, scope in older.scopes.items()},
        },
    )


def _add_builds(scenario: str, scope: ScopeAxes, newer: Axes) -> ScopeAxes:
    """A scenario's scope, with the builds that it was measured on in a second run as well."""
    if not scope.builds or scenario not in newer.scenarios:
        return scope
    builds = dict.fromkeys((*scope.builds, *newer.builds_of(scenario)))
    return replace(scope, builds=tuple(builds))
