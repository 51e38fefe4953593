"""What ``verify`` tried where a policy is not met, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.scenarios.remedies import Override
from harness.verdicts.judging import Standing
from harness.verdicts.policy_answers import (
    PolicyAnswer,
    ServiceAnswer,
)


@dataclass(frozen=True, slots=True)
class TriedRemedy:
    """Lines of main.cf that were tried, without ``overrides``, the options that override them.

    ``before`` are the answers that they are meant to improve, ``after`` those with them. Without
    lines nothing was tried, and ``why_none`` says why.
    """

    lines: tuple[str, ...]
    overrides: tuple[Override, ...] = ()
    before: tuple[ServiceAnswer, ...] = ()
    after: tuple[ServiceAnswer, ...] = ()
    why_none: str = ""


@dataclass(frozen=True, slots=True)
class RemedyOutcome:
    """The services that failed before, by what the remedy achieved."""

    met: tuple[str, ...]
    failing: tuple[str, ...]
    unmeasured: tuple[str, ...]


def outcome_of_remedy(remedy: TriedRemedy) -> RemedyOutcome:
    """What the remedy achieved for each service that failed."""
    after = {answer.service: answer.standing for answer in remedy.after}
    failed = [answer.service for answer in remedy.before if answer.standing is Standing.FAILS]

    def services_with(standing: Standing) -> tuple[str, ...]:
        return tuple(
            service for service in failed if after.get(service, Standing.UNMEASURED) is standing
        )

    return RemedyOutcome(
        services_with(Standing.HOLDS),
        services_with(Standing.FAILS),
        services_with(Standing.UNMEASURED),
    )


def why_no_remedy(failing: Sequence[ServiceAnswer]) -> str:
    """Why nothing can be tried for services that fail."""
    answers = {build.answer for service in failing for build in service.builds.values()}
    if PolicyAnswer.CONFIG_REJECTED in answers:
        return "Postfix has to run with the configuration first; its error is above."
    if PolicyAnswer.NONE in answers:
        return (
            "a service that offers no TLS needs a certificate of yours (smtpd_tls_chain_files, or "
            "smtpd_tls_cert_file and smtpd_tls_key_file) and smtpd_tls_security_level = may."
        )
    return "no remedy is known; 'postfix-matrix explain' shows which line does what."
