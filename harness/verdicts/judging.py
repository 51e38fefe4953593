"""Whether one cell, and all that an expectation selects, are as it says. Pure.

All mismatches are kept, each with its cell. What was not measured, or what the two sides disagree
on, never counts for or against.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from harness.observations.reasons import covers
from harness.observations.record import Observation, Outcome, Stage
from harness.scenarios.expectations import (
    DELIVERED,
    Effect,
    Expectation,
)
from harness.verdicts.observation_diff import (
    changes,
    cipher_of,
    protocol_of,
)

#: Stages at which the server has said nothing of TLS yet.
BEFORE_TLS = frozenset({Stage.CONNECT, Stage.BANNER, Stage.EHLO})
#: Stages that come after the handshake, or after the client went on without one.
AFTER_TLS = frozenset({Stage.AUTH, Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.QUIT})
#: Reasons of a refusal that are about TLS at whatever stage they are given.
ABOUT_TLS = frozenset(
    {
        *("must-starttls", "auth-required-tls", "tls-required", "tls-not-available"),
        # Of mail that Postfix sends: the destination's TLSA records, and its TLS policy.
        *("no-tlsa", "policy"),
    }
)
#: Reasons that a server gives once it has taken a login: it was ready to take one.
LOGIN_TAKEN = frozenset({"auth-failed", "auth-unavailable"})


class Standing(StrEnum):
    """What the cells say of an expectation, or of a whole claim."""

    HOLDS = "holds"
    FAILS = "fails"
    UNMEASURED = "unmeasured"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A cell that is not as it was expected to be."""

    cell: str
    what: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A cell that says nothing, and why."""

    cell: str
    why: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One expectation and what the cells say of it.

    ``witnesses`` are the cells that bear it out, ``gaps`` those that should say something and
    cannot, ``silent`` how many cells cannot speak to it (a client that cannot make the offer, say).
    """

    expectation: Expectation
    mismatches: tuple[Mismatch, ...] = ()
    witnesses: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    silent: int = 0

    @property
    def standing(self) -> Standing:
        """One mismatch is enough to refute; to hold, nothing may be missing."""
        if self.mismatches:
            return Standing.FAILS
        return Standing.HOLDS if self.witnesses and not self.gaps else Standing.UNMEASURED

    @property
    def why(self) -> str:
        """Why it is unmeasured; empty where it is not."""
        if self.standing is not Standing.UNMEASURED:
            return ""
        if self.gaps:
            first = self.gaps[0]
            more = f" and {len(self.gaps) - 1} more" if len(self.gaps) > 1 else ""
            return f"{first.cell}{more}: {first.why}"
        return "no cell of this run can show it" if self.silent else "no cell of it was planned"


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """A cell of the plan, what was seen there, and what was seen under the control configuration.

    ``lack`` says why nothing was seen, where nothing was.
    """

    cell: str
    service: str
    client: str
    offer: str
    seen: Observation | None
    control: Observation | None
    lack: str = "not measured"


def judge(expectation: Expectation, places: Iterable[ComparedCell]) -> Judged:
    """Hold an expectation against the cells of one build."""
    mine = [p for p in places if expectation.fits_place(p.service, p.client, p.offer)]
    if expectation.effect is not None:
        return _judge_effect(expectation, mine)
    said = [(place.cell, _cell_says(expectation, place)) for place in mine]
    return Judged(
        expectation,
        mismatches=tuple(word for _, word in said if isinstance(word, Mismatch)),
        witnesses=tuple(cell for cell, word in said if word is True),
        gaps=tuple(word for _, word in said if isinstance(word, Gap)),
        silent=sum(word is False for _, word in said),
    )


def _cell_says(expectation: Expectation, place: ComparedCell) -> Mismatch | Gap | bool:
    """What one cell says: a mismatch, a gap, True where it bears it out, False where it cannot."""
    if (gap := unsettled(place, expectation.outcome)) is not None:
        wrong = _negotiated_before_timeout(expectation, place.seen)
        return Mismatch(place.cell, wrong) if wrong else gap
    assert place.seen is not None
    if expectation.policy is not None and (why := beside_the_point(expectation, place.seen)):
        return Gap(place.cell, why)
    found = contradiction(expectation, place.seen)
    if found is None:
        return False
    return Mismatch(place.cell, found) if found else True


