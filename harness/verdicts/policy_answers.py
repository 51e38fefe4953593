"""Whether a candidate meets its policies, service by service and build by build. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.observations.reasons import TLS_NOT_AVAILABLE
from harness.observations.record import Observation, Outcome
from harness.observations.run_folder import RunData
from harness.tls import PLAINTEXT
from harness.verdicts.judging import (
    AFTER_TLS,
    BEFORE_TLS,
    ComparedCell,
    Judged,
    Mismatch,
    Standing,
    judge,
    negotiated,
)
from harness.verdicts.verdict import places_of, standing, versions


class PolicyAnswer(StrEnum):
    """What a service's cells on a build come to.

    ``none``: the policy is not met because the service offers no TLS. ``config-rejected``: not met
    because Postfix does not run with the configuration, or disables the service. ``not measured``:
    nothing contradicts the policy, and something that it needs is not known.
    """

    YES = "yes"
    NO = "no"
    NONE = "none"
    CONFIG_REJECTED = "config-rejected"
    UNMEASURED = "not measured"

    @property
    def standing(self) -> Standing:
        """Whether the policy is met."""
        if self is PolicyAnswer.YES:
            return Standing.HOLDS
        return Standing.UNMEASURED if self is PolicyAnswer.UNMEASURED else Standing.FAILS


@dataclass(frozen=True, slots=True)
class BuildAnswer:
    """One service on one build: the answer, and what every expectation rests on."""

    answer: PolicyAnswer
    judged: tuple[Judged, ...]

    @property
    def mismatches(self) -> tuple[tuple[Judged, Mismatch], ...]:
        """Every cell that is not as expected, with the expectation."""
        return tuple((judged, wrong) for judged in self.judged for wrong in judged.mismatches)


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What one service's cells say of what is expected of it; ``builds`` by build."""

    service: str
    builds: Mapping[str, BuildAnswer]

    @property
    def standing(self) -> Standing:
        """Whether it is met on all builds; one where it is not is enough."""
        found = {one.answer.standing for one in self.builds.values()}
        if Standing.FAILS in found:
            return Standing.FAILS
        return Standing.HOLDS if found == {Standing.HOLDS} else Standing.UNMEASURED

    @property
    def is_local(self) -> bool:
        """Whether only its own machine reaches it, so that no policy about TLS is for it."""
        return self.service.startswith(("127.", "localhost:", "[::1]:"))

    @property
    def only_rejected(self) -> bool:
        """Whether Postfix serves it on no build where it is not met."""
        failing = {a.answer for a in self.builds.values() if a.answer.standing is Standing.FAILS}
        return failing == {PolicyAnswer.CONFIG_REJECTED}

    def builds_by_answer(self) -> dict[PolicyAnswer, list[str]]:
        """The builds of each answer that is given, the worst first."""
        order = (
            PolicyAnswer.NO,
            PolicyAnswer.NONE,
            PolicyAnswer.CONFIG_REJECTED,
            PolicyAnswer.UNMEASURED,
            PolicyAnswer.YES,
        )
        given = {
            answer: [build for build, one in self.builds.items() if one.answer is answer]
            for answer in order
        }
        return {answer: builds for answer, builds in given.items() if builds}


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
            asked = [judge(e, mine) for e in expectations if e.fits_build(build, postfix, openssl)]
            judged = tuple(one for one in asked if _says_anything(one))
            builds[build] = BuildAnswer(answer_of(judged, mine), judged)
        if any(one.judged for one in builds.values()):
            found.append(ServiceAnswer(service, builds))
    return tuple(found)


def overall_standing(found: Sequence[ServiceAnswer]) -> Standing:
    """Whether all services meet the policies; of no service nothing is known.

    One that only its own machine reaches counts only where there is no other.
    """
    counted = [one for one in found if not one.is_local] or found
    standings = {answer.standing for answer in counted}
    if Standing.FAILS in standings:
        return Standing.FAILS
    return Standing.HOLDS if standings == {Standing.HOLDS} else Standing.UNMEASURED


def answer_of(judged: Sequence[Judged], places: Iterable[ComparedCell]) -> PolicyAnswer:
    """What a service's cells on a build come to.

    Args:
        judged: each expectation that says anything of the service, held against its cells.
        places: the service's cells.
    """
    seen = [place.seen for place in places if place.seen is not None]
    if is_rejected(seen):
        return PolicyAnswer.CONFIG_REJECTED
    match standing(judged):
        case Standing.HOLDS:
            return PolicyAnswer.YES
        case Standing.FAILS:
            return PolicyAnswer.NONE if offers_no_tls(seen) else PolicyAnswer.NO
    return PolicyAnswer.UNMEASURED


def is_rejected(seen: Iterable[Observation]) -> bool:
    """Whether Postfix does not serve there at all for its configuration's sake.

    One dialogue that anything came of shows that it does.
    """
    outcomes = {one.outcome for one in _telling(seen)}
    return outcomes == {Outcome.CONFIG_REJECTED}


def offers_no_tls(seen: Iterable[Observation]) -> bool:
    """Whether some client asked for TLS in vain, and none came as far as a handshake.

    It is in vain too where Postfix announces STARTTLS, or listens for TLS from the start, and has
    disabled it: for want of a certificate, say.
    """
    asked = [one for one in _telling(seen) if one.offer != PLAINTEXT]
    in_vain = [one for one in asked if _has_disabled_tls(one)]
    others = [one for one in asked if one not in in_vain]
    return bool(in_vain) and not any(negotiated(one) or _met_handshake(one) for one in others)


def _met_handshake(one: Observation) -> bool:
    """Whether TLS was refused by the handshake, which a service without TLS has none of."""
    return one.outcome is Outcome.REFUSED and one.stage not in AFTER_TLS | BEFORE_TLS


def _has_disabled_tls(one: Observation) -> bool:
    reason = one.reason or ""
    disabled = reason.startswith("tls-disabled") or reason == TLS_NOT_AVAILABLE
    return one.outcome is Outcome.NOT_OFFERED or (one.outcome is Outcome.REFUSED and disabled)


def _telling(seen: Iterable[Observation]) -> Iterator[Observation]:
    """The cells of which anything is known of the server."""
    mute = (Outcome.ERROR, Outcome.CLIENT_INCAPABLE, Outcome.TIMEOUT)
    return (one for one in seen if one.outcome not in mute)


def _says_anything(judged: Judged) -> bool:
    """Whether the expectation selects any cell of the service."""
    return bool(judged.mismatches or judged.witnesses or judged.gaps or judged.silent)
