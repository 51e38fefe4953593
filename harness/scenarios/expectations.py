"""Expectations of a set of cells: ``[[expect]]`` in scenario.toml.

An expectation selects cells (by build, versions, service, client, offer) and states what each of
them must show. It is written in TOML, recorded in ``run.json``, and judged in ``verdicts``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from harness.catalog.versions import Constraint, Version
from harness.data_models import show_value, suggest
from harness.errors import UsageError
from harness.outcomes import REASONS, Outcome
from harness.tls import NAMED_SERVICES, Protocol

T = TypeVar("T")


class Effect(StrEnum):
    """Whether a configuration changes anything, compared with its baseline configuration."""

    NONE = "none"
    SOME = "some"


class Trust(StrEnum):
    """The levels of trust in a server's certificate that smtp(8) logs: TLS_README, "Logging"."""

    ANONYMOUS = "Anonymous"
    UNTRUSTED = "Untrusted"
    TRUSTED = "Trusted"
    VERIFIED = "Verified"


#: The outcomes that may be expected; failures of the harness or the client may not.
CLAIMABLE = tuple(o for o in Outcome if o not in (Outcome.ERROR, Outcome.CLIENT_INCAPABLE))
#: The outcomes of cells in which a message was delivered or a handshake completed.
DELIVERED = (Outcome.ACCEPTED, Outcome.PLAINTEXT)