def _negotiated_before_timeout(expectation: Expectation, seen: Observation | None) -> str:
    """What a session that timed out had negotiated and should not have; "" where nothing."""
    if seen is None or seen.outcome is not Outcome.TIMEOUT or seen.agree is False:
        return ""
    return (_negotiated(expectation, seen) or "") if negotiated(seen) else ""


def negotiated(seen: Observation) -> str | None:
    """The protocol of a handshake that came to its end; None where none did, or neither side says.

    What came later, such as a recipient that was refused, takes nothing from it. A refusal at the
    handshake counts only by the server's word: Postfix logs a protocol when the handshake is done,
    a client may name one before.
    """
    if seen.outcome in (Outcome.CLIENT_INCAPABLE, Outcome.ERROR):
        return None
    if seen.outcome is not Outcome.ACCEPTED and seen.stage is Stage.HANDSHAKE:
        return seen.server_saw.protocol if seen.server_saw else None
    return protocol_of(seen)


def beside_the_point(expectation: Expectation, seen: Observation) -> str | None:
    """Why a refusal says nothing of a policy about TLS; None where the cell speaks to it.

    A policy is about TLS: that nobody listens, or that a recipient is refused, is no answer to it.
    """
    if seen.outcome is not Outcome.REFUSED or seen.reason in ABOUT_TLS:
        return None
    tls = negotiated(seen)
    if seen.stage in BEFORE_TLS and tls is None:
        return f"{_ended(seen)}, before TLS could be asked for"
    if seen.stage not in AFTER_TLS | BEFORE_TLS or not expectation.outcome:
        return None
    if seen.stage is Stage.AUTH and tls is None and seen.reason not in LOGIN_TAKEN:
        # No login is offered without TLS, which is what such a policy asks for.
        return None
    after = f"{tls} was negotiated before it" if tls else "TLS was not asked for before it"
    return f"{_ended(seen)}, which is not about TLS: {after}"


def _ended(seen: Observation) -> str:
    return f"refused at {seen.stage}" + (f" ({seen.reason})" if seen.reason else "")


def unsettled(place: ComparedCell, expected: Iterable[Outcome] = ()) -> Gap | None:
    """Why a cell cannot be judged; None where it can.

    A time-out is a fact only for who expects it; for anybody else nothing is known.
    """
    seen = place.seen
    if seen is None:
        return Gap(place.cell, place.lack)
    if seen.outcome is Outcome.ERROR:
        return Gap(place.cell, f"the harness failed there ({seen.reason})")
    if seen.outcome is Outcome.TIMEOUT and Outcome.TIMEOUT not in expected:
        return Gap(place.cell, "no answer in the cell's time")
    if seen.agree is False:
        return Gap(place.cell, "client and server disagree on what was negotiated")
    return None


def contradiction(expectation: Expectation, seen: Observation) -> str | None:
    """What contradicts the expectation; "" where nothing does, None where the cell cannot say."""
    if seen.outcome is Outcome.CLIENT_INCAPABLE:
        return None
    if expectation.outcome and seen.outcome not in expectation.outcome:
        reason = f" ({seen.reason})" if seen.reason else ""
        return f"{seen.outcome}{reason}, not {' or '.join(expectation.outcome)}"
    if expectation.reason:
        if seen.outcome in DELIVERED:
            return f"{seen.outcome}, not {' or '.join(expectation.reason)}"
        if not any(covers(one, seen.reason) for one in expectation.reason):
            return f"{seen.reason}, not {' or '.join(expectation.reason)}"
    return _negotiated(expectation, seen)


