"""What a piece of advice is worth: per build, and over all builds of a run. Pure.

Made from a run folder alone, so that anybody can make it again, on any machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.catalog.versions import Version
from harness.errors import UsageError
from harness.observations.record import Observation
from harness.observations.run_folder import (
    Claimed,
    RunData,
)
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.scenarios.expectations import (
    Effect,
    Expectation,
)
from harness.verdicts.judging import (
    ComparedCell,
    Gap,
    Judged,
    Standing,
    compared,
    judge,
)
from harness.verdicts.regressions import (
    Harm,
    harms,
)

_UNUSED = re.compile(r"unused parameter: (?P<name>[A-Za-z0-9_]+)")


class Verdict(StrEnum):
    """The answer to "is this right?"."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    DEPENDS = "depends"
    NO_EFFECT = "no-effect"
    HARMFUL = "harmful"
    NOT_APPLICABLE = "not-applicable"
    UNMEASURED = "unmeasured"


#: Verdicts that say nothing of the advice itself, and so make no difference between builds.
SILENT = frozenset({Verdict.NOT_APPLICABLE, Verdict.UNMEASURED})


@dataclass(frozen=True, slots=True)
class BuildVerdict:
    """A scenario's verdict on one build, with all that it rests on.

    ``claim`` says whether what was promised is so, whatever its cause: a promise may hold without
    the advice's doing anything. ``changed`` are the cells that differ from the control
    configuration, by what differs; None where that is not known of all of them.
    """

    build: str
    verdict: Verdict
    claim: Standing
    why: str
    judged: tuple[Judged, ...] = ()
    changed: Mapping[str, tuple[str, ...]] | None = None
    harms: tuple[Harm, ...] = ()
    postfix: Version | None = None
    openssl: Version | None = None

    @property
    def mismatches(self) -> int:
        """How many cells are not as an expectation says."""
        return sum(len(one.mismatches) for one in self.judged)


@dataclass(frozen=True, slots=True)
class ScenarioVerdict:
    """A scenario's verdict over all builds of a run; ``depends`` where theirs differ."""

    scenario: str
    verdict: Verdict
    builds: tuple[BuildVerdict, ...]

    def of(self, verdict: Verdict) -> tuple[BuildVerdict, ...]:
        """The builds with that verdict."""
        return tuple(one for one in self.builds if one.verdict is verdict)


def judge_run(data: RunData) -> tuple[ScenarioVerdict, ...]:
    """The verdicts on all scenarios of a run that expect anything, in the run's order."""
    seen = {one.cell: one for one in data.observations}
    scenarios = [
        name
        for name in data.run.axes.scenarios
        if (info := data.run.scenarios.get(name)) and info.claimed.expectations
    ]
    return tuple(judge_scenario(data, name, seen) for name in scenarios)


def judge_scenario(
    data: RunData, scenario: str, seen: Mapping[str, Observation] | None = None
) -> ScenarioVerdict:
    """The verdict on one scenario; ``seen`` are the run's observations by cell."""
    seen = {one.cell: one for one in data.observations} if seen is None else seen
    claimed = data.run.scenarios[scenario].claimed
    named = _named(claimed)
    unknown = {
        build: found & named
        for build in data.run.axes.builds
        if (found := _unknown(data, build, scenario)) is not None
    }
    # A name that no build knows is a slip of the advice's, not a lack of the build's.
    nowhere = set[str]().union(*unknown.values()).intersection(*unknown.values())
    builds = tuple(
        _on_build(data, build, scenario, seen, unknown.get(build, set()) - nowhere)
        for build in data.run.axes.builds
    )
    return ScenarioVerdict(scenario, overall(one.verdict for one in builds), builds)


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict of several builds': what all say that say anything, or ``depends``."""
    found = set(verdicts)
    telling = found - SILENT
    if len(telling) > 1:
        return Verdict.DEPENDS
    if telling:
        return telling.pop()
    return Verdict.NOT_APPLICABLE if found == {Verdict.NOT_APPLICABLE} else Verdict.UNMEASURED


def _on_build(
    data: RunData,
    build: str,
    scenario: str,
    seen: Mapping[str, Observation],
    lacking: set[str],
) -> BuildVerdict:
    claimed = data.run.scenarios[scenario].claimed
    postfix, openssl = versions(data, build)
    if (postfix or openssl) and not claimed.applies.fits_build(build, postfix, openssl):
        why = f"the advice is for {_wanted(claimed)}"
        return BuildVerdict(
            build,
            Verdict.NOT_APPLICABLE,
            Standing.UNMEASURED,
            why,
            postfix=postfix,
            openssl=openssl,
        )
    places = tuple(places_of(data, build, scenario, seen))
    asked = [one for one in claimed.expectations if one.fits_build(build, postfix, openssl)]
    judged = tuple(judge(one, places) for one in asked)
    known, whole = _changed(places)
    changed = known if whole else None
    found = harms(places, asked)
    verdict, why = _verdict(judged, changed, found, lacking)
    claim = standing(judged)
    held_against = claimed.against in data.run.scenarios
    if verdict is Verdict.CONFIRMED and held_against and not known and not _asks_for_none(judged):
        verdict, why = Verdict.UNMEASURED, f"whether it changes anything: {_unknown_effect(places)}"
    return BuildVerdict(
        build, verdict, claim, why, judged, changed, found, postfix=postfix, openssl=openssl
    )


