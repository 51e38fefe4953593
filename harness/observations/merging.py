"""Several runs of the same scenarios read as one. Pure."""

from __future__ import annotations

from dataclasses import replace

from harness.errors import UsageError
from harness.observations.run_folder import (
    Axes,
    RunData,
)


def merge(first: RunData, second: RunData) -> RunData:
    """Two runs as one: the second's builds beside the first's; a cell of both is the second's.

    Raises:
        UsageError: a scenario of both is not the same text, or a build of both has other versions,
            so their cells are not comparable.
    """
    configs = {one.scenario: one.config for one in first.observations}
    changed = {
        one.scenario
        for one in second.observations
        if configs.get(one.scenario, one.config) != one.config
    }
    if changed:
        raise UsageError(
            f"{first.folder} and {second.folder} are not of the same {', '.join(sorted(changed))}",
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
            cause="a distribution's packages moved on between the two runs",
            next_step="measure both again",
        )
    cells = {one.cell: one for one in (*first.observations, *second.observations)}
    run = replace(
        first.run,
        axes=_axes(first.run.axes, second.run.axes),
        images={**first.run.images, **second.run.images},
        missing=tuple(dict.fromkeys((*first.run.missing, *second.run.missing))),
        scenarios={**second.run.scenarios, **first.run.scenarios},
    )
    return replace(first, run=run, observations=tuple(cells.values()))


def _axes(one: Axes, other: Axes) -> Axes:
    def both(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*first, *second)))

    return Axes(
        builds=both(one.builds, other.builds),
        scenarios=both(one.scenarios, other.scenarios),
        services=both(one.services, other.services),
        clients=both(one.clients, other.clients),
        offers=both(one.offers, other.offers),
        unpinned=both(one.unpinned, other.unpinned),
        scopes={
            # What the first measured whole is not narrowed by the second.
            **{name: scope for name, scope in other.scopes.items() if name not in one.scenarios},
            **one.scopes,
        },
    )