def _negotiated(expectation: Expectation, seen: Observation) -> str | None:
    """The same of what was negotiated, whatever came after it.

    A refusal in the handshake is no contradiction: nothing wrong came of it. One that came before
    TLS could be asked for, or after the client had gone on without it, says nothing.
    """
    asked = expectation.protocol or expectation.cipher or expectation.cipher_not
    of_second_look = bool(expectation.certificate) or expectation.resumed is not None
    if not asked and not expectation.trust and not of_second_look:
        return ""
    if expectation.trust and (found := _trust_contradicts(expectation, seen)) != "":
        return found
    if of_second_look and (found := _second_look(expectation, seen)) != "":
        return found
    protocol, cipher = negotiated(seen), cipher_of(seen)
    if protocol is None and seen.outcome is not Outcome.ACCEPTED:
        if seen.outcome is not Outcome.REFUSED:
            return None
        elsewhere = seen.stage in AFTER_TLS | BEFORE_TLS and seen.reason not in ABOUT_TLS
        return None if elsewhere else ""
    if protocol is None:
        return None
    if expectation.protocol and protocol not in expectation.protocol:
        return f"negotiated {protocol}, not {' or '.join(expectation.protocol)}"
    if (expectation.cipher or expectation.cipher_not) and cipher is None:
        return None
    if expectation.cipher and not _any(expectation.cipher, str(cipher)):
        return f"negotiated {cipher}, not {' or '.join(expectation.cipher)}"
    if _any(expectation.cipher_not, str(cipher)):
        return f"negotiated {cipher}"
    return ""


def _second_look(expectation: Expectation, seen: Observation) -> str | None:
    """The same of the server's certificate and of a second connection's session."""
    if seen.outcome is not Outcome.ACCEPTED:
        return "" if seen.outcome is Outcome.REFUSED else None
    if expectation.certificate:
        if seen.certificate is None:
            return None
        names = seen.certificate.names
        if not any(_any(expectation.certificate, name) for name in names):
            return (
                f"a certificate for {', '.join(names)}, not {' or '.join(expectation.certificate)}"
            )
    if expectation.resumed is not None:
        if seen.resumed is None:
            return None
        if seen.resumed is not expectation.resumed:
            return "the session resumed" if seen.resumed else "no session resumed"
    return ""


def _trust_contradicts(expectation: Expectation, seen: Observation) -> str | None:
    """The same of the word for the certificate, which smtp(8) may say and then not send.

    A refusal contradicts it only where the expectation is of refusals: else nothing wrong came of
    it, as with all that is negotiated.
    """
    of_refusals = Outcome.REFUSED in expectation.outcome
    if seen.outcome is Outcome.REFUSED and not of_refusals:
        return ""
    if seen.outcome not in (Outcome.ACCEPTED, Outcome.REFUSED):
        return None
    if seen.trust in expectation.trust:
        return ""
    return f"certificate {seen.trust}, not {' or '.join(expectation.trust)}"


def _any(globs: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _judge_effect(expectation: Expectation, places: list[ComparedCell]) -> Judged:
    """An effect is of all cells together: "some" holds by one, "none" fails by one."""
    found = {place.cell: compared(place) for place in places}
    gaps = tuple(one for one in found.values() if isinstance(one, Gap))
    named = {cell: one for cell, one in found.items() if not isinstance(one, Gap)}
    changed = {cell: names for cell, names in named.items() if names}
    same = [cell for cell, names in named.items() if not names]
    if expectation.effect is Effect.NONE:
        wrong = tuple(Mismatch(c, f"differs in {', '.join(n)}") for c, n in changed.items())
        return Judged(expectation, wrong, tuple(same), gaps)
    if changed:
        return Judged(expectation, witnesses=tuple(changed))
    if gaps or not same:
        return Judged(expectation, gaps=gaps)
    return Judged(expectation, tuple(Mismatch(c, "the same as without it") for c in same))


def compared(place: ComparedCell) -> tuple[str, ...] | Gap:
    """What the configuration changes in a cell, by name, or why nobody knows."""
    if (gap := unsettled(place, (Outcome.TIMEOUT,))) is not None:
        return gap
    assert place.seen is not None
    if place.control is None or place.control.outcome in (Outcome.ERROR, Outcome.TIMEOUT):
        return Gap(place.cell, "the control configuration was not measured there")
    return changes(place.seen, place.control)