def _asks_for_none(judged: Iterable[Judged]) -> bool:
    """Whether an expectation is that nothing changes."""
    return any(one.expectation.effect is Effect.NONE for one in judged)


def _unknown_effect(places: Iterable[ComparedCell]) -> str:
    """Why nobody knows whether anything changes."""
    gaps = [gap for place in places if isinstance(gap := compared(place), Gap)]
    return f"{gaps[0].cell}: {gaps[0].why}" if gaps else "no cell was compared"


def standing(judged: Iterable[Judged]) -> Standing:
    """Whether a whole claim holds: all of it must, and one part is enough to fail it."""
    found = {one.standing for one in judged}
    if Standing.FAILS in found:
        return Standing.FAILS
    return Standing.HOLDS if found == {Standing.HOLDS} else Standing.UNMEASURED


def _verdict(
    judged: tuple[Judged, ...],
    changed: Mapping[str, tuple[str, ...]] | None,
    found: tuple[Harm, ...],
    lacking: set[str],
) -> tuple[Verdict, str]:
    claim = standing(judged)
    if claim is Standing.FAILS and lacking:
        return Verdict.NOT_APPLICABLE, f"this Postfix does not know {', '.join(sorted(lacking))}"
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return Verdict.HARMFUL, f"{found[0].kind}: {found[0].cell}: {found[0].what}{more}"
    if changed == {} and not _asks_for_none(judged):
        return Verdict.NO_EFFECT, _of_no_effect(claim)
    match claim:
        case Standing.HOLDS:
            return Verdict.CONFIRMED, "every cell is as it promises"
        case Standing.FAILS:
            return Verdict.REFUTED, _first_mismatch(judged)
    return Verdict.UNMEASURED, _first_gap(judged)


def _of_no_effect(claim: Standing) -> str:
    return {
        Standing.HOLDS: "no cell changes; what it promises is so without it",
        Standing.FAILS: "no cell changes, and what it promises is not so",
        Standing.UNMEASURED: "no cell changes",
    }[claim]


def _first_mismatch(judged: Iterable[Judged]) -> str:
    wrong = [mismatch for one in judged for mismatch in one.mismatches]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"{wrong[0].cell}: {wrong[0].what}{more}"


def _first_gap(judged: tuple[Judged, ...]) -> str:
    open_ = [one for one in judged if one.standing is Standing.UNMEASURED]
    return open_[0].why if open_ else "nothing that it promises is about this build"


def _changed(places: Iterable[ComparedCell]) -> tuple[dict[str, tuple[str, ...]], bool]:
    """The cells that differ from the control configuration, and whether that is known of all."""
    found = {place.cell: compared(place) for place in places}
    known = {cell: names for cell, names in found.items() if not isinstance(names, Gap)}
    return {cell: names for cell, names in known.items() if names}, bool(found) and known == found


def places_of(
    data: RunData, build: str, scenario: str, seen: Mapping[str, Observation]
) -> Iterator[ComparedCell]:
    """The planned cells of a scenario on a build; ``seen`` are the run's observations by cell."""
    axes, against = data.run.axes, data.run.scenarios[scenario].against
    lacks = {lack.name: first for lack in data.run.missing if (first := lack.why.split("\n")[0])}
    scope = axes.scope(scenario)
    for service in scope.services:
        for client in scope.clients:
            for offer in axes.told(scenario, service, client):
                tail = f"{service}/{client}/{offer}"
                cell = f"{build}/{scenario}/{tail}"
                lack = lacks.get(build) or lacks.get(client) or "not measured"
                control = seen.get(f"{build}/{against}/{tail}")
                yield ComparedCell(cell, service, client, offer, seen.get(cell), control, lack)


def versions(data: RunData, build: str) -> tuple[Version | None, Version | None]:
    """Postfix's and OpenSSL's versions of a build, as its running image gave them."""
    image = data.run.images.get(build)
    if image is None:
        return None, None
    return _version(image.postfix), _version(image.openssl)


def _version(text: str | None) -> Version | None:
    try:
        return Version.parse(text) if text else None
    except UsageError:
        return None


def _wanted(claimed: Claimed) -> str:
    return str(claimed.applies).removeprefix("with ")


def _named(claimed: Claimed) -> set[str]:
    """The parameters that the candidate sets, anywhere."""
    main = parse_main_cf(claimed.main_cf).values
    options = (entry.options for entry in parse_master_cf(claimed.master_cf).entries)
    return {*main, *(name for one in options for name in one)}


def _unknown(data: RunData, build: str, scenario: str) -> set[str] | None:
    """The parameters that a build's own postconf does not know (it says so from 2.9 on)."""
    instance = data.instance(build, scenario)
    if instance is None:
        return None
    text = str(instance.get("check", ""))
    return {match["name"] for match in _UNUSED.finditer(text)}


def expectations_of(data: RunData, scenario: str) -> tuple[Expectation, ...]:
    """What a scenario of a run expects."""
    info = data.run.scenarios.get(scenario)
    return info.claimed.expectations if info else ()
