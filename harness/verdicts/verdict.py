"""What a piece of advice is worth: per build, and over all builds of a run.

Made from a run folder alone, so that it can be made again on any machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.catalog.versions import Version
from harness.errors import UsageError
from harness.observations.record import Observation
from harness.observations.run_folder import RunData
from harness.observations.run_json import Claimed, ImageInfo
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.scenarios.expectations import Effect
from harness.verdicts.judging import (
    ComparedCell,
    Judged,
    Standing,
    UnmeasuredCell,
    combine_standings,
    compare_cell,
    judge_expectation,
)
from harness.verdicts.regressions import Regression, find_regressions

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


#: Verdicts that say nothing about the advice itself, and so make no difference between builds.
SILENT = frozenset({Verdict.NOT_APPLICABLE, Verdict.UNMEASURED})


@dataclass(frozen=True, slots=True)
class BuildVerdict:
    """A scenario's verdict on one build, with everything that it rests on.

    ``claim`` says whether what was promised is so, whatever the cause: a promise may hold although
    the advice does nothing. ``changed`` are the cells that differ from the baseline configuration,
    by what differs; None where that is not known for all of them.
    """

    build: str
    verdict: Verdict
    claim: Standing
    why: str
    judged: tuple[Judged, ...] = ()
    changed: Mapping[str, tuple[str, ...]] | None = None
    regressions: tuple[Regression, ...] = ()
    postfix: Version | None = None
    openssl: Version | None = None

    @property
    def mismatches(self) -> int:
        """How many cells are not as an expectation says."""
        return sum(len(judged.mismatches) for judged in self.judged)


@dataclass(frozen=True, slots=True)
class ScenarioVerdict:
    """A scenario's verdict over all builds of a run; ``depends`` where they differ."""

    scenario: str
    verdict: Verdict
    builds: tuple[BuildVerdict, ...]

    def builds_with(self, verdict: Verdict) -> tuple[BuildVerdict, ...]:
        """The builds with that verdict."""
        return tuple(build for build in self.builds if build.verdict is verdict)


def judge_run(data: RunData) -> tuple[ScenarioVerdict, ...]:
    """The verdicts on all scenarios of a run that have expectations, in the run's order."""
    by_cell = {observation.cell: observation for observation in data.observations}
    scenarios = [
        name
        for name in data.run.axes.scenarios
        if (info := data.run.scenarios.get(name)) and info.claimed.expectations
    ]
    return tuple(judge_scenario(data, name, by_cell) for name in scenarios)


def judge_scenario(
    data: RunData, scenario: str, by_cell: Mapping[str, Observation] | None = None
) -> ScenarioVerdict:
    """The verdict on one scenario; ``by_cell`` are the run's observations by cell."""
    if by_cell is None:
        by_cell = {observation.cell: observation for observation in data.observations}
    claimed = data.run.scenarios[scenario].claimed
    parameters = _parameters_set(claimed)
    unknown = {
        build: unused & parameters
        for build in data.run.axes.builds
        if (unused := _unknown_parameters(data, build, scenario)) is not None
    }
    # A name that no build knows is an error of the advice, not a limit of the build.
    nowhere = set[str]().union(*unknown.values()).intersection(*unknown.values())
    builds = tuple(
        _judge_build(data, build, scenario, by_cell, unknown.get(build, set()) - nowhere)
        for build in data.run.axes.builds
    )
    return ScenarioVerdict(scenario, overall_verdict(b.verdict for b in builds), builds)


