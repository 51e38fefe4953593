"""Judge whether a cell, and all cells that an expectation selects, are as expected.

All mismatches are kept, each with its cell. What was not measured, or what the two sides disagree
on, never counts for or against.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from harness.catalog.cells import is_simulated
from harness.observations.reasons import covers
from harness.observations.record import BEFORE_TLS, Observation, Outcome, Stage
from harness.scenarios.expectations import (
    DELIVERED,
    Effect,
    Expectation,
)
from harness.verdicts.observation_diff import (
    changed_fields,
    cipher_of,
    protocol_of,
    why_unobserved,
)

#: Stages that come after the handshake, or after the client went on without one.
AFTER_TLS = frozenset({Stage.AUTH, Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.QUIT})
#: Reasons of a refusal that are about TLS at whatever stage they are given.
ABOUT_TLS = frozenset(
    {
        *("must-starttls", "auth-required-tls", "tls-required", "tls-not-available"),
        # For mail that Postfix sends: the destination's TLSA records, and its TLS policy.
        *("no-tlsa", "policy"),
    }
)
#: Reasons that a server gives after it took a login: it was ready to take one.
LOGIN_TAKEN = frozenset({"auth-failed", "auth-unavailable"})


class Standing(StrEnum):
    """What the cells show about an expectation, or about a whole claim."""

    HOLDS = "holds"
    FAILS = "fails"
    UNMEASURED = "unmeasured"


def combine_standings(standings: Iterable[Standing]) -> Standing:
    """The standing of a whole: one failing part is enough to fail it; all must hold."""
    distinct = set(standings)
    if Standing.FAILS in distinct:
        return Standing.FAILS
    return Standing.HOLDS if distinct == {Standing.HOLDS} else Standing.UNMEASURED


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A cell that is not as expected."""

    cell: str
    what: str


