"""Expectations of a set of cells: ``[[expect]]`` in scenario.toml.

An expectation selects cells (by build, versions, service, client, offer) and states what each of
them must show. It is written in TOML (``expectation_tables``), recorded in ``run.json``, and judged
in ``verdicts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from harness.catalog.versions import Constraint, Version
from harness.outcomes import Outcome
from harness.tls import Protocol


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