def overall_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict for several builds: the one that all but silent verdicts are, or ``depends``."""
    distinct = set(verdicts)
    conclusive = distinct - SILENT
    if len(conclusive) > 1:
        return Verdict.DEPENDS
    if conclusive:
        return conclusive.pop()
    return Verdict.NOT_APPLICABLE if distinct == {Verdict.NOT_APPLICABLE} else Verdict.UNMEASURED


def _judge_build(
    data: RunData,
    build: str,
    scenario: str,
    by_cell: Mapping[str, Observation],
    unknown: set[str],
) -> BuildVerdict:
    claimed = data.run.scenarios[scenario].claimed
    postfix, openssl = build_versions(data, build)
    if (postfix or openssl) and not claimed.applies.fits_build(build, postfix, openssl):
        why = f"the advice is for {_applicable_versions(claimed)}"
        return BuildVerdict(
            build,
            Verdict.NOT_APPLICABLE,
            Standing.UNMEASURED,
            why,
            postfix=postfix,
            openssl=openssl,
        )
    cells = tuple(compared_cells(data, build, scenario, by_cell))
    fitting = [e for e in claimed.expectations if e.fits_build(build, postfix, openssl)]
    judged = tuple(judge_expectation(expectation, cells) for expectation in fitting)
    real = [cell for cell in cells if not cell.is_simulated]
    known, complete = _changed_cells(real)
    changed = known if complete else None
    regressions = find_regressions(real, fitting)
    verdict, why = _decide_verdict(judged, changed, regressions, unknown)
    claim = combine_standings(judgement.standing for judgement in judged)
    has_baseline = claimed.against in data.run.scenarios
    if verdict is Verdict.CONFIRMED and has_baseline and not known and not _expects_none(judged):
        why = f"whether it changes anything: {_explain_unknown_effect(real)}"
        verdict = Verdict.UNMEASURED
    return BuildVerdict(
        build, verdict, claim, why, judged, changed, regressions, postfix=postfix, openssl=openssl
    )


def _expects_none(judged: Iterable[Judged]) -> bool:
    """Whether an expectation is that nothing changes."""
    return any(judgement.expectation.effect is Effect.NONE for judgement in judged)


def _explain_unknown_effect(cells: Iterable[ComparedCell]) -> str:
    """Why it is unknown whether anything changes."""
    results = (compare_cell(cell) for cell in cells)
    unmeasured = [result for result in results if isinstance(result, UnmeasuredCell)]
    return f"{unmeasured[0].cell}: {unmeasured[0].why}" if unmeasured else "no cell was compared"


def _decide_verdict(
    judged: tuple[Judged, ...],
    changed: Mapping[str, tuple[str, ...]] | None,
    regressions: tuple[Regression, ...],
    unknown: set[str],
) -> tuple[Verdict, str]:
    claim = combine_standings(judgement.standing for judgement in judged)
    if claim is Standing.FAILS and unknown:
        return Verdict.NOT_APPLICABLE, f"this Postfix does not know {', '.join(sorted(unknown))}"
    if regressions:
        more = f" (and {len(regressions) - 1} more)" if len(regressions) > 1 else ""
        return (
            Verdict.HARMFUL,
            f"{regressions[0].kind}: {regressions[0].cell}: {regressions[0].what}{more}",
        )
    if changed == {} and not _expects_none(judged):
        return Verdict.NO_EFFECT, _explain_no_effect(claim)
    match claim:
        case Standing.HOLDS:
            return Verdict.CONFIRMED, "every cell is as it promises"
        case Standing.FAILS:
            return Verdict.REFUTED, _describe_mismatch(judged)
    return Verdict.UNMEASURED, _explain_unmeasured(judged)


def _explain_no_effect(claim: Standing) -> str:
    return {
        Standing.HOLDS: "no cell changes; what it promises is so without it",
        Standing.FAILS: "no cell changes, and what it promises is not so",
        Standing.UNMEASURED: "no cell changes",
    }[claim]


def _describe_mismatch(judged: Iterable[Judged]) -> str:
    wrong = [mismatch for judgement in judged for mismatch in judgement.mismatches]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"{wrong[0].cell}: {wrong[0].what}{more}"


def _explain_unmeasured(judged: tuple[Judged, ...]) -> str:
    unmeasured = [each for each in judged if each.standing is Standing.UNMEASURED]
    return unmeasured[0].why if unmeasured else "nothing that it promises is about this build"


def _changed_cells(
    cells: Iterable[ComparedCell],
) -> tuple[dict[str, tuple[str, ...]], bool]:
    """The cells that differ from the baseline, and whether that is known for all cells."""
    results = {compared.cell: compare_cell(compared) for compared in cells}
    known = {c: names for c, names in results.items() if not isinstance(names, UnmeasuredCell)}
    changed = {cell: names for cell, names in known.items() if names}
    return changed, bool(results) and known == results


def compared_cells(
    data: RunData, build: str, scenario: str, by_cell: Mapping[str, Observation]
) -> Iterator[ComparedCell]:
    """The planned cells of a scenario on a build; ``by_cell`` are the run's observations."""
    axes, against = data.run.axes, data.run.scenarios[scenario].against
    reasons = {
        missing.name: first_line
        for missing in data.run.missing
        if (first_line := missing.why.split("\n")[0])
    }
    scope = axes.scope(scenario)
    for service in scope.services:
        for client in scope.clients:
            for offer in axes.offers_for(scenario, service, client):
                tail = f"{service}/{client}/{offer}"
                cell = f"{build}/{scenario}/{tail}"
                why = reasons.get(build) or reasons.get(client) or "not measured"
                baseline = by_cell.get(f"{build}/{against}/{tail}")
                yield ComparedCell(cell, service, client, offer, by_cell.get(cell), baseline, why)


def build_versions(data: RunData, build: str) -> tuple[Version | None, Version | None]:
    """The Postfix and OpenSSL versions of a build, as its running image reported them."""
    return image_versions(data.run.images.get(build))


def image_versions(image: ImageInfo | None) -> tuple[Version | None, Version | None]:
    """The Postfix and OpenSSL versions of an image; None where they are not known."""
    if image is None:
        return None, None
    return _parse_version(image.postfix), _parse_version(image.openssl)


def _parse_version(text: str | None) -> Version | None:
    try:
        return Version.parse(text) if text else None
    except UsageError:
        return None


def _applicable_versions(claimed: Claimed) -> str:
    return str(claimed.applies).removeprefix("with ")


def _parameters_set(claimed: Claimed) -> set[str]:
    """The parameters that the candidate sets, in main.cf or master.cf."""
    main = parse_main_cf(claimed.main_cf).values
    options = (entry.options for entry in parse_master_cf(claimed.master_cf).entries)
    return {*main, *(name for overrides in options for name in overrides)}


def _unknown_parameters(data: RunData, build: str, scenario: str) -> set[str] | None:
    """The parameters that a build's postconf does not know (it reports them from 2.9 on)."""
    instance = data.instance(build, scenario)
    if instance is None:
        return None
    text = str(instance.get("check", ""))
    return {match["name"] for match in _UNUSED.finditer(text)}