@dataclass(frozen=True, slots=True)
class UnmeasuredCell:
    """A cell that shows nothing, and why."""

    cell: str
    why: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One expectation and what the cells show about it.

    ``witnesses`` are the cells that confirm it, ``unmeasured`` those that should show something and
    do not, ``silent`` counts the cells that cannot show it (a client that cannot make the offer, or
    a simulated one).
    """

    expectation: Expectation
    mismatches: tuple[Mismatch, ...] = ()
    witnesses: tuple[str, ...] = ()
    unmeasured: tuple[UnmeasuredCell, ...] = ()
    silent: int = 0

    @property
    def standing(self) -> Standing:
        """One mismatch is enough to refute; to hold, no cell may be unmeasured."""
        if self.mismatches:
            return Standing.FAILS
        return Standing.HOLDS if self.witnesses and not self.unmeasured else Standing.UNMEASURED

    @property
    def why(self) -> str:
        """Why it is unmeasured; empty where it is not."""
        if self.standing is not Standing.UNMEASURED:
            return ""
        if self.unmeasured:
            first = self.unmeasured[0]
            more = f" and {len(self.unmeasured) - 1} more" if len(self.unmeasured) > 1 else ""
            return f"{first.cell}{more}: {first.why}"
        return "no cell of this run can show it" if self.silent else "no cell of it was planned"


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """A planned cell, its observation, and the observation of the baseline configuration.

    ``why_unmeasured`` says why there is no observation, where there is none.
    """

    cell: str
    service: str
    client: str
    offer: str
    observation: Observation | None
    baseline: Observation | None
    why_unmeasured: str = "not measured"

    @property
    def is_simulated(self) -> bool:
        """Whether its client is a recorded hello, which counts for and against nothing."""
        return is_simulated(self.client)


def judge_expectation(expectation: Expectation, cells: Iterable[ComparedCell]) -> Judged:
    """Compare an expectation with the cells of one build."""
    fitting = [c for c in cells if expectation.fits_place(c.service, c.client, c.offer)]
    selected = [c for c in fitting if not c.is_simulated]
    simulated = len(fitting) - len(selected)
    if expectation.effect is not None:
        return replace(_judge_effect(expectation, selected), silent=simulated)
    results = [(compared.cell, _judge_cell(expectation, compared)) for compared in selected]
    return Judged(
        expectation,
        mismatches=tuple(result for _, result in results if isinstance(result, Mismatch)),
        witnesses=tuple(cell for cell, result in results if result is True),
        unmeasured=tuple(result for _, result in results if isinstance(result, UnmeasuredCell)),
        silent=simulated + sum(result is False for _, result in results),
    )


def _judge_cell(
    expectation: Expectation, compared: ComparedCell
) -> Mismatch | UnmeasuredCell | bool:
    """What one cell shows: a mismatch, unmeasured, True: it confirms, False: it cannot show it."""
    if (unmeasured := find_unmeasured(compared, expectation.outcome)) is not None:
        negotiated = _negotiated_before_timeout(expectation, compared.observation)
        return Mismatch(compared.cell, negotiated) if negotiated else unmeasured
    observation = compared.observation
    assert observation is not None
    if expectation.policy is not None and (why := unrelated_refusal(expectation, observation)):
        return UnmeasuredCell(compared.cell, why)
    problem = find_contradiction(expectation, observation)
    if problem is None:
        return False
    return Mismatch(compared.cell, problem) if problem else True


def _negotiated_before_timeout(expectation: Expectation, observation: Observation | None) -> str:
    """What a session that timed out had negotiated and should not have; "" for nothing."""
    if (
        observation is None
        or observation.outcome is not Outcome.TIMEOUT
        or observation.agree is False
    ):
        return ""
    return (
        (_contradiction_in_session(expectation, observation) or "")
        if negotiated_protocol(observation)
        else ""
    )


def negotiated_protocol(observation: Observation) -> str | None:
    """The protocol of a completed handshake; None where none completed, or neither side reports it.

    What came later, such as a recipient that was refused, does not matter. A refusal at the
    handshake counts only if the server logged a protocol: Postfix does so when the handshake is
    done, but a client may name one before.
    """
    if observation.outcome in (Outcome.CLIENT_INCAPABLE, Outcome.ERROR):
        return None
    if observation.outcome is not Outcome.ACCEPTED and observation.stage is Stage.HANDSHAKE:
        return observation.server_saw.protocol if observation.server_saw else None
    return protocol_of(observation)


def unrelated_refusal(expectation: Expectation, observation: Observation) -> str | None:
    """Why a refusal says nothing about a TLS policy; None where the cell does.

    A policy is about TLS: that no server listens, or that a recipient is refused, is no answer.
    """
    if observation.outcome is not Outcome.REFUSED or observation.reason in ABOUT_TLS:
        return None
    protocol = negotiated_protocol(observation)
    if observation.stage in BEFORE_TLS and protocol is None:
        return f"{_describe_refusal(observation)}, before TLS could be asked for"
    if observation.stage not in AFTER_TLS | BEFORE_TLS or not expectation.outcome:
        return None
    if (
        observation.stage is Stage.AUTH
        and protocol is None
        and observation.reason not in LOGIN_TAKEN
    ):
        # Without TLS no login is offered, which is what such a policy requires.
        return None
    after = (
        f"{protocol} was negotiated before it" if protocol else "TLS was not asked for before it"
    )
    return f"{_describe_refusal(observation)}, which is not about TLS: {after}"


def _describe_refusal(observation: Observation) -> str:
    return f"refused at {observation.stage}" + (
        f" ({observation.reason})" if observation.reason else ""
    )


def find_unmeasured(
    compared: ComparedCell, expected: Iterable[Outcome] = ()
) -> UnmeasuredCell | None:
    """Why a cell cannot be judged; None where it can.

    A time-out is a result only if it is expected; otherwise nothing is known.
    """
    observation = compared.observation
    if observation is None:
        return UnmeasuredCell(compared.cell, compared.why_unmeasured)
    is_expected = observation.outcome is Outcome.TIMEOUT and Outcome.TIMEOUT in expected
    if not is_expected and (why := why_unobserved(observation)):
        return UnmeasuredCell(compared.cell, why)
    if observation.agree is False:
        return UnmeasuredCell(compared.cell, "client and server disagree on what was negotiated")
    return None


def find_contradiction(expectation: Expectation, observation: Observation) -> str | None:
    """What contradicts the expectation; "" for nothing, None where the cell cannot show it."""
    if observation.outcome is Outcome.CLIENT_INCAPABLE:
        return None
    if expectation.outcome and observation.outcome not in expectation.outcome:
        because = f" ({observation.reason})" if observation.reason else ""
        return f"{observation.outcome}{because}, not {' or '.join(expectation.outcome)}"
    if expectation.reason:
        if observation.outcome in DELIVERED:
            return f"{observation.outcome}, not {' or '.join(expectation.reason)}"
        if not any(covers(reason, observation.reason) for reason in expectation.reason):
            return f"{observation.reason}, not {' or '.join(expectation.reason)}"
    return _contradiction_in_session(expectation, observation)


def _contradiction_in_session(expectation: Expectation, observation: Observation) -> str | None:
    """The same for what was negotiated, whatever came after it.

    A refusal in the handshake is no contradiction, because nothing wrong was negotiated. One that
    came before TLS could be requested, or after the client had gone on without it, shows nothing.
    """
    about_session = expectation.protocol or expectation.cipher or expectation.cipher_not
    after_session = bool(expectation.certificate) or expectation.resumed is not None
    if not about_session and not expectation.trust and not after_session:
        return ""
    if expectation.trust and (problem := _contradiction_in_trust(expectation, observation)) != "":
        return problem
    if after_session and (problem := _contradiction_after_session(expectation, observation)) != "":
        return problem
    protocol, cipher = negotiated_protocol(observation), cipher_of(observation)
    if protocol is None and observation.outcome is not Outcome.ACCEPTED:
        if observation.outcome is not Outcome.REFUSED:
            return None
        elsewhere = (
            observation.stage in AFTER_TLS | BEFORE_TLS and observation.reason not in ABOUT_TLS
        )
        return None if elsewhere else ""
    if protocol is None:
        return None
    if expectation.protocol and protocol not in expectation.protocol:
        return f"negotiated {protocol}, not {' or '.join(expectation.protocol)}"
    if (expectation.cipher or expectation.cipher_not) and cipher is None:
        return None
    if expectation.cipher and not _matches_any(expectation.cipher, str(cipher)):
        return f"negotiated {cipher}, not {' or '.join(expectation.cipher)}"
    if _matches_any(expectation.cipher_not, str(cipher)):
        return f"negotiated {cipher}"
    return ""


def _contradiction_after_session(expectation: Expectation, observation: Observation) -> str | None:
    """The same for the server's certificate and for a second connection's session."""
    if observation.outcome is not Outcome.ACCEPTED:
        return "" if observation.outcome is Outcome.REFUSED else None
    if expectation.certificate:
        if observation.certificate is None:
            return None
        names = observation.certificate.names
        if not any(_matches_any(expectation.certificate, name) for name in names):
            return (
                f"a certificate for {', '.join(names)}, not {' or '.join(expectation.certificate)}"
            )
    if expectation.resumed is not None:
        if observation.resumed is None:
            return None
        if observation.resumed is not expectation.resumed:
            return "the session resumed" if observation.resumed else "no session resumed"
    return ""


def _contradiction_in_trust(expectation: Expectation, observation: Observation) -> str | None:
    """The same for the trust level, which smtp(8) may log and then not send the message.

    A refusal contradicts it only where the expectation is about refusals: otherwise nothing wrong
    happened, as with everything that is negotiated.
    """
    expects_refusal = Outcome.REFUSED in expectation.outcome
    if observation.outcome is Outcome.REFUSED and not expects_refusal:
        return ""
    if observation.outcome not in (Outcome.ACCEPTED, Outcome.REFUSED):
        return None
    if observation.trust in expectation.trust:
        return ""
    return f"certificate {observation.trust}, not {' or '.join(expectation.trust)}"


def _matches_any(globs: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _judge_effect(expectation: Expectation, cells: list[ComparedCell]) -> Judged:
    """An effect is judged over all cells: "some" holds by one, "none" fails by one."""
    results = {compared.cell: compare_cell(compared) for compared in cells}
    unmeasured = tuple(r for r in results.values() if isinstance(r, UnmeasuredCell))
    measured = {cell: r for cell, r in results.items() if not isinstance(r, UnmeasuredCell)}
    changed = {cell: names for cell, names in measured.items() if names}
    same = [cell for cell, names in measured.items() if not names]
    if expectation.effect is Effect.NONE:
        wrong = tuple(Mismatch(c, f"differs in {', '.join(n)}") for c, n in changed.items())
        return Judged(expectation, wrong, tuple(same), unmeasured)
    if changed:
        return Judged(expectation, witnesses=tuple(changed))
    if unmeasured or not same:
        return Judged(expectation, unmeasured=unmeasured)
    return Judged(expectation, tuple(Mismatch(c, "the same as without it") for c in same))


def compare_cell(compared: ComparedCell) -> tuple[str, ...] | UnmeasuredCell:
    """The names of what the configuration changes in a cell, or why this is unknown."""
    if (unmeasured := find_unmeasured(compared)) is not None:
        return unmeasured
    assert compared.observation is not None
    baseline = compared.baseline
    if baseline is None or why_unobserved(baseline):
        return UnmeasuredCell(compared.cell, "the baseline configuration was not measured there")
    return changed_fields(compared.observation, baseline)
