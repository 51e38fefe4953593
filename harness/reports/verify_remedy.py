"""What ``verify`` tried where a policy is not met, and what came of it."""

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
    """Lines of main.cf that were tried, without ``overrides``, the options that count over them.

    ``before`` are the answers that they are to better, ``after`` those with them. Without lines
    nothing was tried, and ``why_none`` says why.
    """

    lines: tuple[str, ...]
    overrides: tuple[Override, ...] = ()
    before: tuple[ServiceAnswer, ...] = ()
    after: tuple[ServiceAnswer, ...] = ()
    why_none: str = ""


@dataclass(frozen=True, slots=True)
class RemedyOutcome:
    """The services that failed before, by what became of them."""

    met: tuple[str, ...]
    failing: tuple[str, ...]
    unmeasured: tuple[str, ...]


def outcome_of_remedy(remedy: TriedRemedy) -> RemedyOutcome:
    """What became of each service that failed."""
    after = {one.service: one.standing for one in remedy.after}
    failed = [one.service for one in remedy.before if one.standing is Standing.FAILS]

    def of(standing: Standing) -> tuple[str, ...]:
        return tuple(one for one in failed if after.get(one, Standing.UNMEASURED) is standing)

    return RemedyOutcome(of(Standing.HOLDS), of(Standing.FAILS), of(Standing.UNMEASURED))


def why_no_remedy(failing: Sequence[ServiceAnswer]) -> str:
    """Why there is nothing to try for services that fail."""
    given = {one.answer for service in failing for one in service.builds.values()}
    if PolicyAnswer.CONFIG_REJECTED in given:
        return "Postfix has to run with the configuration first; its own words are above."
    if PolicyAnswer.NONE in given:
        return (
            "a service that offers no TLS needs a certificate of yours (smtpd_tls_chain_files, or "
            "smtpd_tls_cert_file and smtpd_tls_key_file) and smtpd_tls_security_level = may."
        )
    return "no remedy is known; 'postfix-matrix explain' tells which line does what."
