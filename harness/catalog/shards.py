"""A plan cut into shards, one for each machine: deterministic, complete and without overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.catalog.costs import Costs, PartCosts, measured_costs
from harness.catalog.plan import Plan, Scope
from harness.counts import format_count
from harness.errors import UsageError


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``count`` parts of a plan; ``index`` counts from 1."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise UsageError(
                f"there is no shard {self.index}/{self.count}",
                cause="shards are counted from 1, and the second number says how many there are",
                next_step=f"name a shard from 1/{max(self.count, 1)} to "
                f"{max(self.count, 1)}/{max(self.count, 1)}",
            )

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@dataclass(frozen=True, slots=True)
class PlanShard:
    """A shard with its cells: ``plan`` has its own, ``whole`` those of all shards."""

    shard: Shard
    plan: Plan
    whole: Plan

    def record(self) -> dict[str, Any]:
        """The key ``shard`` of ``run.json``."""
        index, count = self.shard.index, self.shard.count
        return {"index": index, "count": count, "axes": self.whole.axes()}


def take_shard(whole: Plan, shard: Shard, costs: Costs | None = None) -> PlanShard:
    """One shard of a plan.

    Raises:
        UsageError: the plan cannot be cut into so many.
    """
    return PlanShard(shard, cut_plan(whole, shard.count, costs)[shard.index - 1], whole)


def cut_plan(plan: Plan, count: int, costs: Costs | None = None) -> tuple[Plan, ...]:
    """The plan as ``count`` plans, which together have its cells, each once.

    The cells of a build stay together, for its image and its container are needed once for all of
    them; the builds are dealt out so that the shards take about the same time. With more shards
    than builds, each shard has one build, and the builds that take longest are cut by scenario.
    The same plan and count always give the same shards; ``costs`` are by default the measured ones.

    Raises:
        UsageError: there are fewer pairs of build and scenario than shards.
    """
    parts = (costs or measured_costs()).weigh_parts(plan)
    most = sum(len(scenarios) for scenarios in parts.values())
    if count > most:
        builds = format_count(len(parts), "build")
        raise UsageError(
            f"the plan cannot be cut into {count} shards: it has {format_count(most, 'part')}",
            cause="a scenario on a build stays in one shard, and the plan has "
            f"{builds} and {format_count(len(plan.scenarios), 'scenario')}",
            next_step=f"use at most {format_count(most, 'shard')}, or select more",
        )
    if count > len(parts):
        return tuple(_restrict_plan(plan, *group) for group in _split_builds(parts, count))
    sums = {build: sum(scenarios.values()) for build, scenarios in parts.items()}
    return tuple(
        _restrict_plan(plan, builds, dict.fromkeys(name for b in builds for name in parts[b]))
        for builds in _deal_out(sums, count)
    )


def _deal_out(costs: Mapping[str, int], count: int) -> list[list[str]]:
    """The names in ``count`` groups of about the same cost; the costliest first, each to the
    group that has least so far. A group keeps the order of ``costs``."""
    position = {name: number for number, name in enumerate(costs)}
    groups: list[list[str]] = [[] for _ in range(count)]
    loads = [0] * count
    for name in sorted(costs, key=lambda name: (-costs[name], position[name])):
        least = loads.index(min(loads))
        groups[least].append(name)
        loads[least] += costs[name]
    return [sorted(group, key=position.__getitem__) for group in groups]


def _split_builds(parts: PartCosts, count: int) -> Iterable[tuple[list[str], list[str]]]:
    """One build and some of its scenarios for each of ``count`` shards, more than builds."""
    shards = dict.fromkeys(parts, 1)
    for _ in range(count - len(parts)):
        divisible = [build for build in parts if shards[build] < len(parts[build])]
        costliest = max(divisible, key=lambda build: sum(parts[build].values()) / shards[build])
        shards[costliest] += 1
    for build, scenarios in parts.items():
        for names in _deal_out(scenarios, shards[build]):
            yield [build], names


def _restrict_plan(plan: Plan, builds: Iterable[str], scenarios: Iterable[str]) -> Plan:
    """The plan with some of its builds and scenarios only, in its own order."""
    kept = set(builds)
    builds = tuple(build for build in plan.builds if build in kept)
    named = set(scenarios)
    return replace(
        plan,
        builds=builds,
        scenarios=tuple(name for name in plan.scenarios if name in named),
        scopes={
            name: _restrict_scope(scope, builds)
            for name, scope in plan.scopes.items()
            if name in named
        },
    )


def _restrict_scope(scope: Scope, builds: Sequence[str]) -> Scope:
    kept = tuple(build for build in scope.builds if build in builds)
    return replace(scope, builds=() if set(kept) == set(builds) else kept)
