"""The client contract as a list of named checks, and a driver's results of them.

``client_trial`` makes the requests for each; docs/client-contract.md has the contract.
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

#: What a client may state that it can do besides an offer (docs/client-contract.md, "Extras").
EXTRAS = (
    *("cert", "sni", "resume", "renegotiate"),
    *("hangup=starttls", "hangup=handshake", "hangup=data"),
)
_TEXTS = ("client", "version", "tls_library", "tls_version")


@dataclass(frozen=True, slots=True)
class ClientReport:
    """The results of a client's image: ``id`` is the image's, ``describe`` its driver's output."""

    reference: str
    id: str
    describe: Mapping[str, Any]
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether it keeps the contract; a check that was not made does not count as failed."""
        return not any(check.verdict is CheckVerdict.FAILED for check in self.checks)


def passed_check(name: str, text: str, finding: str) -> Check:
    """A check that passed."""
    return Check(name, text, CheckVerdict.PASSED, finding)


def check_description(description: Mapping[str, Any]) -> Check:
    """Whether ``driver --describe`` prints what it must (schemas/client-describe.schema.json)."""
    text = "driver --describe prints what the client is, as one JSON object, and exits"
    wrong = [
        key for key in _TEXTS if not isinstance(description.get(key), str) or not description[key]
    ]
    if description.get("contract") != CONTRACT:
        wrong.append("contract")
    if not isinstance(description.get("sends_mail"), bool):
        wrong.append("sends_mail")
    offers = description.get("offers")
    if not isinstance(offers, list) or not set(offers) <= set(Protocol):
        wrong.append("offers")
    extras = description.get("extras", [])
    if not isinstance(extras, list) or not set(extras) <= set(EXTRAS):
        wrong.append("extras")
    if wrong:
        finding = f"missing or wrong: {', '.join(wrong)}" if description else "it printed no JSON"
        advice = "print the keys of docs/schemas/client-describe.schema.json"
        return Check("describe", text, CheckVerdict.FAILED, finding, advice)
    return passed_check(
        "describe",
        text,
        f"{description['client']} {description['version']}, {description['tls_version']}",
    )


def check_outcomes(
    name: str, text: str, results: Mapping[str, ClientResult], expected: str, advice: str
) -> Check:
    """Whether all results have the expected outcome, and stage where it is ``OUTCOME at STAGE``."""
    if not results:
        return Check(name, text, CheckVerdict.NOT_CHECKED, "there is no offer to try it with")
    outcome, _, stage = expected.partition(" at ")
    wrong = {
        label: result
        for label, result in results.items()
        if result.outcome != outcome or (stage and result.stage != stage)
    }
    if wrong:
        return Check(name, text, CheckVerdict.FAILED, _describe_results(wrong), advice)
    return passed_check(name, text, f"{expected}: {', '.join(results)}")


def check_extras(results: Mapping[str, ClientResult]) -> Check:
    """Whether each extra of the driver's description was done with a server that supports it."""
    name, text = "extras", "each of its extras is done: a hang-up is hung-up, a session is resumed"
    if not results:
        return Check(name, text, CheckVerdict.NOT_CHECKED, "its description has no extras")
    wrong = {label: result for label, result in results.items() if not _is_done(label, result)}
    if wrong:
        advice = "leave out of extras what the client cannot do"
        return Check(name, text, CheckVerdict.FAILED, _describe_results(wrong), advice)
    return passed_check(name, text, ", ".join(results))


def _is_done(label: str, result: ClientResult) -> bool:
    if label.startswith("hangup="):
        return (result.outcome, result.stage) == ("hung-up", label.partition("=")[2])
    return result.outcome == "accepted" and (label != "resume" or result.resumed is True)


def _describe_results(results: Mapping[str, ClientResult]) -> str:
    return "; ".join(f"{label}: {_describe_result(result)}" for label, result in results.items())


def _describe_result(result: ClientResult) -> str:
    """Outcome, stage, and the first line of the error."""
    stage = f" at {result.stage}" if result.stage else ""
    error = f" ({result.error.splitlines()[0][:200]})" if result.error else ""
    return f"{result.outcome}{stage}{error}"


def check_error_texts(results: Mapping[str, ClientResult]) -> Check:
    """Whether each failure has an error text or a reply."""
    name, text = "words", "a failure has the library's own message in error, or a reply"
    silent = [label for label, result in results.items() if not (result.error or result.reply)]
    if silent:
        finding = f"no message for {', '.join(silent)}"
        advice = "put the library's error message into error, unchanged"
        return Check(name, text, CheckVerdict.FAILED, finding, advice)
    return passed_check(name, text, f"{len(results)} failures have a message")


def check_protocols(results: Mapping[str, ClientResult]) -> Check:
    """Whether the reported version is the only one that was offered."""
    name, text = (
        "versions",
        "protocol is the version that was negotiated, in Postfix's spelling",
    )
    if not results:
        return Check(name, text, CheckVerdict.NOT_CHECKED, "there is no offer to try it with")
    wrong = {
        label: result.protocol for label, result in results.items() if result.protocol != label
    }
    if wrong:
        finding = ", ".join(f"{label}: {protocol}" for label, protocol in wrong.items())
        advice = "report the session's version; offer the requested one and no other"
        return Check(name, text, CheckVerdict.FAILED, finding, advice)
    return passed_check(name, text, ", ".join(results))


def check_concurrency(results: Sequence[ClientResult]) -> Check:
    """Whether concurrent dialogues all have a result, and each an address of its own."""
    name = "at-once"
    text = "several requests are worked on at a time; no two dialogues have the same local_address"
    addresses = [result.local_address for result in results]
    lost = [result.id for result in results if result.outcome != "accepted"]
    if lost or None in addresses or len(set(addresses)) != len(addresses):
        finding = f"not accepted: {', '.join(lost)}" if lost else f"addresses {addresses}"
        advice = "answer each request by its id, and bind a port before connecting"
        return Check(name, text, CheckVerdict.FAILED, finding, advice)
    return passed_check(name, text, f"{len(results)} at a time")


def check_secrecy(results: Sequence[ClientResult], encodings: Sequence[str]) -> Check:
    """Whether no dialogue contains the password, neither as text nor as AUTH encodes it."""
    name, text = "secret", "passwords never appear in dialogue"
    leaks = [result.id for result in results if _contains_any(result, encodings)]
    if leaks:
        finding, advice = f"it is in that of {leaks[0]}", "leave out what AUTH carries"
        return Check(name, text, CheckVerdict.FAILED, finding, advice)
    return passed_check(name, text, f"{len(results)} dialogues")


def _contains_any(result: ClientResult, encodings: Sequence[str]) -> bool:
    return any(encoding in line for line in result.dialogue for encoding in encodings)
