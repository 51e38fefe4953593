"""Whether a candidate meets its policies, service by service and build by build. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.observations.rundir import RunData
from harness.verdicts.claims import Judged, Mismatch, Standing, judge
from harness.verdicts.verdict import places_of, standing, versions


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What one service's cells say of what is expected of it; ``builds`` by build."""

    service: str
    builds: Mapping[str, tuple[Judged, ...]]

    def of(self, build: str) -> Standing:
        """Whether it is met on a build."""
        return standing(self.builds[build])

    @property
    def standing(self) -> Standing:
        """Whether it is met on all builds."""
        found = {self.of(build) for build in self.builds}
        if Standing.FAILS in found:
            return Standing.FAILS
        return Standing.HOLDS if found == {Standing.HOLDS} else Standing.UNMEASURED

    @property
    def mismatches(self) -> tuple[tuple[Judged, Mismatch], ...]:
        """Every cell that is not as expected, with the expectation."""
        return tuple(
            (judged, one)
            for found in self.builds.values()
            for judged in found
            for one in judged.mismatches
        )

    @property
    def witnesses(self) -> int:
        """How many cells bear the policies out."""
        return sum(len(j.witnesses) for found in self.builds.values() for j in found)


def answers(data: RunData, scenario: str) -> tuple[ServiceAnswer, ...]:
    """A scenario's expectations, judged for each service that they say anything of."""
    seen = {one.cell: one for one in data.observations}
    expectations = data.run.scenarios[scenario].claimed.expectations
    found = []
    for service in data.run.axes.scope(scenario).services:
        builds = {}
        for build in data.run.axes.builds:
            postfix, openssl = versions(data, build)
            mine = [p for p in places_of(data, build, scenario, seen) if p.service == service]
            judged = (judge(e, mine) for e in expectations if e.fits_build(build, postfix, openssl))
            builds[build] = tuple(one for one in judged if _about(one))
        if any(builds.values()):
            found.append(ServiceAnswer(service, builds))
    return tuple(found)


def _about(judged: Judged) -> bool:
    """Whether the expectation selects any cell of the service."""
    return bool(judged.mismatches or judged.witnesses or judged.gaps or judged.silent)
