"""Whether a candidate meets its policies, service by service and build by build."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.observations.reasons import TLS_NOT_AVAILABLE
from harness.observations.record import BEFORE_TLS, Observation, Outcome
from harness.observations.run_folder import RunData
from harness.tls import PLAINTEXT
from harness.verdicts.judging import (
    AFTER_TLS,
    ComparedCell,
    Judged,
    Mismatch,
    Standing,
    combine_standings,
    judge_expectation,
    negotiated_protocol,
)
from harness.verdicts.observation_diff import INCONCLUSIVE
from harness.verdicts.verdict import build_versions, compared_cells


class PolicyAnswer(StrEnum):
    """The answer that a service's cells on a build give.

    ``none``: the policy is not met because the service offers no TLS. ``config-rejected``: not met
    because Postfix does not run with the configuration, or disables the service. ``not measured``:
    nothing contradicts the policy, and something that it requires is unknown.
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
    """One service on one build: the answer, and every expectation that it rests on."""

    answer: PolicyAnswer
    judged: tuple[Judged, ...]

    @property
    def mismatches(self) -> tuple[tuple[Judged, Mismatch], ...]:
        """Every cell that is not as expected, with its expectation."""
        return tuple((judged, wrong) for judged in self.judged for wrong in judged.mismatches)


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What one service's cells show about its expectations; ``builds`` by build."""

    service: str
    builds: Mapping[str, BuildAnswer]

    @property
    def standing(self) -> Standing:
        """Whether it is met on all builds; one build where it is not is enough to fail."""
        return combine_standings(build.answer.standing for build in self.builds.values())

    @property
    def is_local(self) -> bool:
        """Whether only its own machine reaches it, so that no TLS policy applies to it."""
        return self.service.startswith(("127.", "localhost:", "[::1]:"))

    @property
    def only_rejected(self) -> bool:
        """Whether Postfix does not serve it at all on the builds where it is not met."""
        failing = {a.answer for a in self.builds.values() if a.answer.standing is Standing.FAILS}
        return failing == {PolicyAnswer.CONFIG_REJECTED}

    def builds_by_answer(self) -> dict[PolicyAnswer, list[str]]:
        """The builds by answer, the worst answer first."""
        order = (
            PolicyAnswer.NO,
            PolicyAnswer.NONE,
            PolicyAnswer.CONFIG_REJECTED,
            PolicyAnswer.UNMEASURED,
            PolicyAnswer.YES,
        )
        given = {
            answer: [name for name, build in self.builds.items() if build.answer is answer]
            for answer in order
        }
        return {answer: builds for answer, builds in given.items() if builds}


def judge_services(data: RunData, scenario: str) -> tuple[ServiceAnswer, ...]:
    """A scenario's expectations, judged for each service that they are about."""
    by_cell = {observation.cell: observation for observation in data.observations}
    expectations = data.run.scenarios[scenario].claimed.expectations
    services = []
    for service in data.run.axes.scope(scenario).services:
        builds = {}
        for build in data.run.axes.builds:
            postfix, openssl = build_versions(data, build)
            cells = [
                c
                for c in compared_cells(data, build, scenario, by_cell)
                if c.service == service and not c.is_simulated
            ]
            fitting = [e for e in expectations if e.fits_build(build, postfix, openssl)]
            judgements = (judge_expectation(expectation, cells) for expectation in fitting)
            judged = tuple(judgement for judgement in judgements if _selects_any(judgement))
            builds[build] = BuildAnswer(answer_of_build(judged, cells), judged)
        if any(answer.judged for answer in builds.values()):
            services.append(ServiceAnswer(service, builds))
    return tuple(services)


def overall_standing(services: Sequence[ServiceAnswer]) -> Standing:
    """Whether all services that count meet the policies; unmeasured if there is none."""
    return combine_standings(service.standing for service in counted_services(services))


def counted_services(services: Sequence[ServiceAnswer]) -> Sequence[ServiceAnswer]:
    """A service that only its own machine reaches counts only where there is no other."""
    return [service for service in services if not service.is_local] or services


def answer_of_build(judged: Sequence[Judged], cells: Iterable[ComparedCell]) -> PolicyAnswer:
    """The answer that a service's cells on a build give.

    Args:
        judged: each expectation that is about the service, compared with its cells.
        cells: the service's cells.
    """
    observations = [cell.observation for cell in cells if cell.observation is not None]
    if is_rejected(observations):
        return PolicyAnswer.CONFIG_REJECTED
    match combine_standings(judgement.standing for judgement in judged):
        case Standing.HOLDS:
            return PolicyAnswer.YES
        case Standing.FAILS:
            return PolicyAnswer.NONE if offers_no_tls(observations) else PolicyAnswer.NO
    return PolicyAnswer.UNMEASURED


def is_rejected(observations: Iterable[Observation]) -> bool:
    """Whether Postfix does not serve there at all because of its configuration.

    One dialogue with a result shows that it does.
    """
    outcomes = {observation.outcome for observation in _conclusive_cells(observations)}
    return outcomes == {Outcome.CONFIG_REJECTED}


def offers_no_tls(observations: Iterable[Observation]) -> bool:
    """Whether some client requested TLS in vain, and none got as far as a handshake.

    The request is also in vain where Postfix announces STARTTLS, or listens for TLS from the start,
    but has disabled TLS, because it has no certificate, for example.
    """
    requests = [cell for cell in _conclusive_cells(observations) if cell.offer != PLAINTEXT]
    in_vain = [cell for cell in requests if _has_disabled_tls(cell)]
    others = [cell for cell in requests if cell not in in_vain]
    return bool(in_vain) and not any(
        negotiated_protocol(cell) or _met_handshake(cell) for cell in others
    )


def _met_handshake(observation: Observation) -> bool:
    """Whether TLS was refused in the handshake, which a service without TLS does not have."""
    refused = observation.outcome is Outcome.REFUSED
    return refused and observation.stage not in AFTER_TLS | BEFORE_TLS


def _has_disabled_tls(observation: Observation) -> bool:
    reason = observation.reason or ""
    disabled = reason.startswith("tls-disabled") or reason == TLS_NOT_AVAILABLE
    refused = observation.outcome is Outcome.REFUSED
    return observation.outcome is Outcome.NOT_OFFERED or (refused and disabled)


def _conclusive_cells(observations: Iterable[Observation]) -> Iterator[Observation]:
    """The cells that show anything about the server."""
    return (cell for cell in observations if cell.outcome not in INCONCLUSIVE)


def _selects_any(judged: Judged) -> bool:
    """Whether the expectation selects any cell of the service."""
    return bool(judged.mismatches or judged.witnesses or judged.unmeasured or judged.silent)
