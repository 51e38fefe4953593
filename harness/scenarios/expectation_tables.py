"""Reads what ``[[expect]]`` tables have: selectors, and what the selected cells must show.

``[applies]`` of a scenario and ``[[known]]`` tables have some of these keys too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from harness.catalog.versions import Constraint
from harness.data_models import show_value, suggest
from harness.errors import UsageError
from harness.outcomes import REASONS, Outcome
from harness.scenarios.expectations import CLAIMABLE, DELIVERED, Effect, Trust, Where
from harness.tls import NAMED_SERVICES, Protocol

T = TypeVar("T")


class ExpectationError(Exception):
    """An error in a key of an ``[[expect]]`` table."""

    def __init__(self, key: str, what: str, expected: str) -> None:
        super().__init__(what)
        self.key, self.what, self.expected = key, what, expected


SELECTORS = ("builds", "postfix", "openssl", "services", "clients", "offers")
_EXPECTED_TEXTS = "a text in quotes, or a list of texts"


def read_where(table: Mapping[str, Any]) -> Where:
    """The selectors of an ``[[expect]]`` table.

    Raises:
        ExpectationError: a value is not a list of globs or a constraint, or selects no existing
            service.
    """
    services = _read_globs(table, "services")
    for glob in services:
        named = any(fnmatchcase(service, glob) for service in NAMED_SERVICES)
        if not named and not any(character.isdigit() for character in glob):
            expected = f"{suggest(glob, NAMED_SERVICES)}, or a port"
            raise ExpectationError("services", f"no service matches {glob!r}", expected)
    return Where(
        builds=_read_globs(table, "builds"),
        postfix=_read_constraint(table, "postfix"),
        openssl=_read_constraint(table, "openssl"),
        services=services,
        clients=_read_globs(table, "clients"),
        offers=_read_globs(table, "offers"),
    )


def read_says(value: object) -> str | None:
    """The sentence of an ``[[expect]]`` table; None where it has none.

    Raises:
        ExpectationError: it is not one line of text.
    """
    return None if value is None else read_line("says", value)


def read_line(key: str, value: object) -> str:
    """A value that is a sentence.

    Raises:
        ExpectationError: it is not one line of text.
    """
    if isinstance(value, str) and value.strip() and "\n" not in value.strip():
        return value.strip()
    raise ExpectationError(key, f"cannot be {show_value(value)}", "one line of text")


def _read_globs(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return _read_texts(key, table[key]) if key in table else ()


def read_expected(table: Mapping[str, Any]) -> dict[str, Any]:
    """What an ``[[expect]]`` table requires, as arguments of :class:`Expectation`.

    Raises:
        ExpectationError: a value that is not of its vocabulary, or two that contradict each other.
    """
    expected = {key: read(key, table[key]) for key, read in _READERS.items() if key in table}
    _check_together(expected)
    return expected


#: Keys that only apply to a session that was established.
_KEYS_OF_A_SESSION = ("protocol", "cipher", "cipher_not", "certificate", "resumed")


def _check_together(expected: Mapping[str, Any]) -> None:
    outcomes = expected.get("outcome", ())
    # smtp(8) may trust a certificate, or not, and then keep the mail: TLS was negotiated
    # nevertheless, and the trust in the certificate is in the log.
    if "trust" in expected and outcomes and not {Outcome.ACCEPTED, Outcome.REFUSED} & set(outcomes):
        what = f"no certificate is judged where the outcome is {' or '.join(outcomes)}"
        raise ExpectationError("trust", what, 'outcome = "accepted" or "refused", or no such key')
    negotiated = [key for key in _KEYS_OF_A_SESSION if key in expected]
    if outcomes and negotiated and Outcome.ACCEPTED not in outcomes:
        what = f"nothing is negotiated where the outcome is {' or '.join(outcomes)}"
        raise ExpectationError(negotiated[0], what, 'outcome = "accepted", or no such key')
    if "reason" in expected and outcomes and set(outcomes) <= set(DELIVERED):
        what = "a delivered message has no reason"
        raise ExpectationError("reason", what, 'outcome = "refused", or no such key')
    if expected.get("effect") is not None and len(expected) > 1:
        what = "an effect cannot be combined with other keys"
        raise ExpectationError("effect", what, "a separate [[expect]]")


def _read_outcomes(key: str, value: object) -> tuple[Outcome, ...]:
    allowed = {str(outcome): outcome for outcome in CLAIMABLE}
    return tuple(_find_allowed(key, text, allowed) for text in _read_texts(key, value))


def _read_protocols(key: str, value: object) -> tuple[Protocol, ...]:
    texts = _read_texts(key, value)
    chosen: set[Protocol] = set()
    for text in texts:
        chosen |= _read_protocol_range(key, text)
    return tuple(protocol for protocol in Protocol if protocol in chosen)


def _read_protocol_range(key: str, text: str) -> set[Protocol]:
    """``TLSv1.2``, ``>=TLSv1.2``, ``<=TLSv1.1`` or ``TLSv1..TLSv1.2`` as a set."""
    low, high = (text.partition("..")[0], text.partition("..")[2]) if ".." in text else (text, text)
    if text.startswith(">="):
        low, high = text[2:], list(Protocol)[-1]
    elif text.startswith("<="):
        low, high = next(iter(Protocol)), text[2:]
    try:
        first, last = Protocol.parse(low.strip()), Protocol.parse(high.strip())
    except UsageError as error:
        expected = f"one of {', '.join(Protocol)}, or one with >= or <= before it"
        raise ExpectationError(key, error.what, expected) from None
    if last.rank < first.rank:
        raise ExpectationError(key, f"{text!r} is the wrong way round", f"{last}..{first}")
    return {protocol for protocol in Protocol if first.rank <= protocol.rank <= last.rank}


def _read_reasons(key: str, value: object) -> tuple[str, ...]:
    allowed = {name: name for name in REASONS}
    return tuple(_find_allowed(key, text, allowed) for text in _read_texts(key, value))


def _read_trusts(key: str, value: object) -> tuple[Trust, ...]:
    allowed = {str(trust): trust for trust in Trust}
    return tuple(_find_allowed(key, text, allowed) for text in _read_texts(key, value))


def _read_resumed(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ExpectationError(
            key, f"cannot be {show_value(value)}", "true or false, without quotes"
        )
    return value


def _read_effect(key: str, value: object) -> Effect:
    (text, *more) = _read_texts(key, value)
    if more:
        raise ExpectationError(key, f"cannot be {show_value(value)}", '"none" or "some"')
    return _find_allowed(key, text, {str(effect): effect for effect in Effect})


def _find_allowed(key: str, text: str, allowed: Mapping[str, T]) -> T:
    if text not in allowed:
        raise ExpectationError(key, f"cannot be {show_value(text)}", suggest(text, allowed))
    return allowed[text]


def _read_texts(key: str, value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(
        isinstance(text, str) and text.strip() and text.isprintable() for text in values
    ):
        raise ExpectationError(key, f"cannot be {show_value(value)}", _EXPECTED_TEXTS)
    return tuple(str(text).strip() for text in values)


def _read_constraint(table: Mapping[str, Any], key: str) -> Constraint | None:
    value = table.get(key)
    if value is None:
        return None
    expected = 'operators and versions, such as ">=2.5,<3.6"'
    if not isinstance(value, str):
        raise ExpectationError(key, f"cannot be {show_value(value)}", expected)
    try:
        constraint = Constraint.parse(value)
    except UsageError as error:
        raise ExpectationError(key, error.what, expected) from None
    if constraint.impossible:
        raise ExpectationError(
            key, f"no version is {value!r}: the range is the wrong way round", expected
        )
    return constraint


_READERS: Mapping[str, Callable[[str, object], Any]] = {
    "outcome": _read_outcomes,
    "protocol": _read_protocols,
    "cipher": _read_texts,
    "cipher_not": _read_texts,
    "reason": _read_reasons,
    "trust": _read_trusts,
    "certificate": _read_texts,
    "resumed": _read_resumed,
    "effect": _read_effect,
}
EXPECTED = tuple(_READERS)


def read_applies(table: Mapping[str, Any]) -> Where:
    """The ``[applies]`` table: the versions to which a piece of advice applies.

    Raises:
        ExpectationError: another key, or an invalid constraint.
    """
    for key in table:
        if key not in ("postfix", "openssl"):
            raise ExpectationError(key, "unknown key", suggest(key, ("postfix", "openssl")))
    return read_where(table)
