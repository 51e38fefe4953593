"""The client contract as a list of named checks, and what a driver came to by it. Pure.

What is tried for each is in ``conformance_trial``; docs/client-contract.md has the contract.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.clients.contract import CONTRACT, ClientResult
from harness.conformance.image_checks import (
    Check,
    CheckVerdict,
)
from harness.tls import Protocol

#: What a client may say that it can do beside an offer (docs/client-contract.md, "Extras").
EXTRAS = (
    *("cert", "sni", "resume", "renegotiate"),
    *("hangup=starttls", "hangup=handshake", "hangup=data"),
)
_TEXTS = ("client", "version", "tls_library", "tls_version")


@dataclass(frozen=True, slots=True)
class ClientReport:
    """What a client's image came to: ``id`` is the image's, ``describe`` what its driver says."""

    reference: str
    id: str
    describe: Mapping[str, Any]
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether it keeps the contract; what could not be checked does not count against it."""
        return not any(check.verdict is CheckVerdict.FAILED for check in self.checks)


def passed(name: str, text: str, found: str) -> Check:
    """A check that is met."""
    return Check(name, text, CheckVerdict.PASSED, found)


def described(told: Mapping[str, Any]) -> Check:
    """Whether ``driver --describe`` says what it must (schemas/client-describe.schema.json)."""
    text = "driver --describe prints what the client is, as one JSON object, and exits"
    wrong = [key for key in _TEXTS if not isinstance(told.get(key), str) or not told[key]]
    if told.get("contract") != CONTRACT:
        wrong.append("contract")
    if not isinstance(told.get("sends_mail"), bool):
        wrong.append("sends_mail")
    offers = told.get("offers")
    if not isinstance(offers, list) or not set(offers) <= set(Protocol):
        wrong.append("offers")
    extras = told.get("extras", [])
    if not isinstance(extras, list) or not set(extras) <= set(EXTRAS):
        wrong.append("extras")
    if wrong:
        found = f"missing or wrong: {', '.join(wrong)}" if told else "it said nothing that is JSON"
        advice = "print the keys of docs/schemas/client-describe.schema.json"
        return Check("describe", text, CheckVerdict.FAILED, found, advice)
    return passed("describe", text, f"{told['client']} {told['version']}, {told['tls_version']}")


def all_of(
    name: str, text: str, results: Mapping[str, ClientResult], wanted: str, advice: str
) -> Check:
    """Whether every result has an outcome, and a stage where ``wanted`` is ``OUTCOME at STAGE``."""
    if not results:
        return Check(name, text, CheckVerdict.NOT_CHECKED, "there is no offer to try it with")
    outcome, _, stage = wanted.partition(" at ")
    odd = {
        label: one
        for label, one in results.items()
        if one.outcome != outcome or (stage and one.stage != stage)
    }
    if odd:
        found = "; ".join(f"{label}: {told(one)}" for label, one in odd.items())
        return Check(name, text, CheckVerdict.FAILED, found, advice)
    return passed(name, text, f"{wanted}: {', '.join(results)}")


def extras_done(results: Mapping[str, ClientResult]) -> Check:
    """Whether each extra that a driver says it can do was done at a server that goes along."""
    name, text = "extras", "each of its extras is done: a hang-up is hung-up, a session is resumed"
    if not results:
        return Check(name, text, CheckVerdict.NOT_CHECKED, "it says that it can do none")
    odd = {label: one for label, one in results.items() if not _done(label, one)}
    if odd:
        found = "; ".join(f"{label}: {told(one)}" for label, one in odd.items())
        advice = "leave out of extras what the client cannot be told"
        return Check(name, text, CheckVerdict.FAILED, found, advice)
    return passed(name, text, ", ".join(results))


def _done(label: str, one: ClientResult) -> bool:
    if label.startswith("hangup="):
        return (one.outcome, one.stage) == ("hung-up", label.partition("=")[2])
    return one.outcome == "accepted" and (label != "resume" or one.resumed is True)


def told(one: ClientResult) -> str:
    """A result in a few words."""
    where = f" at {one.stage}" if one.stage else ""
    words = f" ({one.error.splitlines()[0][:200]})" if one.error else ""
    return f"{one.outcome}{where}{words}"


def own_words(results: Mapping[str, ClientResult]) -> Check:
    """Whether what is refused or cannot be done comes with somebody's words."""
    name, text = "words", "a failure has the library's own words in error, or a reply"
    silent = [label for label, one in results.items() if not (one.error or one.reply)]
    if silent:
        found = f"nothing is said of {', '.join(silent)}"
        advice = "put what the library said into error, word for word"
        return Check(name, text, CheckVerdict.FAILED, found, advice)
    return passed(name, text, f"{len(results)} failures have words")


def versions(results: Mapping[str, ClientResult]) -> Check:
    """Whether what is said to be negotiated is what was offered alone."""
    name, text = "versions", "protocol is the version that was negotiated, in Postfix's spelling"
    if not results:
        return Check(name, text, CheckVerdict.NOT_CHECKED, "there is no offer to try it with")
    wrong = {label: one.protocol for label, one in results.items() if one.protocol != label}
    if wrong:
        found = ", ".join(f"{label}: {protocol}" for label, protocol in wrong.items())
        advice = "report the session's version; offer the one that was asked for and no other"
        return Check(name, text, CheckVerdict.FAILED, found, advice)
    return passed(name, text, ", ".join(results))


def apart(results: Sequence[ClientResult]) -> Check:
    """Whether dialogues at one time each have an answer, and an address of their own."""
    name = "at-once"
    text = "several requests are worked on at a time; no two dialogues have the same local_address"
    addresses = [one.local_address for one in results]
    lost = [one.id for one in results if one.outcome != "accepted"]
    if lost or None in addresses or len(set(addresses)) != len(addresses):
        found = f"not accepted: {', '.join(lost)}" if lost else f"addresses {addresses}"
        advice = "answer each request by its id, and bind a port before connecting"
        return Check(name, text, CheckVerdict.FAILED, found, advice)
    return passed(name, text, f"{len(results)} at a time")


def secret(results: Sequence[ClientResult], spellings: Sequence[str]) -> Check:
    """Whether no dialogue has the password in any of its spellings, bare or as AUTH has it."""
    name, text = "secret", "passwords never appear in dialogue"
    leaks = [one.id for one in results if _says(one, spellings)]
    if leaks:
        found, advice = f"it is in that of {leaks[0]}", "leave out what AUTH carries"
        return Check(name, text, CheckVerdict.FAILED, found, advice)
    return passed(name, text, f"{len(results)} dialogues")


def _says(one: ClientResult, spellings: Sequence[str]) -> bool:
    return any(spelling in line for line in one.dialogue for spelling in spellings)