@dataclass(frozen=True, slots=True)
class Where:
    """Selectors that must all match; each empty or None to match all. The tuples are globs."""

    builds: tuple[str, ...] = ()
    postfix: Constraint | None = None
    openssl: Constraint | None = None
    services: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()

    def fits_build(self, build: str, postfix: Version | None, openssl: Version | None) -> bool:
        """Whether a build with these versions is selected; an unknown version meets no limit."""
        return (
            _matches_any(self.builds, build)
            and _allows_version(self.postfix, postfix)
            and _allows_version(self.openssl, openssl)
        )

    def fits_place(self, service: str, client: str, offer: str) -> bool:
        """Whether cells with these are selected."""
        return (
            _matches_any(self.services, service)
            and _matches_any(self.clients, client)
            and _matches_any(self.offers, offer)
        )

    def __str__(self) -> str:
        """``TLSv1, TLSv1.1 on smtp from openssl-* with Postfix >=3.6``; "" for everything."""
        parts = [
            ", ".join(self.offers),
            f"on {', '.join(self.services)}" if self.services else "",
            f"from {', '.join(self.clients)}" if self.clients else "",
            f"at {', '.join(self.builds)}" if self.builds else "",
            f"with Postfix {self.postfix}" if self.postfix else "",
            f"with OpenSSL {self.openssl}" if self.openssl else "",
        ]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What each selected cell must show; fields that are empty or None require nothing.

    ``where`` are selectors that must all match: those of a policy and of the table that names it.
    ``protocol`` has every allowed version; ``cipher`` and ``cipher_not`` are globs for OpenSSL's
    names. ``certificate`` are globs for the names in the server's certificate, one of which must
    match; ``resumed`` concerns a second connection. ``effect`` is that compared with the scenario's
    baseline configuration. ``policy`` is the policy to which it belongs. ``line`` is its line in
    scenario.toml.
    """

    where: tuple[Where, ...] = ()
    outcome: tuple[Outcome, ...] = ()
    protocol: tuple[Protocol, ...] = ()
    cipher: tuple[str, ...] = ()
    cipher_not: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    trust: tuple[Trust, ...] = ()
    certificate: tuple[str, ...] = ()
    resumed: bool | None = None
    effect: Effect | None = None
    says: str | None = None
    policy: str | None = None
    line: int | None = field(default=None, compare=False)

    def fits_build(self, build: str, postfix: Version | None, openssl: Version | None) -> bool:
        """Whether it applies to a build with these versions."""
        return all(where.fits_build(build, postfix, openssl) for where in self.where)

    def fits_place(self, service: str, client: str, offer: str) -> bool:
        """Whether it applies to cells with these."""
        return all(where.fits_place(service, client, offer) for where in self.where)

    @property
    def text(self) -> str:
        """The expectation as text: the sentence it was given, or one made from its parts."""
        return self.says or f"{self._describe_selectors()}: {self.requirement}"

    @property
    def requirement(self) -> str:
        """What is expected, without the selectors: ``refused; protocol TLSv1.2, TLSv1.3``."""
        parts = [
            " or ".join(self.outcome),
            f"protocol {', '.join(self.protocol)}" if self.protocol else "",
            f"cipher {', '.join(self.cipher)}" if self.cipher else "",
            f"no cipher {', '.join(self.cipher_not)}" if self.cipher_not else "",
            f"reason {' or '.join(self.reason)}" if self.reason else "",
            f"certificate {' or '.join(self.trust)}" if self.trust else "",
            f"a certificate for {' or '.join(self.certificate)}" if self.certificate else "",
            {None: "", True: "the session resumed", False: "no session resumed"}[self.resumed],
            {None: "", Effect.NONE: "no effect", Effect.SOME: "some effect"}[self.effect],
        ]
        return "; ".join(part for part in parts if part)

    def _describe_selectors(self) -> str:
        return ", ".join(text for text in map(str, self.where) if text) or "every cell"

    def to_data(self) -> dict[str, Any]:
        """It as JSON values, as recorded in ``run.json``; what is not required is left out."""
        wheres = [where_data(where) for where in self.where]
        lists = {
            "outcome": self.outcome,
            "protocol": self.protocol,
            "cipher": self.cipher,
            "cipher_not": self.cipher_not,
            "reason": self.reason,
            "trust": self.trust,
            "certificate": self.certificate,
        }
        data: dict[str, Any] = {"where": [selectors for selectors in wheres if selectors]}
        data |= {key: [str(value) for value in values] for key, values in lists.items() if values}
        texts = {"effect": self.effect, "says": self.says, "policy": self.policy}
        data |= {} if self.resumed is None else {"resumed": self.resumed}
        data |= {} if self.line is None else {"line": self.line}
        return data | {key: str(text) for key, text in texts.items() if text is not None}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Expectation:
        """Read :meth:`to_data` back.

        Raises:
            ValueError: a value is not of its vocabulary.
        """
        effect = data.get("effect")
        return cls(
            where=tuple(where_from(selectors) for selectors in data["where"]),
            outcome=tuple(Outcome(text) for text in data.get("outcome", ())),
            protocol=tuple(Protocol(text) for text in data.get("protocol", ())),
            cipher=tuple(data.get("cipher", ())),
            cipher_not=tuple(data.get("cipher_not", ())),
            reason=tuple(data.get("reason", ())),
            trust=tuple(Trust(text) for text in data.get("trust", ())),
            certificate=tuple(data.get("certificate", ())),
            resumed=data.get("resumed"),
            effect=None if effect is None else Effect(effect),
            says=data.get("says"),
            policy=data.get("policy"),
            line=data.get("line"),
        )


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
        Slip: a value is not a list of globs or a constraint, or selects no existing service.
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
    """The sentence of an ``[[expect]]`` table.

    Raises:
        ExpectationError: it is not one line of text.
    """
    if value is None or (isinstance(value, str) and value.strip() and "\n" not in value.strip()):
        return value.strip() if isinstance(value, str) else None
    raise ExpectationError("says", f"cannot be {show_value(value)}", "one line of text")


def _read_globs(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return _read_texts(key, table[key]) if key in table else ()


def read_expected(table: Mapping[str, Any]) -> dict[str, Any]:
    """What an ``[[expect]]`` table requires, as arguments of :class:`Expectation`.

    Raises:
        Slip: a value that is not of its vocabulary, or two that contradict each other.
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
        Slip: another key, or an invalid constraint.
    """
    for key in table:
        if key not in ("postfix", "openssl"):
            raise ExpectationError(key, "unknown key", suggest(key, ("postfix", "openssl")))
    return read_where(table)


def _matches_any(globs: tuple[str, ...], name: str) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


def _allows_version(constraint: Constraint | None, version: Version | None) -> bool:
    return constraint is None or (version is not None and constraint.allows(version))


def where_data(where: Where) -> dict[str, Any]:
    """Selectors as JSON values; those that match everything are left out."""
    globs = ("builds", "services", "clients", "offers")
    data: dict[str, Any] = {key: list(getattr(where, key)) for key in globs if getattr(where, key)}
    for key in ("postfix", "openssl"):
        if (constraint := getattr(where, key)) is not None:
            data[key] = str(constraint)
    return data


def where_from(data: Mapping[str, Any]) -> Where:
    """Read :func:`where_data` back."""
    return Where(
        builds=tuple(data.get("builds", ())),
        postfix=Constraint.parse(data["postfix"]) if "postfix" in data else None,
        openssl=Constraint.parse(data["openssl"]) if "openssl" in data else None,
        services=tuple(data.get("services", ())),
        clients=tuple(data.get("clients", ())),
        offers=tuple(data.get("offers", ())),
    )
