"""What somebody claims or wants of a set of cells: ``[[expect]]`` in scenario.toml. Pure.

An expectation selects cells (by build, versions, service, client, offer) and says what each of them
must show. It is written in TOML, kept in ``run.json``, and judged in ``verdicts``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from harness.catalog.versions import Constraint, Version
from harness.errors import UsageError
from harness.outcomes import Outcome
from harness.tls import NAMED_SERVICES, Protocol

T = TypeVar("T")


class Effect(StrEnum):
    """What a configuration changes, beside the one it is held against."""

    NONE = "none"
    SOME = "some"


class Trust(StrEnum):
    """What smtp(8) logs of a server's certificate: TLS_README, "Logging"."""

    ANONYMOUS = "Anonymous"
    UNTRUSTED = "Untrusted"
    TRUSTED = "Trusted"
    VERIFIED = "Verified"


#: What may be expected; what the harness or the client failed at is nobody's claim.
CLAIMABLE = tuple(o for o in Outcome if o not in (Outcome.ERROR, Outcome.CLIENT_INCAPABLE))
#: The outcomes of cells in which a message or a handshake went through.
DELIVERED = (Outcome.ACCEPTED, Outcome.PLAINTEXT)


@dataclass(frozen=True, slots=True)
class Where:
    """Selectors that all must fit; each empty or None for all there is. The tuples are globs."""

    builds: tuple[str, ...] = ()
    postfix: Constraint | None = None
    openssl: Constraint | None = None
    services: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()

    def fits_build(self, build: str, postfix: Version | None, openssl: Version | None) -> bool:
        """Whether a build with these versions is selected; of an unknown version nothing holds."""
        return (
            _any(self.builds, build)
            and _allowed(self.postfix, postfix)
            and _allowed(self.openssl, openssl)
        )

    def fits_place(self, service: str, client: str, offer: str) -> bool:
        """Whether cells of these are selected."""
        return (
            _any(self.services, service) and _any(self.clients, client) and _any(self.offers, offer)
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
    """What each selected cell must show; what is empty or None is not asked.

    ``where`` are selectors that all must fit: a policy's within those of whoever names it.
    ``protocol`` has every version that is allowed, ``cipher`` and ``cipher_not`` are globs over
    OpenSSL's names. ``certificate`` are globs over the names in the server's certificate, one of
    which must fit one of them; ``resumed`` is of a second connection. ``effect`` is against the
    scenario's control configuration. ``policy`` is the name of the policy it is a part of. ``line``
    is where scenario.toml has it.
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
        """Whether it says anything of a build with these versions."""
        return all(where.fits_build(build, postfix, openssl) for where in self.where)

    def fits_place(self, service: str, client: str, offer: str) -> bool:
        """Whether it says anything of cells of these."""
        return all(where.fits_place(service, client, offer) for where in self.where)

    @property
    def text(self) -> str:
        """It in words: its own sentence, or one made of its parts."""
        return self.says or f"{self._selected()}: {self.wanted}"

    @property
    def wanted(self) -> str:
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

    def _selected(self) -> str:
        return ", ".join(text for text in map(str, self.where) if text) or "every cell"

    def to_data(self) -> dict[str, Any]:
        """It in JSON's terms, as ``run.json`` keeps it; what is not asked is left out."""
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
        data: dict[str, Any] = {"where": [one for one in wheres if one]}
        data |= {key: [str(one) for one in values] for key, values in lists.items() if values}
        texts = {"effect": self.effect, "says": self.says, "policy": self.policy}
        data |= {} if self.resumed is None else {"resumed": self.resumed}
        return data | {key: str(text) for key, text in texts.items() if text is not None}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Expectation:
        """Read :meth:`to_data` back.

        Raises:
            ValueError: a word of a closed vocabulary is none.
        """
        effect = data.get("effect")
        return cls(
            where=tuple(where_from(one) for one in data["where"]),
            outcome=tuple(Outcome(one) for one in data.get("outcome", ())),
            protocol=tuple(Protocol(one) for one in data.get("protocol", ())),
            cipher=tuple(data.get("cipher", ())),
            cipher_not=tuple(data.get("cipher_not", ())),
            reason=tuple(data.get("reason", ())),
            trust=tuple(Trust(one) for one in data.get("trust", ())),
            certificate=tuple(data.get("certificate", ())),
            resumed=data.get("resumed"),
            effect=None if effect is None else Effect(effect),
            says=data.get("says"),
            policy=data.get("policy"),
        )


class Slip(Exception):
    """What is wrong with a key of an ``[[expect]]`` table."""

    def __init__(self, key: str, what: str, expected: str) -> None:
        super().__init__(what)
        self.key, self.what, self.expected = key, what, expected


SELECTORS = ("builds", "postfix", "openssl", "services", "clients", "offers")
_WORDS = "a text in quotes, or a list of such"


def read_where(table: Mapping[str, Any]) -> Where:
    """The selectors of an ``[[expect]]`` table.

    Raises:
        Slip: a value is no list of globs, no constraint, or selects no service there is.
    """
    services = _globs(table, "services")
    for glob in services:
        named = any(fnmatchcase(service, glob) for service in NAMED_SERVICES)
        if not named and not any(character.isdigit() for character in glob):
            expected = f"of {', '.join(NAMED_SERVICES)}, or a port"
            raise Slip("services", f"no service matches {glob!r}", expected)
    return Where(
        builds=_globs(table, "builds"),
        postfix=_constraint(table, "postfix"),
        openssl=_constraint(table, "openssl"),
        services=services,
        clients=_globs(table, "clients"),
        offers=_globs(table, "offers"),
    )


def _globs(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return _texts(key, table[key]) if key in table else ()


def read_expected(table: Mapping[str, Any]) -> dict[str, Any]:
    """What an ``[[expect]]`` table asks of its cells, as arguments of :class:`Expectation`.

    Raises:
        Slip: a value that is not of its vocabulary, or two that contradict each other.
    """
    found = {key: read(key, table[key]) for key, read in _READERS.items() if key in table}
    _check_together(found)
    return found


#: What only a session has that came to something.
_OF_A_SESSION = ("protocol", "cipher", "cipher_not", "certificate", "resumed")


def _check_together(found: Mapping[str, Any]) -> None:
    outcomes = found.get("outcome", ())
    # smtp(8) may trust a certificate, or not, and then keep the mail: TLS was negotiated all the
    # same, and its word for the certificate is in the log.
    if "trust" in found and outcomes and not {Outcome.ACCEPTED, Outcome.REFUSED} & set(outcomes):
        what = f"no certificate is judged where the outcome is {' or '.join(outcomes)}"
        raise Slip("trust", what, 'outcome = "accepted" or "refused", or no such key')
    negotiated = [key for key in _OF_A_SESSION if key in found]
    if outcomes and negotiated and Outcome.ACCEPTED not in outcomes:
        what = f"nothing is negotiated where the outcome is {' or '.join(outcomes)}"
        raise Slip(negotiated[0], what, 'outcome = "accepted", or no such key')
    if "reason" in found and outcomes and set(outcomes) <= set(DELIVERED):
        what = "what goes through has no reason"
        raise Slip("reason", what, 'outcome = "refused", or no such key')
    if found.get("effect") is not None and len(found) > 1:
        what = "an effect is expected of cells as a whole, beside nothing else"
        raise Slip("effect", what, "an [[expect]] of its own")


def _outcomes(key: str, value: object) -> tuple[Outcome, ...]:
    allowed = {str(one): one for one in CLAIMABLE}
    return tuple(_of(key, text, allowed) for text in _texts(key, value))


def _protocols(key: str, value: object) -> tuple[Protocol, ...]:
    texts = _texts(key, value)
    chosen: set[Protocol] = set()
    for text in texts:
        chosen |= _protocol_range(key, text)
    return tuple(one for one in Protocol if one in chosen)


def _protocol_range(key: str, text: str) -> set[Protocol]:
    """``TLSv1.2``, ``>=TLSv1.2``, ``<=TLSv1.1`` or ``TLSv1..TLSv1.2`` as a set."""
    low, high = (text.partition("..")[0], text.partition("..")[2]) if ".." in text else (text, text)
    if text.startswith(">="):
        low, high = text[2:], list(Protocol)[-1]
    elif text.startswith("<="):
        low, high = next(iter(Protocol)), text[2:]
    try:
        first, last = Protocol.parse(low.strip()), Protocol.parse(high.strip())
    except UsageError as error:
        expected = f"one of {', '.join(Protocol)}, or such with >= or <= before it"
        raise Slip(key, error.what, expected) from None
    if last.rank < first.rank:
        raise Slip(key, f"{text!r} is the wrong way round", f"{last}..{first}")
    return {one for one in Protocol if first.rank <= one.rank <= last.rank}


def _trusts(key: str, value: object) -> tuple[Trust, ...]:
    allowed = {str(one): one for one in Trust}
    return tuple(_of(key, text, allowed) for text in _texts(key, value))


def _resumed(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise Slip(key, f"cannot be {value!r}", "true or false, without quotes")
    return value


def _effect(key: str, value: object) -> Effect:
    (text, *more) = _texts(key, value)
    if more:
        raise Slip(key, f"cannot be {value!r}", '"none" or "some"')
    return _of(key, text, {str(one): one for one in Effect})


def _of(key: str, text: str, allowed: Mapping[str, T]) -> T:
    if text not in allowed:
        raise Slip(key, f"cannot be {text!r}", f"of {', '.join(allowed)}")
    return allowed[text]


def _texts(key: str, value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str) and one.strip() for one in values):
        raise Slip(key, f"cannot be {value!r}", _WORDS)
    return tuple(str(one).strip() for one in values)


def _constraint(table: Mapping[str, Any], key: str) -> Constraint | None:
    value = table.get(key)
    if value is None:
        return None
    expected = 'operators and versions, such as ">=2.5,<3.6"'
    if not isinstance(value, str):
        raise Slip(key, f"cannot be {value!r}", expected)
    try:
        found = Constraint.parse(value)
    except UsageError as error:
        raise Slip(key, error.what, expected) from None
    if found.impossible:
        raise Slip(key, f"no version is {value!r}: the range is the wrong way round", expected)
    return found


_READERS: Mapping[str, Callable[[str, object], Any]] = {
    "outcome": _outcomes,
    "protocol": _protocols,
    "cipher": _texts,
    "cipher_not": _texts,
    "reason": _texts,
    "trust": _trusts,
    "certificate": _texts,
    "resumed": _resumed,
    "effect": _effect,
}
EXPECTED = tuple(_READERS)


def read_applies(table: Mapping[str, Any]) -> Where:
    """The ``[applies]`` table: the versions that a piece of advice is for.

    Raises:
        Slip: another key, or a constraint that is none.
    """
    for key in table:
        if key not in ("postfix", "openssl"):
            raise Slip(key, "unknown key", "postfix or openssl")
    return read_where(table)


def _any(globs: tuple[str, ...], name: str) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


def _allowed(constraint: Constraint | None, version: Version | None) -> bool:
    return constraint is None or (version is not None and constraint.allows(version))


def where_data(where: Where) -> dict[str, Any]:
    """Selectors in JSON's terms; what is not asked is left out."""
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
